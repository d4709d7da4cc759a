/**
 * TLS before a service on loopback, with certificates of the test's own: an authority, and a
 * certificate of it for 127.0.0.1 and localhost.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

export interface TlsProxy extends AsyncDisposable {
  readonly endpoint: string
}

/** Makes an authority in the folder. @returns the file of its certificate */
export function makeAuthority(folder: string, name: string): string {
  openssl(folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`)
  return join(folder, `${name}.pem`)
}

/** @param authority - the name of one that was made in the folder */
export async function tlsProxy(folder: string, authority: string, targetPort: number): Promise<TlsProxy> {
  writeFileSync(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:*.localhost\n')
  openssl(folder, 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.csr')
  openssl(folder, 'x509', '-req', '-in', 'server.csr', '-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'server.pem')
  const open = new Set<{ destroy(): void }>()
  const server = createServer({ key: readFileSync(join(folder, 'server.key')), cert: readFileSync(join(folder, 'server.pem')) }, (client) => {
    const onward = connect(targetPort, '127.0.0.1')
    for (const [one, other] of [[client, onward], [onward, client]] as const) {
      open.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => (open.delete(one), other.destroy()))
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function openssl(folder: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
}
