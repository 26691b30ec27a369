# SPDX-License-Identifier: LGPL-2.1-or-later
"""The KCM protocol byte by byte, as any user of a container.

    with Kcm(c, uid=4001) as kcm:
        kcm.initialize("4001")
        assert kcm.store("4001", "www", endtime) == 0
        assert kcm.retrieve("4001", "www") == (0, credential(...))
"""
import struct
import time

from peer import Peer

SOCKET = "run/.heim_org.h5l.kcm-socket"
GEN_NEW, INITIALIZE, DESTROY, STORE, RETRIEVE = 3, 4, 5, 6, 7
CRED_UUID_LIST, CRED_BY_UUID, CACHE_UUID_LIST, DEFAULT_CACHE, CRED_LIST = 9, 10, 18, 20, 13001
FCC_NOFILE, FCC_INTERNAL, CC_NOTFOUND, CC_IO = -1765328189, -1765328188, -1765328243, -1765328191
MESSAGE_MAX = 10 << 20


def data(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(text)) + text


def principal(*components, realm="TEST"):
    return struct.pack(">II", 1, len(components)) + data(realm) + b"".join(map(data, components))


def credential(server, endtime=None, ticket=b"ticket" * 100, key=b"k" * 32, client="alice"):
    """alice's ticket for host/SERVER; it ends in an hour."""
    endtime = int(time.time()) + 3600 if endtime is None else endtime
    return (
        principal(client)
        + principal("host", server)
        + struct.pack(">H", 18)
        + data(key)
        + struct.pack(">IIIIBIII", 1, 1, endtime, 0, 0, 0x40000000, 0, 0)
        + data(ticket)
        + data(b"")
    )


def tag(server):
    return struct.pack(">I", 2) + principal("host", server) + bytes(16 + 1 + 4)


def name(text):
    return text.encode() + b"\0"


def request(opcode, body=b"", length=None):
    """length: what it says about itself, instead of the truth."""
    return struct.pack(">IBBH", 4 + len(body) if length is None else length, 2, 0, opcode) + body


class Kcm(Peer):
    """One connection; uid None = root."""

    def __init__(self, c, uid=None, timeout=10):
        super().__init__(f"/proc/{c.pid}/root/{SOCKET}", uid, timeout)

    def reply(self):
        """(status, result)"""
        length, code = struct.unpack(">II", self.receive(8))
        assert code == 0 and 4 <= length <= MESSAGE_MAX
        body = self.receive(length)
        (status,) = struct.unpack(">i", body[:4])
        return status, body[4:]

    def ask(self, opcode, body=b""):
        self.send(request(opcode, body))
        return self.reply()

    def initialize(self, cache):
        status, _ = self.ask(INITIALIZE, name(cache) + principal("alice"))
        assert status == 0, status

    def store(self, cache, server, endtime=None, **more):
        return self.ask(STORE, name(cache) + credential(server, endtime, **more))[0]

    def retrieve(self, cache, server):
        return self.ask(RETRIEVE, name(cache) + struct.pack(">I", 1) + tag(server))

    def default(self):
        status, result = self.ask(DEFAULT_CACHE)
        assert status == 0 and result[-1:] == b"\0"
        return result[:-1].decode()

    def list(self, cache):
        """The credentials as bytes, or None if there is no such cache."""
        status, result = self.ask(CRED_LIST, name(cache))
        if status == CC_NOTFOUND:
            return None
        assert status == 0, status
        (count,), at, found = struct.unpack(">I", result[:4]), 4, []
        for _ in range(count):
            (size,) = struct.unpack(">I", result[at : at + 4])
            found.append(result[at + 4 : at + 4 + size])
            at += 4 + size
        assert at == len(result)
        return found
