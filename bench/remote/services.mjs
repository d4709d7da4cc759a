// The storages: a real Ceph gateway and a real OpenSSH server, both on the loopback, up for one run.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CEPH = fileURLToPath(new URL('../../test/support/ceph-one-node.sh', import.meta.url));
const S3_KEYS = { AWS_ACCESS_KEY_ID: 'owner', AWS_SECRET_ACCESS_KEY: 'owner-secret-3141592653', AWS_REGION: 'us-east-1' };
const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

export const OVER = ['s3', 'sftp'];

export const services = { s3: startS3, sftp: startSftp };

/** A service: { port, locations(port, name), env, close() }; `locations` is asked with the port of the line to it. */
async function startS3(work) {
  const [port, ...monitors] = await freePorts(3);
  const folder = join(work, 'ceph');
  execFileSync(CEPH, ['start', folder, String(port), ...monitors.map(String), String(process.pid)], { stdio: ['ignore', 'ignore', 'inherit'] });
  return {
    port,
    reach: (line, name) => ({
      location: `s3:http://127.0.0.1:${line}/${name}`,
      env: S3_KEYS,
      init: ['--create-bucket'],
      s3cmd: { bucket: `s3://${name}`, options: [`--host=127.0.0.1:${line}`, `--host-bucket=127.0.0.1:${line}`, '--no-ssl', '--signature-v2', '--access_key=owner', `--secret_key=${S3_KEYS.AWS_SECRET_ACCESS_KEY}`, '--config=/dev/null'] },
    }),
    close: () => execFileSync(CEPH, ['stop', folder], { stdio: 'ignore' }),
  };
}

async function startSftp(work) {
  const folder = join(work, 'sshd');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of ['host', 'client']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  copyFileSync(join(folder, 'client.pub'), join(folder, 'authorized_keys'));
  const [port] = await freePorts(1);
  writeFileSync(join(folder, 'sshd_config'), [
    `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(folder, 'host')}`, `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    `PidFile ${join(folder, 'pid')}`, 'UsePAM no', 'StrictModes no', 'PermitRootLogin prohibit-password', `Subsystem sftp ${SFTP_SERVER}`, '',
  ].join('\n'));
  if (userInfo().uid === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (text) => String(text).includes('Server listening') && resolve());
    child.once('exit', () => reject(new Error('sshd did not start')));
  });
  return {
    port,
    reach(line, name) {
      const ssh = `ssh -F none -i ${join(folder, 'client')} -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;
      const path = join(work, 'far', name);
      mkdirSync(join(work, 'far'), { recursive: true });
      const login = `${userInfo().username}@127.0.0.1`;
      return {
        location: `sftp://${login}:${line}${path}`,
        resticLocation: `sftp:${login}:${path}`,
        resticOptions: ['-o', `sftp.command=${ssh} -p ${line} ${login} -s sftp`],
        env: { NACRE_SSH_COMMAND: ssh },
        init: [],
      };
    },
    close: () => child.kill('SIGKILL'),
  };
}

/** Free now; all at once, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
