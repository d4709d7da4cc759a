#!/usr/bin/env python3
"""Tells everything that a copy of a tree must have, one line a name, without a line of nacre.

    walk.py ROOT [--atime] [--no-owner]

It goes by descriptors, so no path is too long; of a sparse file it reads only what is no hole. The
hash of a content is over its blocks that are not all zeros, so holes and zeros are the same.
"""
import hashlib, os, resource, stat, sys

BLOCK = 65536
ZEROS = bytes(BLOCK)
options = set(sys.argv[2:])
links = {}


def content(fd, size):
    digest = hashlib.sha256()
    at = 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        at -= at % BLOCK
        while at < end:
            block = os.pread(fd, BLOCK, at)
            if not block:
                return digest.hexdigest()[:24]
            if block != ZEROS[: len(block)]:
                digest.update(at.to_bytes(8, 'little') + block.rstrip(b'\0'))
            at += BLOCK
    return digest.hexdigest()[:24]


def xattrs(dir_fd, name):
    path = b'/proc/self/fd/%d/%s' % (dir_fd, name)
    try:
        found = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []
    return sorted((x, os.getxattr(path, x, follow_symlinks=False).hex()) for x in found)


def describe(dir_fd, name, shown):
    s = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    fields = [stat.filemode(s.st_mode)[0]]
    # A link's mode is nobody's business.
    fields.append('-' if stat.S_ISLNK(s.st_mode) else oct(stat.S_IMODE(s.st_mode)))
    if '--no-owner' not in options:
        fields.append('%d:%d' % (s.st_uid, s.st_gid))
    fields.append(str(s.st_mtime_ns))
    if '--atime' in options and not stat.S_ISLNK(s.st_mode) and not stat.S_ISDIR(s.st_mode):
        fields.append(str(s.st_atime_ns))
    if stat.S_ISLNK(s.st_mode):
        fields.append('-> ' + os.readlink(name, dir_fd=dir_fd).hex())
    if stat.S_ISBLK(s.st_mode) or stat.S_ISCHR(s.st_mode):
        fields.append('%d,%d' % (os.major(s.st_rdev), os.minor(s.st_rdev)))
    if stat.S_ISREG(s.st_mode):
        fields.append(str(s.st_size))
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | getattr(os, 'O_NOATIME', 0), dir_fd=dir_fd)
        fields.append(content(fd, s.st_size))
        os.close(fd)
    if not stat.S_ISDIR(s.st_mode) and s.st_nlink > 1:
        fields.append('= %s of %d' % (links.setdefault((s.st_dev, s.st_ino), shown), s.st_nlink))
    fields += ['%s=%s' % x for x in xattrs(dir_fd, name)]
    print(shown, *fields)
    return s


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    root = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
    # Descriptor, path, names to come; a path of bytes in hexadecimal where it is no plain text.
    stack = [(root, '', sorted(os.listdir(b'/proc/self/fd/%d' % root)))]
    while stack:
        fd, shown, names = stack[-1]
        if not names:
            os.close(fd)
            stack.pop()
            continue
        name = names.pop(0)
        plain = name.decode('latin1')
        path = shown + (plain if plain.isprintable() and ' ' not in plain else name.hex())
        s = describe(fd, name, path)
        if stat.S_ISDIR(s.st_mode):
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, 'O_NOATIME', 0), dir_fd=fd)
            stack.append((below, path + '/', sorted(os.listdir(b'/proc/self/fd/%d' % below))))


main()
