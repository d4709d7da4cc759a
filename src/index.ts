/**
 * The public face of nacre: everything the command line uses, and nothing besides. Opening a
 * repository gives a value that features take as their first argument.
 */
export { type Backend, type ByteRange, type CreateResult, type ObjectInfo, type ObjectRef, type ObjectType } from './backend/backend.ts'
export { createBackend, openBackend, parseLocation } from './backend/location.ts'
export { memoryBackend } from './backend/memory.ts'
export { type ChunkerParams } from './chunker/params.ts'
export { createRepository, type CreateOptions, openRepository, type OpenOptions, type Person, type Repository } from './repository/repository.ts'
export { backup, type BackupEvent, type BackupOptions, type BackupResult } from './snapshot/backup.ts'
export { type Node, type NodeType } from './snapshot/node.ts'
export { restore } from './snapshot/restore.ts'
export { type RestoreEvent, type RestoreOptions, type RestoreProblem, type RestoreResult } from './snapshot/restore-types.ts'
export { type Skipped, type Snapshot, type SnapshotSummary } from './snapshot/snapshot.ts'
export { loadSnapshots, type SnapshotList, type SnapshotProblem } from './snapshot/snapshots.ts'
export { BackupError, type ErrorCode, isBackupError } from './util/errors.ts'
export { escapeBytes } from './util/posix/system-error.ts'
export { programVersion } from './util/version-file.ts'
