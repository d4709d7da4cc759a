import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, test } from 'vitest'

import { createBackend, type LocalPlace, locationText, openBackend, parseLocation } from '../../src/backend/location.ts'

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

  test.each([
    ['sftp://host/srv/x', { user: undefined, host: 'host', port: undefined, path: '/srv/x' }, 'sftp://host/srv/x'],
    ['SFTP://me@host:2222/srv/x/', { user: 'me', host: 'host', port: 2222, path: '/srv/x' }, 'sftp://me@host:2222/srv/x'],
    ['sftp://host/~/backups', { user: undefined, host: 'host', port: undefined, path: 'backups' }, 'sftp://host/~/backups'],
    ['sftp://host/~', { user: undefined, host: 'host', port: undefined, path: '.' }, 'sftp://host/~/'],
    ['sftp://host/', { user: undefined, host: 'host', port: undefined, path: '/' }, 'sftp://host/'],
    ['sftp://[fe80::1%25eth0]:22/x', { user: undefined, host: 'fe80::1%eth0', port: 22, path: '/x' }, 'sftp://[fe80::1%eth0]:22/x'],
    ['sftp://a%2Eb/with%20space%2Fü', { user: undefined, host: 'a.b', port: undefined, path: '/with space/ü' }, 'sftp://a.b/with space/ü'],
  ])('reads %o as a place on a server', (text, place, shown) => {
    expect(parseLocation(text)).toEqual({ kind: 'sftp', ...place })
    expect(locationText(parseLocation(text))).toBe(shown)
  })

  test.each([
    ['rclone:disk:a/b', 'disk:a/b', 'rclone:disk:a/b'],
    ['rclone:disk:', 'disk:', 'rclone:disk:'],
    ['rclone::s3,access_key_id=secret,region="a:b":bucket/x', ':s3,access_key_id=secret,region="a:b":bucket/x', 'rclone::s3:bucket/x'],
  ])('reads %o as a place of rclone', (text, remote, shown) => {
    expect(parseLocation(text)).toEqual({ kind: 'rclone', remote })
    expect(locationText(parseLocation(text))).toBe(shown)
  })

  test.each([
    'sftp:host:/path', 'sftp://', 'sftp:///x', 'sftp://host', 'sftp://u:secret@h/p', 'sftp://-oProxyCommand=secret/x', 'sftp://host:0/x', 'sftp://host:99999/x',
    'sftp://$(secret)/x', 'sftp://a b/x', 'sftp://-l@host/x', 'sftp://host/a%00secret', 'sftp://host/%zz', 'rclone:', 'rclone:nothing', 'rclone:/srv/x', 'rclone://remote/x', 'rclone::s3,key="secret:x',
  ])('refuses %o, without repeating what it holds', (text) => {
    expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.not.stringContaining('secret') as string }))
  })

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
      const location = parseLocation(join(home, 'a', 'b', 'c')) as LocalPlace
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
