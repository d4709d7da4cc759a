/**
 * The keys that a role holds. An owner has the root key, of which everything else is derived; a
 * writer has only what a backup needs: it can neither read what it wrote nor speak for the owner.
 */
import { boxPublicKey, signingPublicKey } from '../crypto/asymmetric.ts'
import { deriveKey, keyIdOf } from '../crypto/derive.ts'
import { BackupError } from '../util/errors.ts'
import { type BlobType, OWNER_GROUP } from './format.ts'

export type Role = 'owner' | 'writer'

/** A named key of a bundle. Several epochs of a name may stand side by side; the newest wraps. */
export interface NamedKey {
  readonly name: string
  readonly epoch: number
  readonly bytes: Uint8Array
}

/** What a password slot holds. */
export interface Bundle {
  readonly role: Role
  readonly group: number
  readonly keys: readonly NamedKey[]
}

export interface Keyring {
  readonly role: Role
  readonly repositoryId: Uint8Array
  /** The group that this holder writes in. */
  readonly group: number
  readonly config: Uint8Array
  readonly gc: Uint8Array
  /** @throws {BackupError} CORRUPT - this role has no key of that group */
  index(group: number): Uint8Array
  blobId(group: number, type: BlobType): Uint8Array
  /** Wraps data keys; undefined for a writer, who seals them to `boxPublic` instead. */
  wrap(group: number): Uint8Array | undefined
  readonly boxPublic: Uint8Array
  readonly boxSeed: Uint8Array | undefined
  readonly ownerPublic: Uint8Array
  readonly signingSeed: Uint8Array
}

export function keyringOf(bundle: Bundle, repositoryId: Uint8Array): Keyring {
  return bundle.role === 'owner' ? ownerKeyring(newest(bundle, 'root'), repositoryId) : writerKeyring(bundle, repositoryId)
}

export function ownerBundle(rootKey: Uint8Array): Bundle {
  return { role: 'owner', group: OWNER_GROUP, keys: [{ name: 'root', epoch: 0, bytes: rootKey }] }
}

/** What an owner gives a writer of that group; the signing seed is the writer's own. */
export function writerBundle(owner: Keyring, group: number, signingSeed: Uint8Array): Bundle {
  const entries: [string, Uint8Array][] = [
    ['config', owner.config],
    ['gc', owner.gc],
    ['index', owner.index(group)],
    ['blob-id data', owner.blobId(group, 'data')],
    ['blob-id tree', owner.blobId(group, 'tree')],
    ['envelope public', owner.boxPublic],
    ['owner public', owner.ownerPublic],
    ['signing', signingSeed],
  ]
  return { role: 'writer', group, keys: entries.map(([name, bytes]) => ({ name, epoch: 0, bytes })) }
}

function newest(bundle: Bundle, name: string): Uint8Array {
  const found = bundle.keys.filter((key) => key.name === name).sort((a, b) => b.epoch - a.epoch)[0]
  if (found === undefined) throw new BackupError('CORRUPT', `the key slot lacks the key "${name}"`)
  return found.bytes
}

function ownerKeyring(root: Uint8Array, repositoryId: Uint8Array): Keyring {
  const derived = new Map<string, Uint8Array>()
  let ownerPublic: Uint8Array | undefined
  const key = (label: string): Uint8Array => {
    const known = derived.get(label) ?? deriveKey(root, repositoryId, label)
    derived.set(label, known)
    return known
  }
  return {
    role: 'owner',
    repositoryId,
    group: OWNER_GROUP,
    config: key('config'),
    gc: key('gc'),
    index: (group) => key(`index ${group}`),
    blobId: (group, type) => key(`blob-id ${type} ${group}`),
    wrap: (group) => key(`wrap ${group}`),
    get boxPublic() {
      return boxPublicKey(key('envelope'))
    },
    get boxSeed() {
      return key('envelope')
    },
    get ownerPublic() {
      // Half a millisecond, and it is asked for at every record.
      ownerPublic ??= signingPublicKey(key('owner'))
      return ownerPublic
    },
    get signingSeed() {
      return key('owner')
    },
  }
}

function writerKeyring(bundle: Bundle, repositoryId: Uint8Array): Keyring {
  const own = (group: number, name: string): Uint8Array => {
    if (group !== bundle.group) throw new BackupError('CORRUPT', `this key may not read group ${group}`)
    return newest(bundle, name)
  }
  return {
    role: 'writer',
    repositoryId,
    group: bundle.group,
    config: newest(bundle, 'config'),
    gc: newest(bundle, 'gc'),
    index: (group) => own(group, 'index'),
    blobId: (group, type) => own(group, `blob-id ${type}`),
    wrap: () => undefined,
    boxPublic: newest(bundle, 'envelope public'),
    boxSeed: undefined,
    ownerPublic: newest(bundle, 'owner public'),
    signingSeed: newest(bundle, 'signing'),
  }
}

/** Names by the keyring's repository id and the key: both live as long as the keyring, which gives the same bytes each time. */
const names = new WeakMap<Uint8Array, WeakMap<Uint8Array, Uint8Array>>()

/**
 * The public name of a key of this repository, as headers and envelopes state it. It is asked for at
 * every record, and derived once.
 * @param key - as the keyring gives it; its bytes must not change
 */
export function keyName({ repositoryId }: Pick<Keyring, 'repositoryId'>, key: Uint8Array): Uint8Array {
  const ofRepository = names.get(repositoryId) ?? new WeakMap<Uint8Array, Uint8Array>()
  names.set(repositoryId, ofRepository)
  const name = ofRepository.get(key) ?? keyIdOf(key, repositoryId)
  ofRepository.set(key, name)
  return name
}
