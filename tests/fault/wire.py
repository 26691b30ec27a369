# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client protocol byte by byte, with everything a client library never does.

    with Wire(socket_of(c), uid=4001) as wire:        # connected and greeted
        assert wire.ask(GETPWNAM, name("alice")).status == 0
        wire.send(frame(GETPWNAM, b"", length=5))     # a lie
        assert wire.is_closed()

It runs on the host's side: the container's socket is reached through the root of its init. What
travels: | length | command | status | 0 | body |, four u32 in host byte order (proto.h).
"""
import collections
import contextlib
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))

from peer import Closed, Peer, as_uid  # noqa: E402

HEADER = struct.Struct("=IIII")
REQUEST_MAX = 1536
CERTIFICATE_MAX = 10240
NOT_FOUND = bytes(8)

GET_VERSION = 0x01
GETPWNAM, GETPWUID, GETPWNAM_EX, GETPWUID_EX = 0x11, 0x12, 0x19, 0x1A
GETGRNAM, GETGRGID, GETGRNAM_EX, GETGRGID_EX = 0x21, 0x22, 0x29, 0x2A
INITGR, INITGR_EX = 0x26, 0x2E
GETNAMEBYCERT, GETLISTBYCERT = 0x116, 0x117

# The forms of client-protocol.md section 7.1.
BY_NAME = (GETPWNAM, GETGRNAM, INITGR)
BY_ID = (GETPWUID, GETGRGID)
BY_NAME_EX = (GETPWNAM_EX, GETGRNAM_EX, INITGR_EX)
BY_ID_EX = (GETPWUID_EX, GETGRGID_EX)

# Set and end of an enumeration: the reply has no body. Everything else must have one (section 2.2).
EMPTY = (0x13, 0x15, 0x23, 0x25, 0x54, 0x56, 0x73, 0x75, 0xA3, 0xA5)
# The next entries of a list; of none, where no domain is enumerated.
LISTS = (0x14, 0x24)
# Served, but nothing is known there yet.
UNBUILT = (
    *(0x51, 0x52, 0x53, 0x55, 0x61, 0x71, 0x72, 0x74, 0xA1, 0xA2, 0xA4),
    *range(0x111, 0x11E),
    0x130,
)

Reply = collections.namedtuple("Reply", "command status body")


def name(text):
    return text.encode() + b"\0"


def number(value):
    return struct.pack("=I", value)


def frame(command, body=b"", length=None, status=0, reserved=0):
    """A message; length: what it says about itself, instead of the truth."""
    size = HEADER.size + len(body) if length is None else length
    return HEADER.pack(size, command, status, reserved) + body


def socket_of(c):
    """The path of the nss socket in container c."""
    return f"/proc/{c.pid}/root/run/sss/pipes/nss"


@contextlib.contextmanager
def hangs_up(c):
    """The path of a socket in container c behind which somebody hangs up on whoever comes."""
    process = c.popen(["/usr/libexec/sssd-tests/hangup", "/run/hangup"])
    path = f"/proc/{c.pid}/root/run/hangup"
    try:
        c.wait_for("it listens", lambda: os.path.exists(path))
        yield path
    finally:
        process.kill()
        process.wait()
        os.unlink(path)


def allow_descriptors(n):
    """So many may be open in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, max(hard, n)))


class Wire(Peer):
    """One connection.

    uid    whose it is, as the responder sees it; None = root
    greet  do the handshake, as every library does
    """

    def __init__(self, path, uid=None, greet=True, timeout=10):
        super().__init__(path, uid, timeout)
        try:
            if greet:
                assert self.ask(GET_VERSION, number(1)) == (GET_VERSION, 0, number(1))
        except BaseException:
            self.close()
            raise

    def reply(self):
        length, command, status, reserved = HEADER.unpack(self.receive(HEADER.size))
        assert length >= HEADER.size and reserved == 0
        return Reply(command, status, self.receive(length - HEADER.size))

    def ask(self, command, body=b""):
        self.send(frame(command, body))
        return self.reply()

    def is_closed(self, within=2.0):
        """Closes the other side within so many seconds, having sent nothing more?"""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def is_told(self, within=5.0):
        """What a malformed request ends with: a reply whose status is not 0 (it is returned), or
        the end of the connection (0)."""
        self.socket.settimeout(within)
        try:
            reply = self.reply()
        except Closed:
            return 0
        assert reply.status != 0 and reply.body == b"", reply
        return reply.status


def connect_many(path, n, uid=None, greet=True):
    """n connections at once; the ones that were refused or dropped at once are left out."""
    wires = []
    for _ in range(n):
        try:
            wires.append(Wire(path, uid=uid, greet=greet))
        except (Closed, ConnectionRefusedError):
            pass
    return wires


def close_all(wires):
    for wire in wires:
        wire.close()


class Flood:
    """Connects and hangs up as uid, so often a second, in a process of its own (the uid is that of
    the whole process); afterwards `attempts` tells how often. The last `kept` connections stay
    open."""

    def __init__(self, path, uid, per_second, kept=0):
        self.command = [sys.executable, __file__, path, str(uid), str(int(per_second)), str(kept)]

    def __enter__(self):
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_):
        self.attempts = int(self._process.communicate(timeout=30)[0])


def _flood(path, uid, per_second, n_kept):
    """Until the end of standard input, in bursts of 10 ms."""
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    target = f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    kept = collections.deque()
    attempts, begin = 0, time.monotonic()
    with as_uid(uid):
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            while attempts < (time.monotonic() - begin) * per_second:
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                one.setblocking(False)
                try:
                    one.connect(target)
                except BlockingIOError:
                    pass  # the backlog is full
                kept.append(one)
                if len(kept) > n_kept:
                    kept.popleft().close()
                attempts += 1
    print(attempts)


if __name__ == "__main__":
    _flood(sys.argv[1], *map(int, sys.argv[2:]))
