# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cache file gone, exchanged, of another owner or version, or on a full disk: every process is back
within 5 s, right or "unavailable", never wrong (design section 4, section 9)."""
import pathlib
import struct
import time

import pytest

from load import Processes
from slapd import Slapd, User, big, user_ldif
from suite import NOT_FOUND, Suite
from truth import Truth, all_right, never_wrong

DB = "/var/lib/sss/db"
FILE = f"{DB}/cache_LDAP.mdb"
BACK_S = 5
NAMES = [f"user{n:05}" for n in range(1, 301)]
COLD = [f"user{n:05}" for n in range(301, 401)]  # never asked for before they are


@pytest.fixture(scope="module")
def machine(container):
    """With a small disk for the cache, that a test may fill."""
    with container(ext4_mib=24) as c:
        yield c


@pytest.fixture(scope="module")
def slapd(machine):
    return Slapd(machine, entries=big(400, 10, 5)).start()


@pytest.fixture(scope="module")
def truth(slapd):
    return Truth(slapd.entries[0])


@pytest.fixture(scope="module")
def started(machine, slapd):
    return Suite(machine, slapd).start()


@pytest.fixture
def suite(started, truth):
    """All of NAMES cached, in a file of its own, nothing set aside."""
    c = started.c
    c.systemctl("stop", "sssd.service", "sssd-nss.service")
    c.sh(f"rm -rf {DB}/*; chown sssd:sssd {DB}")
    c.systemctl("start", "sssd.service")
    verdict = truth.ask(c, NAMES)
    assert all_right(verdict), verdict
    return started


def right_again(suite, truth, names=None, within_s=BACK_S):
    """All answers are, for both clients, in this time; none is wrong until then."""
    begin = time.monotonic()
    processes = Processes(suite.c)
    while True:
        verdicts = [truth.ask(suite.c, names or NAMES, client) for client in ("ours", "debian")]
        assert all(map(never_wrong, verdicts)), verdicts
        alive = [name for name in processes.NAMES if processes.pids(name)]
        if all(map(all_right, verdicts)) and len(alive) == len(processes.NAMES):
            break
        assert time.monotonic() < begin + within_s, (alive, verdicts)
        time.sleep(0.1)


# -- another file, or none -------------------------------------------------------------------------


def garbage(c):
    return f"head -c 100000 /dev/urandom >{FILE}.x"


def empty(c):
    return f": >{FILE}.x"


def own_copy(c):
    return f"cp {FILE} {FILE}.x"


def half_copy(c):
    return f"head -c 20000 {FILE} >{FILE}.x"


def of_another_domain(c):
    """As if somebody had mixed up two files."""
    return f"sed 's/LDAP/EVIL/' {FILE} >{FILE}.x"


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
@pytest.mark.parametrize("other", [garbage, empty, own_copy, half_copy, of_another_domain])
def test_exchanged_under_running_daemons(suite, truth, other, online):
    c = suite.c
    if not online:
        suite.slapd.down()
    c.sh(f"{other(c)}; chown sssd:sssd {FILE}.x; chmod 600 {FILE}.x; mv {FILE}.x {FILE}")
    if not online:
        verdict = truth.ask(c, NAMES)
        assert never_wrong(verdict) and verdict.slowest_ms < 5500, verdict
        suite.slapd.up()
        c.wait_for("online again", lambda: all_right(truth.ask(c, NAMES)), timeout=35)
    right_again(suite, truth)
    right_again(suite, truth, COLD)


@pytest.mark.parametrize("what", ["", "-lock", "-state", "*"])
def test_removed_under_running_daemons(suite, truth, what):
    suite.c.sh(f"rm -f {FILE}{what}")
    right_again(suite, truth)
    right_again(suite, truth, COLD)


@pytest.mark.parametrize("other", [garbage, empty, half_copy, of_another_domain])
def test_exchanged_while_at_rest(suite, truth, other):
    c = suite.c
    c.systemctl("stop", "sssd.service", "sssd-nss.service")
    c.sh(f"{other(c)}; mv {FILE}.x {FILE}")
    c.systemctl("start", "sssd.service")
    right_again(suite, truth)
    assert c.exists(f"{FILE}.damaged-1")


# -- of another version ----------------------------------------------------------------------------


def checksum(data, total=0):
    """That of common/cache/record.c."""
    mask = (1 << 64) - 1

    def mix(total, word):
        total = ((total ^ word) * 0x9E3779B97F4A7C15) & mask
        return total ^ total >> 32

    total = mix(total, len(data) + 1)
    whole = len(data) // 8 * 8
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        total = mix(total, word)
    return mix(total, int.from_bytes(data[whole:], "little"))


def raise_schema(path, schema):
    """Makes the header record say so; it stays whole: sum, schema, …, domain (record.h)."""
    data = bytearray(path.read_bytes())
    end = data.index(b"LDAP\0") + 5
    start = end - 5 - 12 - 8 - 8 - 4 - 4 - 8
    assert checksum(data[start + 8 : end], checksum(b"\0")) == struct.unpack_from("<Q", data, start)[0]
    while start > 0:
        struct.pack_into("<I", data, start + 8, schema)
        struct.pack_into("<Q", data, start, checksum(data[start + 8 : end], checksum(b"\0")))
        end = data.find(b"LDAP\0", end) + 5
        start = end - 5 - 12 - 8 - 8 - 4 - 4 - 8
    with open(path, "r+b") as file:
        file.write(data)


def test_file_of_a_newer_schema_under_its_own_name_is_left_alone(suite, truth):
    c = suite.c
    c.sh(f"echo of the future >{DB}/cache_LDAP.2.mdb")
    c.systemctl("restart", "sssd.service", "sssd-nss.service")
    right_again(suite, truth)
    assert c.read(f"{DB}/cache_LDAP.2.mdb") == "of the future\n"


@pytest.mark.parametrize("at_rest", [True, False], ids=["at rest", "running"])
def test_newer_schema_within_our_file(suite, truth, at_rest):
    """Nobody writes such a file; it is of no use, and does not keep the domain from working."""
    c = suite.c
    if at_rest:
        c.systemctl("stop", "sssd.service", "sssd-nss.service")
    raise_schema(pathlib.Path(f"/proc/{c.pid}/root{FILE}"), 7)
    if at_rest:
        c.systemctl("start", "sssd.service")
    else:
        for name in ("sssd_be", "sssd_nss"):
            Processes(c).kill(name)
    right_again(suite, truth)
    assert c.exists(f"{FILE}.damaged-1")


# -- of another owner ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [f"{DB}/*", DB], ids=["files", "folder"])
def test_wrong_owner_is_repaired_by_a_start(suite, truth, what):
    c = suite.c
    c.systemctl("stop", "sssd.service", "sssd-nss.service")
    c.sh(f"chown root:root {what}; chmod go-rwx {what}")
    c.systemctl("start", "sssd.service")
    right_again(suite, truth)
    assert not c.exists(f"{FILE}.damaged-1")


@pytest.mark.parametrize("what", [f"{DB}/*", DB], ids=["files", "folder"])
def test_wrong_owner_under_running_daemons(suite, truth, what):
    c = suite.c
    c.sh(f"chown root:root {what}; chmod go-rwx {what}")
    try:
        for name in ("sssd_be", "sssd_nss"):
            Processes(c).kill(name)
        for names in (NAMES, COLD[:5]):
            verdict = truth.ask(c, names)
            assert never_wrong(verdict) and verdict.slowest_ms < 5500, verdict
    finally:
        c.sh(f"chown sssd:sssd {what}")
    right_again(suite, truth)
    right_again(suite, truth, COLD)


# -- a full disk -----------------------------------------------------------------------------------


@pytest.fixture
def full(suite):
    """Not a block is left."""
    c = suite.c
    c.sh(f"dd if=/dev/zero of={DB}/filler bs=4096 2>/dev/null || :")
    yield suite
    c.sh(f"rm -f {DB}/filler")


def room(suite):
    suite.c.sh(f"rm -f {DB}/filler")


def test_full_disk_costs_only_what_is_new(full, truth):
    verdict = truth.ask(full.c, NAMES)
    assert all_right(verdict), verdict
    # There is some room in the file itself, so the first new ones may be stored.
    verdict = truth.ask(full.c, COLD)
    assert never_wrong(verdict) and verdict.slowest_ms < 1000, verdict
    new = [User(f"new{n:05}", 150000 + n, 200000, "x" * 2000, "/n", "/bin/sh") for n in range(500)]
    full.slapd.add("".join(user_ldif(user) for user in new))
    try:
        verdict = Truth(new).ask(full.c)
        assert never_wrong(verdict) and verdict.unavailable > 0, verdict
        assert verdict.slowest_ms < 1000, verdict
        right_again(full, truth)
        assert full.getent("passwd", "nobody-of-that-name").rc == NOT_FOUND
        room(full)
        right_again(full, Truth(new), [user.name for user in new])
    finally:
        full.slapd.delete(*(f"uid={user.name},ou=people,dc=test" for user in new))


@pytest.mark.parametrize("name", ["sssd_be", "sssd_nss", "sssd"])
def test_full_disk_and_a_process_that_must_start(full, truth, name):
    assert Processes(full.c).kill(name) == 1
    verdict = truth.ask(full.c, NAMES)
    assert all_right(verdict), verdict
    room(full)
    right_again(full, truth)
    right_again(full, truth, COLD)


def test_full_disk_and_no_file_yet(full, truth):
    """Nothing can be cached, so nothing can be answered: at once, and that is all."""
    c = full.c
    c.systemctl("stop", "sssd.service", "sssd-nss.service")
    c.sh(f"rm -f {FILE}*; dd if=/dev/zero of={DB}/filler2 bs=4096 2>/dev/null || :")
    c.systemctl("start", "sssd.service")
    verdict = truth.ask(c, NAMES[:20])
    assert never_wrong(verdict) and verdict.slowest_ms < 5500, verdict
    c.sh(f"rm -f {DB}/filler2")
    room(full)
    right_again(full, truth)
