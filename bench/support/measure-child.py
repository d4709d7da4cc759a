"""Runs one command and writes what it used, as JSON, to the file named first.

Used because wait4 tells a child's own usage and that of the children it waited for: processor time
summed, and the peak resident memory of the largest single process among them. Python's own size
(some 10 MB, inherited across fork) is the least that can be seen.

    measure-child.py RESULT CORES COMMAND [ARGUMENT...]
"""
import json
import os
import sys
import time

result, cores, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
started = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
with open(result, "w") as file:
    json.dump({
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss * 1024,
        "code": os.waitstatus_to_exitcode(status),
    }, file)
