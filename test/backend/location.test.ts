import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { createBackend, openBackend, parseLocation } from '../../src/backend/location.ts'

describe('location', () => {
  test.each([
    ['/srv/backup', '/srv/backup'],
    ['backup', 'backup'],
    ['./s3:x', './s3:x'],
    ['../sftp:host', '../sftp:host'],
    ['/mnt/rclone:x', '/mnt/rclone:x'],
    ['dir/s3:x', 'dir/s3:x'],
    ['C:', 'C:'],
    ['with space and ünïcode', 'with space and ünïcode'],
    ['file:relative/path', 'relative/path'],
    ['file:/srv/a%20b', '/srv/a%20b'],
    ['file:///srv/a%20b', '/srv/a b'],
    ['FILE:///srv/x', '/srv/x'],
  ])('reads %o as the local folder %o', (text, path) => {
    expect(parseLocation(text)).toEqual({ kind: 'local', path })
  })

  test.each(['SFTP:host:/path', 'sftp://u:secret@h/p', 'rclone:x:y'])(
    'says that %o is not supported yet, without repeating what it holds',
    (text) => {
      expect(() => parseLocation(text)).toThrow(
        expect.objectContaining({
          code: 'INVALID_ARGUMENT',
          message: expect.stringMatching(/^(?!.*secret).*not supported yet.*\.\//s) as string,
        }),
      )
    },
  )

  test.each(['host:/srv/backup', 'rest:http://x', 'b2:x', '', 'file:', 'file://elsewhere/x', 'a\0b', 'file:///a%00b'])(
    'refuses %o',
    (text) => {
      expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )

  test.each([
    ['s3://bucket', { endpoint: undefined, bucket: 'bucket', prefix: '' }],
    ['s3://bucket/a/b/', { endpoint: undefined, bucket: 'bucket', prefix: 'a/b' }],
    ['S3:https://Host.example:9000/bucket/a b/%20ü', { endpoint: 'https://host.example:9000', bucket: 'bucket', prefix: 'a b/%20ü' }],
    ['s3:http://[::1]:80/my.bucket/', { endpoint: 'http://[::1]', bucket: 'my.bucket', prefix: '' }],
  ])('reads %o as a place in a bucket', (text, place) => {
    expect(parseLocation(text)).toEqual({ kind: 's3', ...place })
  })

  test.each([
    's3:', 's3://', 's3:bucket/prefix', 's3:///x', 's3://ab', 's3://key:secret@host/bucket', 's3:https://key:secret@host/bucket', 's3:https://secret@host/bucket',
    's3:https://host', 's3:https://host/', 's3:https://host/bucket?secret', 's3:https://host/bucket#secret', 's3:ftp://secret/bucket',
    's3://bucket//secret', 's3://bucket/../secret', 's3://bucket/./secret', 's3://bucket/sec\nret', 's3:https://', `s3://bucket/${'secret'.repeat(200)}`,
  ])('refuses %o, without repeating what it holds', (text) => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(/^(?!.*secret)/s) as string }))
  })

  test('opens only what is there, and makes it when told to', async () => {
    const home = await mkdtemp(join(tmpdir(), 'nacre-location-'))
    try {
      const location = parseLocation(join(home, 'a', 'b', 'c'))
      await expect(openBackend(location)).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' })
      await using made = await createBackend(location)
      await using opened = await openBackend(location)
      expect(opened.location).toBe(made.location)
      expect((await stat(join(home, 'a', 'b', 'c'))).mode & 0o777).toBe(0o700)
    } finally {
      await rm(home, { recursive: true })
    }
  })
})
