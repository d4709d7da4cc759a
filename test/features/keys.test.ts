import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { addKey, changePassword, listKeys, removeKey } from '../../src/features/keys.ts'
import { encodeSlot } from '../../src/repository/key-slot.ts'
import { writerBundle } from '../../src/repository/keyring.ts'
import { listObjects } from '../../src/repository/objects.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'
import { CHEAP_KDF, PASSWORD, PERSON, smallRepository } from './small-repository.ts'

const OTHER = utf8('battery staple')
const BOB = { user: 'bob', host: 'argo' }

async function slotIds(repository: Repository): Promise<string[]> {
  return (await listObjects(repository.backend, 'keys')).map((info) => info.name).sort()
}

/** The same repository, with some operations of its backend exchanged. */
function withBackend(repository: Repository, change: Partial<Backend>): Repository {
  return { ...repository, backend: { ...repository.backend, ...change } }
}

describe('listKeys', () => {
  test('tells who made each slot, and which one opened this session', async () => {
    await using small = await smallRepository()
    const added = await addKey(small.repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    const { keys, problems } = await listKeys(small.repository)
    expect(problems).toEqual([])
    expect(keys).toHaveLength(2)
    expect(keys.find((key) => key.isCurrent)).toMatchObject({ id: small.repository.slotId, role: 'owner', group: 0, ...PERSON, kdf: CHEAP_KDF })
    expect(keys.find((key) => key.id === added)).toMatchObject({ role: 'owner', ...BOB, isCurrent: false })
  })

  test('tells of damaged, foreign and forged slots, and lists the others', async () => {
    await using small = await smallRepository()
    const { repository, backend } = small
    const bytes = await backend.load({ type: 'keys', name: repository.slotId })
    // A bit turned under its own name; the same under the name that its bytes give it; and no slot at all.
    const turned = bytes.slice()
    turned[200]! ^= 1
    await backend.create({ type: 'keys', name: 'a'.repeat(64) }, [turned])
    const forged = toHex(sha256(turned))
    await backend.create({ type: 'keys', name: forged }, [turned])
    const junk = utf8('junk')
    await backend.create({ type: 'keys', name: toHex(sha256(junk)) }, [junk])
    await using other = await smallRepository()
    const foreign = await other.backend.load({ type: 'keys', name: other.repository.slotId })
    await backend.create({ type: 'keys', name: other.repository.slotId }, [foreign])

    const { keys, problems } = await listKeys(repository)
    expect(keys.map((key) => key.id)).toEqual([repository.slotId])
    expect(problems).toHaveLength(4)
    // None of them is in the way, and each can be removed.
    await addKey(repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    for (const id of [forged, 'a'.repeat(64), toHex(sha256(junk)), other.repository.slotId]) await removeKey(repository, id)
    expect((await listKeys(repository)).problems).toEqual([])
  })
})

describe('addKey', () => {
  test('adds a password that opens the same repository', async () => {
    await using small = await smallRepository()
    const added = await addKey(small.repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    const opened = await small.reopen(OTHER)
    expect(opened.slotId).toBe(added)
    expect(opened.id).toBe(small.repository.id)
    expect((await small.reopen(PASSWORD)).slotId).toBe(small.repository.slotId)
  })

  test('refuses an empty password and a wrong current one, and adds nothing', async () => {
    await using small = await smallRepository()
    await expect(addKey(small.repository, PASSWORD, new Uint8Array(0), BOB, CHEAP_KDF)).rejects.toMatchObject({ code: 'PASSWORD_REFUSED' })
    await expect(addKey(small.repository, OTHER, OTHER, BOB, CHEAP_KDF)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
    expect(await slotIds(small.repository)).toEqual([small.repository.slotId])
  })

  test('does not believe in a slot that the storage gives back otherwise', async () => {
    await using small = await smallRepository()
    const { repository, backend } = small
    const lying = withBackend(repository, {
      async load(ref, range, options) {
        const bytes = await backend.load(ref, range, options)
        if (ref.name !== repository.slotId) bytes[300]! ^= 1
        return bytes
      },
    })
    await expect(addKey(lying, PASSWORD, OTHER, BOB, CHEAP_KDF)).rejects.toMatchObject({ code: 'KEY_TAMPERED' })
  })

  test('gives a writer\'s password a writer\'s rights', async () => {
    await using small = await smallRepository()
    const { keyring } = small.repository
    const label = { role: 'writer', group: 3, ...BOB, createdNs: 1n } as const
    const slot = await encodeSlot(keyring, writerBundle(keyring, 3, new Uint8Array(32).fill(7)), label, OTHER, CHEAP_KDF)
    await small.backend.create({ type: 'keys', name: slot.id }, [slot.bytes])
    const writer = await small.reopen(OTHER)
    const third = utf8('third')
    await addKey(writer, OTHER, third, BOB, CHEAP_KDF)
    expect((await small.reopen(third)).keyring).toMatchObject({ role: 'writer', group: 3 })
  })
})

describe('removeKey', () => {
  test('removes a slot by the beginning of its id', async () => {
    await using small = await smallRepository()
    const added = await addKey(small.repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    expect(await removeKey(small.repository, added.slice(0, 20).toUpperCase())).toBe(added)
    await expect(small.reopen(OTHER)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
    expect(await slotIds(small.repository)).toEqual([small.repository.slotId])
  })

  test('refuses the slot in use, unless it is forced', async () => {
    await using small = await smallRepository()
    const added = await addKey(small.repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    await expect(removeKey(small.repository, small.repository.slotId)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('in use') as string })
    await removeKey(small.repository, small.repository.slotId, true)
    expect(await slotIds(small.repository)).toEqual([added])
  })

  test('refuses the last slot, forced or not', async () => {
    await using small = await smallRepository()
    await expect(removeKey(small.repository, small.repository.slotId, true)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('last') as string })
    expect(await slotIds(small.repository)).toEqual([small.repository.slotId])
  })

  test('refuses the last owner\'s slot although a writer\'s and a damaged one are left', async () => {
    await using small = await smallRepository()
    const { repository, backend } = small
    const label = { role: 'writer', group: 3, ...BOB, createdNs: 1n } as const
    const writer = await encodeSlot(repository.keyring, writerBundle(repository.keyring, 3, new Uint8Array(32)), label, OTHER, CHEAP_KDF)
    await backend.create({ type: 'keys', name: writer.id }, [writer.bytes])
    await backend.create({ type: 'keys', name: 'b'.repeat(64) }, [utf8('junk')])
    await expect(removeKey(repository, repository.slotId, true)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await slotIds(repository)).toHaveLength(3)
  })

  test('refuses ids that name nothing or several', async () => {
    await using small = await smallRepository()
    for (const digit of ['0', '1']) await small.backend.create({ type: 'keys', name: `eeeeee${digit}`.padEnd(64, '0') }, [utf8('junk')])
    await expect(removeKey(small.repository, '')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(removeKey(small.repository, 'xyz')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(removeKey(small.repository, 'eeeeee')).rejects.toMatchObject({ code: 'AMBIGUOUS_ID' })
  })
})

describe('changePassword', () => {
  test('lets the new password open and the old one not', async () => {
    await using small = await smallRepository()
    const { added, removed } = await changePassword(small.repository, PASSWORD, OTHER, PERSON, CHEAP_KDF)
    expect(removed).toBe(small.repository.slotId)
    expect((await small.reopen(OTHER)).slotId).toBe(added)
    await expect(small.reopen(PASSWORD)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
  })

  test('removes the slot of the password that it was given, whichever opened the session', async () => {
    await using small = await smallRepository()
    const bobs = await addKey(small.repository, PASSWORD, OTHER, BOB, CHEAP_KDF)
    const { removed } = await changePassword(small.repository, OTHER, utf8('third'), BOB, CHEAP_KDF)
    expect(removed).toBe(bobs)
    expect((await small.reopen(PASSWORD)).slotId).toBe(small.repository.slotId)
  })

  test('leaves the old password when the new one is refused or the current one is wrong', async () => {
    await using small = await smallRepository()
    await expect(changePassword(small.repository, PASSWORD, new Uint8Array(0), PERSON, CHEAP_KDF)).rejects.toMatchObject({ code: 'PASSWORD_REFUSED' })
    await expect(changePassword(small.repository, OTHER, OTHER, PERSON, CHEAP_KDF)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
    expect(await slotIds(small.repository)).toEqual([small.repository.slotId])
  })

  test('says that both passwords open when the old slot cannot be removed', async () => {
    await using small = await smallRepository()
    const kept = withBackend(small.repository, {
      remove: () => Promise.reject(new BackupError('BACKEND_DENIED', 'no right to delete')),
    })
    await expect(changePassword(kept, PASSWORD, OTHER, PERSON, CHEAP_KDF)).rejects.toMatchObject({
      code: 'BACKEND_DENIED',
      message: expect.stringMatching(/new password is in place.*no right to delete.*nacre key remove/) as string,
    })
    await small.reopen(PASSWORD)
    await small.reopen(OTHER)
  })
})
