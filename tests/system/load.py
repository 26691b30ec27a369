# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients at work while something is done to the daemons: nsscall in the container, and counts."""
import json
import os
import pathlib
import signal
import subprocess

NSSCALL = "/usr/libexec/sssd-tests/nsscall"
LIBRARY = {"ours": "libnss_sss.so.2", "debian": "/opt/debian-client/libnss_sss.so.2"}
LONGEST = 600  # seconds; a steady load that outlives its block ends by itself
WINDOW = 1.5  # seconds of one measurement of p99()
NO_MEMORY_CACHE = {"SSS_NSS_USE_MEMCACHE": "NO"}


class Load:
    """nsscall, running. Options are its own: clients=4, seconds=2, pause_us=500, fresh=True …
    It asks past the memory cache, unless memory_cache. under: a command that runs it.

    calls = Load(c, "passwd", "alice", "bob", client="debian", seconds=5).end()
    assert calls.failed == 0

    with steady(c, "passwd", "alice", "bob") as load:
        c.systemctl("reload", "sssd.service")
    assert load.calls.were_all_right(), load.calls
    """

    def __init__(
        self, c, kind, *keys, client="ours", user=None, memory_cache=False, under=(), **options
    ):
        self.calls = None
        self._seconds = 0 if options.get("until_eof") else float(options.get("seconds", 60))
        words = [*under, NSSCALL, f"--library={LIBRARY[client]}"]
        for name, value in options.items():
            option = "--" + name.replace("_", "-")
            words.append(option if value is True else f"{option}={value}")
        self._process = c.popen(
            [*words, kind, *map(str, keys)],
            user=user,
            env=None if memory_cache else NO_MEMORY_CACHE,
            stdin=subprocess.PIPE if options.get("until_eof") else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def running(self):
        return self._process.poll() is None

    def stop(self):
        """Ends it before its time (option until_eof); returns what came of the calls so far."""
        return self.end()  # communicate() closes its standard input

    def end(self, patience=60):
        """Waits for the last call, so many seconds longer than they should take; returns what came
        of them, and keeps it as `calls`."""
        try:
            out, _ = self._process.communicate(timeout=self._seconds + patience)
        except BaseException as problem:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            if isinstance(problem, subprocess.TimeoutExpired):
                raise AssertionError(f"a call did not come back: {self._process.args}") from None
            raise
        assert self._process.returncode == 0, out
        *printed, counts = out.splitlines()
        self.calls = Calls(json.loads(counts), printed)
        return self.calls


class Calls:
    """What nsscall counted, its JSON as attributes; printed: the lines of print=True."""

    def __init__(self, counts, printed):
        self.__dict__.update(counts)
        self.printed = printed
        self.failed = self.unavail + self.tryagain

    def __repr__(self):
        lists = ("printed", "failures")
        return repr({name: value for name, value in vars(self).items() if name not in lists})

    def were_all_right(self, at_least=1):
        """Every call was answered, with the truth."""
        bad = self.failed + self.wrong + self.notfound
        return self.success == self.calls >= at_least and bad == 0

    def were_never_wrong(self):
        """What got no answer got an error: never a wrong one, never "there is no such user"."""
        return self.success + self.failed == self.calls and self.wrong == 0


def ask(c, kind, *keys, **options):
    """Asked and counted: unlike getent(1) it tells "not found" from "cannot tell"."""
    return Load(c, kind, *keys, **options).end()


def steady(c, kind, *keys, rate=200, clients=4, **options):
    """`rate` lookups a second, all clients together, until the block ends."""
    every_us = clients * 1000000 // rate
    options.setdefault("seconds", LONGEST)
    return Load(
        c, kind, *keys, clients=clients, every_us=every_us, until_eof=True, failures=True, **options
    )


def p99(c, **options):
    """The p99 in microseconds of an uninvolved user's cached lookups, right now."""
    calls = Load(
        c, "passwd", "alice", "bob", user=4000, clients=2, seconds=WINDOW, pause_us=400, **options
    ).end()
    assert calls.were_all_right(100), calls
    return calls.p99_us


class Processes:
    """Our daemons in container c, by the pids of this machine: quick to find and to kill."""

    NAMES = ("sssd", "sssd_be", "sssd_nss")

    def __init__(self, c):
        self.c = c

    def pids(self, name):
        """sssd_nss and sssd are children of the container's init; sssd_be is one of sssd."""
        parents = [self.c.pid] if name != "sssd_be" else self.pids("sssd")
        return [pid for parent in parents for pid in _children(parent) if _comm(pid) == name]

    def kill(self, name, sig=signal.SIGKILL):
        """How many there were."""
        n = 0
        for pid in self.pids(name):
            try:
                os.kill(pid, sig)
                n += 1
            except ProcessLookupError:
                pass
        return n

    def memory_kib(self, name):
        """Anonymous memory of the one process with this name."""
        (pid,) = self.pids(name)
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0])


def _children(pid):
    try:
        return list(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def _comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""
