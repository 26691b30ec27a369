# SPDX-License-Identifier: LGPL-2.1-or-later
"""TGTs that have to be renewed, in many caches of several users of container c.

    tgts = Tgts(c, kdc, 48, life_s=16)
    tgts.look()                        # as often as possible, or
    tgts.look_for(30)
    assert tgts.all_good()             # none was missing, none had expired
"""
import pathlib
import struct
import time

from kcm import RETRIEVE, STORE, Kcm, name, principal
from peer import Closed

FIRST_USER = 910  # a service: it need not log in
PER_USER = 60  # max_uid_ccaches is 64


def _read_principal(data, at):
    """The realm and the components; where it ends."""
    (count,) = struct.unpack_from(">I", data, at + 4)
    at, parts = at + 8, []
    for _ in range(count + 1):
        (size,) = struct.unpack_from(">I", data, at)
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts, at


class Credential:
    """One as libkrb5 writes it, at the begin of data."""

    def __init__(self, data):
        _, at = _read_principal(data, 0)
        self.server, at = _read_principal(data, at)
        (size,) = struct.unpack_from(">I", data, at + 2)
        at += 6 + size
        self.authtime, self.start, self.end, self.renew_till = struct.unpack_from(">IIII", data, at)
        at += 21
        for _ in range(2):  # addresses, authorization data
            (count,) = struct.unpack_from(">I", data, at)
            at += 4
            for _ in range(count):
                at += 6 + struct.unpack_from(">I", data, at + 2)[0]
        for _ in range(2):  # the tickets
            at += 4 + struct.unpack_from(">I", data, at)[0]
        self.bytes = data[:at]


def tgt_of(c, kdc, *options, **more):
    """A TGT of alice's as bytes, out of a cache of the type FILE."""
    path = "/tmp/tgt"
    kdc.kinit("alice", "-c", f"FILE:{path}", *options, user=0, **more)
    data = pathlib.Path(f"/proc/{c.pid}/root{path}").read_bytes()
    (header,) = struct.unpack_from(">H", data, 2)
    _, at = _read_principal(data, 4 + header)
    while True:
        found = Credential(data[at:])
        if found.server[1:] == [b"krbtgt", b"TEST"]:
            return found.bytes
        at += len(found.bytes)


class Tgts:
    """The same TGT, which lives for life_s, in n caches."""

    QUESTION = struct.pack(">II", 1, 2) + principal("krbtgt", "TEST") + bytes(21)

    def __init__(self, c, kdc, n, life_s, **more):
        self.c, self.life_s, self.clients = c, life_s, {}
        self.asked = self.missing = self.expired = 0
        self.starts = set()
        self.caches = [(FIRST_USER + i // PER_USER, i) for i in range(n)]
        tgt = tgt_of(c, kdc, "-l", f"{life_s}s", "-r", "7d", **more)
        for user, i in self.caches:
            self._client(user).initialize(f"{user}:{i}")
            assert self._client(user).ask(STORE, name(f"{user}:{i}") + tgt)[0] == 0

    def _client(self, user):
        if user not in self.clients:
            self.clients[user] = Kcm(self.c, uid=user)
        return self.clients[user]

    def _ask(self, user, i):
        """Again, as the library does, when the other side went away."""
        while True:
            try:
                return self._client(user).ask(RETRIEVE, name(f"{user}:{i}") + self.QUESTION)
            except (Closed, ConnectionError):
                self.clients.pop(user).close()

    def look(self):
        """At each of them once."""
        self.starts = set()
        for user, i in self.caches:
            status, result = self._ask(user, i)
            self.asked += 1
            self.missing += status != 0
            if status == 0:
                found = Credential(result)
                self.expired += found.end <= time.time() - 1
                self.starts.add(found.start)

    def look_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.5)

    def all_good(self):
        """And each was renewed within its life."""
        return self.missing == self.expired == 0 and self.oldest_s() < self.life_s

    def oldest_s(self):
        return time.time() - min(self.starts, default=0)

    def __str__(self):
        return (
            f"{self.asked} asked, {self.missing} missing, {self.expired} expired; "
            f"the oldest is {self.oldest_s():.0f} s old"
        )
