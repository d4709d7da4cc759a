/**
 * The SFTP backend against a real OpenSSH server. All tests of the suite share two connections, as
 * logging in takes longer than most of them.
 */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Connection } from '../../../src/backend/sftp/connection.ts'
import { parseSftpLocation, sftpPlace } from '../../../src/backend/sftp/sftp-location.ts'
import { createSftpRoot, sftpBackend } from '../../../src/backend/sftp/sftp.ts'
import { backendSuite, type SuiteSubject } from '../../suites/backend-suite.ts'
import { hasSshServer, needsSsh, type SshServer, startSshServer } from '../../support/ssh-server.ts'

describe.skipIf(!hasSshServer)(`SFTP by OpenSSH${needsSsh}`, () => {
  let server: SshServer
  let connections: Connection[] = []
  const folders = new WeakMap<SuiteSubject, string>()

  beforeAll(async () => {
    server = await startSshServer()
    process.env['NACRE_SSH_COMMAND'] = server.command
    connections = [0, 1].map(() => sftpPlace(parseSftpLocation(server.location('/'))).connection)
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    delete process.env['NACRE_SSH_COMMAND']
    await server.close()
  })

  /** A place that leaves its connection open. */
  const placeAt = (root: string, connection: Connection) => ({ root, location: server.location(root), connection: { ...connection, close: async () => undefined } })

  backendSuite(
    'sftp',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'nacre-sftp-'))
      const place = placeAt(join(folder, 'repo'), connections[0]!)
      await createSftpRoot(place)
      const subject = { backend: await sftpBackend(place), cleanup: () => rm(folder, { recursive: true }) }
      folders.set(subject, place.root)
      return subject
    },
    {
      reopen: (subject) => sftpBackend(placeAt(folders.get(subject)!, connections[1]!)),
      async plant(subject, path, bytes) {
        const whole = join(folders.get(subject)!, path)
        await mkdir(dirname(whole), { recursive: true })
        await writeFile(whole, bytes)
      },
    },
  )
})
