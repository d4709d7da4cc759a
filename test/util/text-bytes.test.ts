import { describe, expect, test } from 'vitest'
import { utf8 } from '../../src/util/bytes.ts'
import { textFields } from '../../src/util/text-bytes.ts'

describe('textFields', () => {
  test('gives text as it is, control characters and backslashes included', () => {
    expect(textFields('name', utf8('grüße\\\n\u{1f41a}'))).toEqual({ name: 'grüße\\\n\u{1f41a}' })
  })

  test('gives escaped text and base64 for bytes that are no UTF-8', () => {
    expect(textFields('path', Uint8Array.of(0x61, 0xff, 0x5c))).toEqual({ path: 'a\\xff\\\\', path_b64: 'Yf9c' })
  })

  test('reads no further than its view', () => {
    const bytes = utf8('before and after')
    expect(textFields('name', bytes.subarray(7, 10))).toEqual({ name: 'and' })
  })
})
