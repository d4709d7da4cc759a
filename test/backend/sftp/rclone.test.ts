/** The SFTP backend against the real rclone, whose remote is a folder of this machine. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Connection } from '../../../src/backend/sftp/connection.ts'
import { parseRcloneLocation, rclonePlace } from '../../../src/backend/sftp/rclone.ts'
import { createSftpRoot, sftpBackend } from '../../../src/backend/sftp/sftp.ts'
import { backendSuite, type SuiteSubject } from '../../suites/backend-suite.ts'
import { hasRclone, needsRclone, rcloneEnvironment } from '../../support/rclone.ts'

describe.skipIf(!hasRclone)(`rclone${needsRclone}`, () => {
  let home: string
  let connections: Connection[] = []
  let made = 0
  const roots = new WeakMap<SuiteSubject, string>()

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'nacre-rclone-'))
    Object.assign(process.env, rcloneEnvironment(home))
    connections = [0, 1].map(() => rclonePlace(parseRcloneLocation(`rclone:disk:${home}`)).connection)
  })
  afterAll(async () => {
    for (const connection of connections) await connection.close()
    delete process.env['RCLONE_CONFIG']
    await rm(home, { recursive: true, force: true })
  })

  /** A place that leaves its connection open. */
  const placeAt = (root: string, connection: Connection) => ({ root, location: `rclone:disk:${home}${root}`, connection: { ...connection, close: async () => undefined }, withoutLinks: 'rclone cannot' })

  backendSuite(
    'rclone',
    async () => {
      const place = placeAt(`/repo-${made++}`, connections[0]!)
      await createSftpRoot(place)
      const subject = { backend: await sftpBackend(place), cleanup: () => rm(join(home, place.root), { recursive: true, force: true }) }
      roots.set(subject, place.root)
      return subject
    },
    {
      reopen: (subject) => sftpBackend(placeAt(roots.get(subject)!, connections[1]!)),
      async plant(subject, path, bytes) {
        const whole = join(home, roots.get(subject)!, path)
        await mkdir(dirname(whole), { recursive: true })
        await writeFile(whole, bytes)
      },
    },
  )
})
