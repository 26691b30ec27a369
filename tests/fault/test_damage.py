# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cache file, damaged: pages overwritten, its end cut off. Every process is back within 5 s, and
every answer is right or "unavailable".

Design section 4: LMDB has no checksums. A record proves itself; what is not there is believed when
its neighbours are sound; a crash marks the file. A file that is suspect is walked by a child, and
what that one objects to is set aside as .damaged-1, with one line in the log."""
import os
import pathlib
import random
import signal
import struct

import pytest

from length import by_length
from load import Load, Processes
from slapd import Slapd, big, user_dn
from suite import Suite
from truth import Truth, all_right, never_wrong
from watch import Log

FILE = "/var/lib/sss/db/cache_LDAP.mdb"
GOLDEN = "/var/tmp/golden"
PAGE = 4096
BACK_S = 5
ROUNDS = by_length(15, 100)
KINDS = ("random", "zeros", "ones", "another page", "a few bits", "cut")
SAMPLE = by_length(2000, 18000)  # users asked for when each costs a question to the server


class CacheFile:
    """The cache file of container c, seen from outside."""

    def __init__(self, c):
        self.path = pathlib.Path(f"/proc/{c.pid}/root{FILE}")

    def pages(self):
        """How many are in use, by the newer of the two meta pages (lmdb 0.9: mm_last_pg, mm_txnid)."""
        with open(self.path, "rb") as file:
            metas = [struct.unpack_from("<QQ", file.read(PAGE), 136)[::-1] for _ in range(2)]
        return max(metas)[1] + 1

    def damage(self, kind, chance):
        """Does it to a page by chance; returns what was done."""
        pages = self.pages()
        page = chance.randrange(pages)
        with open(self.path, "r+b") as file:
            if kind == "cut":
                size = page * PAGE + chance.randrange(PAGE)
                file.truncate(size)
                return f"cut at {size}"
            file.seek(page * PAGE)
            old = file.read(PAGE)
            file.seek((chance.randrange(pages)) * PAGE)
            new = {
                "random": chance.randbytes(PAGE),
                "zeros": bytes(PAGE),
                "ones": b"\xff" * PAGE,
                "another page": file.read(PAGE),
                "a few bits": flip(old, chance),
            }[kind]
            file.seek(page * PAGE)
            file.write(new)
        return f"page {page} of {pages}: {kind}"


def flip(old, chance):
    new = bytearray(old)
    for _ in range(8):
        new[chance.randrange(64 if chance.random() < 0.5 else PAGE)] ^= 1 << chance.randrange(8)
    return bytes(new)


@pytest.fixture(scope="module")
def slapd(machine):
    users, groups = big(18000, 2000)
    return Slapd(machine, entries=(users, groups)).start()


@pytest.fixture(scope="module")
def suite(machine, slapd):
    """10 MiB of cache, and a copy of it in GOLDEN."""
    how = {"entry_cache_timeout": 100000, "offline_timeout": 3, "offline_timeout_random_offset": 0}
    suite = Suite(machine, slapd).start(**how)
    names = [user.name for user in slapd.entries[0]]
    for kind, keys in (
        ("passwd", names),
        ("group", [group.name for group in slapd.entries[1]]),
        ("initgroups", names[:14000]),
    ):
        calls = Load(machine, kind, *keys, clients=4, count=-(-len(keys) // 4)).end()
        assert calls.failed == calls.wrong == 0, calls
    rest(suite)
    assert CacheFile(machine).pages() * PAGE >= 10 << 20
    machine.sh(f"mkdir {GOLDEN}; cp -a /var/lib/sss/db/. {GOLDEN}/")
    return suite


@pytest.fixture(scope="module")
def truth(slapd):
    return Truth(slapd.entries[0])


def rest(suite):
    """All daemons end in order; the socket stays."""
    suite.c.systemctl("stop", "sssd.service", "sssd-nss.service")


def back_to_golden(suite):
    """The whole cache again, in a file of its own, checked and in use."""
    rest(suite)
    suite.c.sh(f"rm -f /var/lib/sss/db/*; cp -a {GOLDEN}/. /var/lib/sss/db/")
    suite.c.systemctl("start", "sssd.service")
    online(suite)
    assert suite.passwd("user00001")


def online(suite):
    """Waits until the cache has been checked and opened and the server reached."""
    suite.c.wait_for(
        "the domain is online",
        lambda: "online since" in suite.c.show("sssd.service", "StatusText"),
        timeout=35,
    )


def all_alive(suite):
    processes = Processes(suite.c)
    return suite.c.wait_for(
        "every process is back",
        lambda: all(processes.pids(name) for name in processes.NAMES),
        timeout=BACK_S,
    )


def lines(suite, text):
    suite.c.run(["journalctl", "--sync"])
    return suite.c.journal("-t", "sssd_LDAP", "-o", "cat").count(text)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_damage_never_makes_an_answer_wrong(suite, truth, number):
    """While the daemons run or while they rest; with the server there or away."""
    chance = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    running, online = number % 2 == 0, number % 4 < 2
    back_to_golden(suite)
    c, restarts = suite.c, int(suite.c.show("sssd-nss.service", "NRestarts"))
    aside = lines(suite, "set aside")
    if not running:
        rest(suite)
    if not online:
        suite.slapd.down()
    try:
        what = CacheFile(c).damage(kind, chance)
        what += f", {'running' if running else 'at rest'}, {'online' if online else 'offline'}"
        print(what)
        if not running:
            c.systemctl("start", "sssd.service")

        names = chance.sample(sorted(truth.users), SAMPLE) if online else None
        for verdict in (truth.ask(c, names, "ours"), truth.ask_by_id(c, names, "debian")):
            assert never_wrong(verdict) and verdict.slowest_ms < BACK_S * 1000 + 500, verdict
            all_alive(suite)
        if online:
            # Debian's client does not repeat a question that was under way at a crash.
            crashes = int(c.show("sssd-nss.service", "NRestarts")) - restarts
            assert verdict.unavailable <= crashes, verdict
    finally:
        if not online:
            suite.slapd.up()

    # It is over: no crash leads to the next.
    assert int(c.show("sssd-nss.service", "NRestarts")) - restarts <= 2
    assert lines(suite, "set aside") - aside == c.exists(f"{FILE}.damaged-1") <= 1
    c.wait_for(
        "online again", lambda: suite.passwd("user00002", timeout=10) is not None, timeout=35
    )
    verdict = truth.ask(c, chance.sample(sorted(truth.users), 200))
    assert all_right(verdict), verdict


def test_check_that_is_stopped_has_not_found_damage(suite, truth):
    """A backup that was restored is checked first; whoever stops the suite meanwhile does not lose it."""
    c = suite.c
    for n in range(by_length(10, 40)):
        rest(suite)
        c.sh(f"rm -f /var/lib/sss/db/*; cp -a {GOLDEN}/. /var/lib/sss/db/")
        c.sh(
            f"systemctl start sssd.service & sleep 0.{4 + n % 20:02}; "
            "systemctl stop sssd.service; wait $! || :"
        )
    assert not c.exists(f"{FILE}.damaged-1")
    suite.slapd.down()
    try:
        c.systemctl("start", "sssd.service")
        verdict = truth.ask(c)
        assert all_right(verdict), verdict
    finally:
        suite.slapd.up()


# What finds it, and how the domain is configured then.
FINDERS = {
    "a list": {"enumerate": "true", "ldap_enumeration_refresh_timeout": 1, "ldap_enumeration_refresh_offset": 0},
    "a purge": {"entry_cache_timeout": 5, "ldap_purge_cache_timeout": 1, "ldap_purge_cache_offset": 0},
}


@pytest.mark.parametrize("finder, gone", [("a list", False), ("a list", True), ("a purge", False)])
def test_damage_is_found_by_work_that_nobody_waits_for(container, finder, gone):
    """A record that nobody asks for, of a user who is there or has gone: the process ends, the file is
    checked and set aside, and the work goes on with a new one."""
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start(debug_level=6, **FINDERS[finder])
        online(suite)
        assert suite.passwd("carol").split(":")[5] == "/home/carol"
        if finder == "a list":
            c.wait_for("a list", lambda: "enumerated" in c.journal())
        log, [backend] = Log(c), Processes(c).pids("sssd_be")
        os.kill(backend, signal.SIGSTOP)
        path = CacheFile(c).path
        data = path.read_bytes()
        assert b"/home/carol" in data
        with open(path, "r+b") as file:
            file.write(data.replace(b"/home/carol", b"/home/coral"))
        if gone:
            suite.slapd.delete(user_dn("carol"))
        os.kill(backend, signal.SIGCONT)
        c.wait_for("it is found", lambda: "found damaged: ending" in log.text(), timeout=15)
        c.wait_for("it is checked", lambda: "set aside" in log.text(), timeout=15)
        online(suite)
        assert (suite.passwd("carol") is None) == gone
        assert Processes(c).pids("sssd_be") != [backend]
