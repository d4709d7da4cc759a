/**
 * Numbers of the FUSE kernel interface, version 7, as Linux has them. What is said to the kernel and
 * what it says stands in `requests.ts` and `replies.ts`; nothing here touches a device.
 */

export const FUSE_MAJOR = 7
/** Linux 5.4 and all later ones; of what came since, nothing is used. */
export const FUSE_MINOR_LEAST = 23
export const FUSE_MINOR = 36
export const ROOT_ID = 1

export const OPCODE = {
  lookup: 1, forget: 2, getattr: 3, setattr: 4, readlink: 5, symlink: 6, mknod: 8, mkdir: 9, unlink: 10,
  rmdir: 11, rename: 12, link: 13, open: 14, read: 15, write: 16, statfs: 17, release: 18, fsync: 20,
  setxattr: 21, getxattr: 22, listxattr: 23, removexattr: 24, flush: 25, init: 26, opendir: 27, readdir: 28,
  releasedir: 29, fsyncdir: 30, access: 34, create: 35, interrupt: 36, destroy: 38, batchForget: 42,
  fallocate: 43, readdirplus: 44, rename2: 45, lseek: 46, copyFileRange: 47, tmpfile: 51,
} as const

/** Whoever asks for one of these wants to write. */
export const WRITING: ReadonlySet<number> = new Set([
  OPCODE.setattr, OPCODE.symlink, OPCODE.mknod, OPCODE.mkdir, OPCODE.unlink, OPCODE.rmdir, OPCODE.rename, OPCODE.link, OPCODE.write,
  OPCODE.setxattr, OPCODE.removexattr, OPCODE.create, OPCODE.fallocate, OPCODE.rename2, OPCODE.copyFileRange, OPCODE.tmpfile,
])

/** What the kernel offers with INIT and what is taken of it. */
export const FEATURE = {
  asyncRead: 1 << 0,
  /** A folder's cached list is dropped when its time changes. */
  autoInvalidate: 1 << 12,
  readdirplus: 1 << 13,
  /** After one OPEN that is answered with ENOSYS no other is sent. */
  noOpen: 1 << 17,
  parallelFolders: 1 << 18,
  /** The kernel looks at access lists when it decides who may. */
  accessLists: 1 << 20,
  maxPages: 1 << 22,
  cacheLinks: 1 << 23,
  noOpendir: 1 << 24,
} as const

export const OPEN_KEEP_CACHE = 1 << 1
export const OPEN_CACHE_DIR = 1 << 3

/** Numbers of errors as Linux has them on x64 and arm64. */
export const ERRNO = {
  EPERM: 1, ENOENT: 2, EINTR: 4, EIO: 5, ENXIO: 6, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EINVAL: 22, ENOTDIR: 20, EISDIR: 21,
  EROFS: 30, ERANGE: 34, ENAMETOOLONG: 36, ENOSYS: 38, ENODATA: 61, EPROTO: 71, ESTALE: 116,
} as const
