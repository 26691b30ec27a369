# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service manager for one responder and nothing else: quicker than systemd, and it counts.

It runs in the container, as this file read from standard input; Supervisor is the test's side.

    with Supervisor(c, idle_ms=15) as nss:
        …
    assert nss.exits >= 100 and nss.bad == []
"""
import json
import os
import select
import signal
import socket
import subprocess
import sys

PROGRAM = "/usr/libexec/sssd/sssd_nss"
SOCKET = "/run/sss/pipes/nss"


class Supervisor:
    """The nss socket of container c in our hands; systemd's own is stopped by then."""

    def __init__(self, c, idle_ms):
        self.c, self.idle_ms = c, idle_ms

    def __enter__(self):
        with open(__file__, encoding="utf-8") as file:
            code = file.read()
        self._process = self.c.popen(
            ["python3", "-c", code, self.idle_ms],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "listening\n"
        return self

    def count(self):
        """How often the responder has left by now."""
        self._process.stdin.write("count\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["exits"]

    def __exit__(self, *_):
        out, _ = self._process.communicate(timeout=30)
        # exits: how often it left by itself; bad: wait statuses that were not 0
        self.__dict__.update(json.loads(out.splitlines()[-1]))


def _serve(idle_ms):
    if os.path.lexists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o666)
    listener.listen(4096)
    listener.set_inheritable(True)
    command = [PROGRAM, f"--fd=nss={listener.fileno()}", f"--idle-exit-ms={idle_ms}"]
    environment = {"_SSS_LOOPS": "NO", "SYSTEMD_BYPASS_USERDB": "1"}
    ends, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    exits, bad, child = 0, [], 0
    print("listening", flush=True)

    def reap(options):
        nonlocal exits, child
        pid, status = os.waitpid(child, options)
        if pid:
            child = 0
            exits += status == 0
            if status:
                bad.append(status)

    while True:
        wanted = [sys.stdin, ends] + ([] if child else [listener])
        ready = select.select(wanted, [], [])[0]
        if ends in ready:
            os.read(ends, 100)
            if child:
                reap(os.WNOHANG)
        elif listener in ready:
            child = os.posix_spawn(PROGRAM, command, environment)
        elif sys.stdin in ready:
            if not sys.stdin.readline():
                break
            print(json.dumps({"exits": exits}), flush=True)

    if child:
        os.kill(child, signal.SIGTERM)
        reap(0)
    print(json.dumps({"exits": exits, "bad": bad}), flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
