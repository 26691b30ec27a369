# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache is read while it is written, and while its writer is killed: every answer is one state
of its entry, the old one or the new one.

The writer is sssd_nss, and the entries change at the server (states.py). This shows that nobody waits, and
that no damage outlives a writer; a reader without its last look at a barrier would rarely be caught, for
a real writer is too slow: see tests/unit/common/memcache/test_mcmap.c, too."""
import random
import subprocess
import time

import pytest

from length import by_length
from load import Load, Processes
from memcache import CLIENTS, NO_SOCKET
from metrics import metrics
from slapd import Slapd
from states import KEYS, N_USERS, OPTIONS, USERS, Author
from suite import Suite

READERS = 64
READING_S = by_length(5, 60)
LONGEST_US = by_length(20000, 1000)  # what a host of virtual machines takes away counts, too
KILLS = by_length(10, 200)
KILL_READERS = 8
WRITES = 24  # pwrite(2) of an update, at most; of most fewer


@pytest.fixture(scope="module")
def changing(machine):
    """The suite, whose entries change, with all of them in the memory cache."""
    slapd = Slapd(machine, entries=(USERS, [])).start()
    suite = Suite(machine, slapd).start(**OPTIONS)
    with Author(slapd):
        calls = Load(machine, "passwd", *KEYS, whole=True).end()
        assert calls.were_all_right(2 * N_USERS), calls
        yield suite


def asking(c, clients=2):
    """Those for whom the writer writes: they ask past the memory cache."""
    return Load(
        c, "passwd", *KEYS, clients=clients, seconds=600, until_eof=True, whole=True, random=True,
        pause_us=500,
    )  # fmt: skip


def test_many_readers_and_a_writer(changing):
    """A reader waits for nobody, and goes round for nobody: no call gives its processor up, and none
    takes longer than 1 ms of it (20 in the short form). By the wall clock it also stands still while
    the kernel lets others of the many run, which is no business of the cache's: that is only told."""
    c = changing.c
    stored = stored_by(c)
    askers = asking(c)
    calls = Load(
        c, "passwd", *KEYS, clients=READERS, seconds=READING_S, whole=True, random=True, cpu=True,
        memory_cache=True, under=NO_SOCKET,
    ).end()  # fmt: skip
    asked = askers.stop()
    stored = stored_by(c) - stored
    print(f"{stored} records written, {calls}")
    assert asked.were_all_right(), asked
    assert stored > READING_S * 50
    assert calls.were_never_wrong() and calls.success > READING_S * 1000, calls
    assert calls.max_cpu_us < LONGEST_US, calls
    assert calls.waits == 0, calls


def stored_by(c):
    return metrics(c)["sssd_memory_cache_records_total", "nss", "stored"]


def kill_at_write(c, n):
    """The responder dies when it is at its nth write to a file from now on."""
    pid = c.wait_for("a responder", lambda: c.main_pid("sssd-nss.service"))
    return c.popen(
        ["strace", "-f", "-p", str(pid), "-o", "/dev/null", "-e", "trace=pwrite64",
         "-e", f"inject=pwrite64:signal=KILL:when={n}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_writer_is_killed_in_the_middle_of_an_update(changing):
    """Debian's client waits for 300 s when a kill comes between its handshake and its answer: it has
    no more than the memory cache."""
    c, chance = changing.c, random.Random(4)
    askers = asking(c)
    how = {"clients": KILL_READERS, "seconds": 600, "until_eof": True, "memory_cache": True}
    how |= {"whole": True, "random": True, "pause_us": 500}
    loads = {
        client: Load(c, "passwd", *KEYS, client=client, under=NO_SOCKET, **how)
        for client in CLIENTS
    }
    # Of the misses it waits for the next responder; one question that meets two kills ends with an
    # error.
    loads["ours, with the socket"] = Load(c, "passwd", *KEYS, **how)
    begin = time.monotonic()
    kills = 0
    for _ in range(2 * KILLS):
        # The one who traces ends with the one who is traced: 1 says that he had just gone.
        killer = kill_at_write(c, chance.randint(1, WRITES))
        kills += killer.wait(timeout=30) == 0
        if kills == KILLS:
            break
    assert kills == KILLS
    took = time.monotonic() - begin
    for client, load in loads.items():
        assert load.running()
        calls = load.stop()
        print(f"{client}, {KILLS} kills in {took:.0f} s: {calls}")
        assert calls.were_never_wrong() and calls.success > KILLS, calls
    asked = askers.stop()
    assert asked.were_never_wrong() and asked.success, asked
    c.wait_for("a responder", lambda: Processes(c).pids("sssd_nss"))
