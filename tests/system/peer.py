# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets of a container, connected to from the host's side as any user."""
import contextlib
import os
import socket


@contextlib.contextmanager
def as_uid(uid):
    """SO_PEERCRED of what is connected meanwhile."""
    if uid is not None:
        os.seteuid(uid)
    try:
        yield
    finally:
        if uid is not None:
            os.seteuid(0)


def connect(path, uid=None, timeout=10):
    """A socket connected to path, below /proc/PID/root of a container's init; uid None = root."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(timeout)
    # Through a directory descriptor: another uid may not follow /proc/PID/root, and a socket's
    # path has 107 bytes.
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        with as_uid(uid):
            connected.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
    except BaseException:
        connected.close()
        raise
    finally:
        os.close(directory)
    return connected


class Closed(Exception):
    """The other side closed the connection."""


class Peer:
    """A connection on which messages travel; it closes with its block."""

    def __init__(self, path, uid=None, timeout=10):
        self.socket = connect(path, uid, timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message):
        try:
            self.socket.sendall(message)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def receive(self, size):
        """So many bytes, neither more nor less."""
        received = b""
        while len(received) < size:
            try:
                piece = self.socket.recv(size - len(received))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed(f"after {len(received)} bytes of {size}")
            received += piece
        return received
