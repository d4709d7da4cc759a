"""Runs a command at a terminal of its own and types answers: each when its question has been asked.

    terminal.py QUESTION ANSWER [QUESTION ANSWER ...] -- COMMAND [ARGUMENT ...]

Prints what the terminal showed, and exits as the command did.
"""
import os
import pty
import sys

at = sys.argv.index("--")
talk, command = sys.argv[1:at], sys.argv[at + 1:]
questions = list(zip(talk[::2], talk[1::2]))
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown = b""
asked = 0
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    while questions and questions[0][0].encode() in shown[asked:]:
        question, answer = questions.pop(0)
        asked = shown.index(question.encode(), asked) + len(question.encode())
        os.write(terminal, answer.encode() + b"\n")
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
