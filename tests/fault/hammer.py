# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody who asks without end: so many connections of one uid, each with a question under way all the time.

    with Hammer(path, uid, 250, request(DEFAULT_CACHE), KCM) as hammer:
        …
    assert hammer.answers > 1000

    with Burner():         # as busy, and nobody is asked anything
        …
"""
import json
import os
import select
import struct
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))

from peer import connect  # noqa: E402

# How an answer's length is told: (format of its first word, bytes that this does not count)
KCM, NSS = (">I", 8), ("<I", 0)


class _Process:
    """A Python program of this file; it ends with its block, or with its standard input."""

    def __init__(self, *words):
        self.words, self.printed = words, ""

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process.stdin.write(json.dumps(self.words) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "begun\n"
        return self

    def __exit__(self, *_):
        self.printed = self._process.communicate(timeout=60)[0]
        assert self._process.returncode == 0


class Hammer(_Process):
    """In a process of its own: connections are only quick without anything else to be done."""

    def __init__(self, path, uid, n, message, kind):
        super().__init__("hammer", path, uid, n, message.hex(), kind)

    def __exit__(self, *_):
        super().__exit__()
        self.answers = int(self.printed)


class Burner(_Process):
    """Takes a processor, as far as the scheduler gives it one."""

    def __init__(self):
        super().__init__("burn")


def _ended():
    return select.select([sys.stdin], [], [], 0)[0]


def _hammer(path, uid, n, message, kind):
    message, (form, beside) = bytes.fromhex(message), kind
    wires = [connect(path, uid) for _ in range(n)]
    poll, left = select.epoll(), {}
    by_fd = {one.fileno(): one for one in wires}
    for fd, one in by_fd.items():
        poll.register(fd, select.EPOLLIN)
        one.sendall(message)
        left[fd] = 0
    print("begun", flush=True)
    answers = 0
    while not _ended():
        for fd, _ in poll.poll(0.1):
            one = by_fd[fd]
            if left[fd] == 0:
                left[fd] = struct.unpack(form, one.recv(4))[0] + beside - 4
            left[fd] -= len(one.recv(min(left[fd], 1 << 20)))
            if left[fd] == 0:
                answers += 1
                one.sendall(message)
    print(answers)


def _burn():
    print("begun", flush=True)
    while not _ended():
        for _ in range(10000):
            pass


if __name__ == "__main__":
    what, *rest = json.loads(sys.stdin.readline())
    {"hammer": _hammer, "burn": _burn}[what](*rest)
