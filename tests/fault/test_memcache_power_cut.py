# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power goes while the memory cache is written. Nobody syncs its files, so the next boot finds each
page of them as it was at one moment or another, or empty: a record may have the head of one entry and
the texts of another, and no reader could tell.

    container A: entries change (states.py)  ── two copies of the file, their pages mixed ──┐
    container B, for each mixture: another boot           ◀── that is what it finds ────────┘

So no path leads to the files of a boot that was not shut down, from the first moment of the next."""
import os
import pathlib
import random
import shutil
import struct
import time

import pytest

from length import by_length
from load import Load, Processes
from memcache import CLIENTS
from slapd import Slapd
from states import KEYS, OPTIONS, USERS, Author
from suite import Suite, ours

CUTS = by_length(3, 50)
PAGE = 4096
DATA_AT, SLOT_SIZE = 56, 40  # common/wire/memcache.h
FILE = "var/lib/sss/mc.files/passwd"


def copy(c):
    """The file at one instant."""
    (pid,) = Processes(c).pids("sssd_nss")
    Processes(c).kill("sssd_nss", 19)  # SIGSTOP
    try:
        return pathlib.Path(f"/proc/{pid}/root/{FILE}").read_bytes()
    finally:
        Processes(c).kill("sssd_nss", 18)  # SIGCONT


def fresh(data):
    """The same with records that are good for ten minutes more."""
    data, expires = bytearray(data), struct.pack("<Q", int(time.time()) + 600)
    for at in range(DATA_AT, len(data) - SLOT_SIZE, SLOT_SIZE):
        b1, b2 = data[at : at + 4], data[at + 36 : at + 40]
        if b1 == b2 and b1[3] == 0xF0:
            data[at + 8 : at + 16] = expires
    return bytes(data)


def mixed(old, new, chance):
    """Each page from one of them, a few of those that are new not written at all."""
    pages = []
    for at in range(0, len(new), PAGE):
        ways = [old[at : at + PAGE], new[at : at + PAGE]]
        if at > 0 and ways[0] != ways[1]:
            ways.append(bytes(len(ways[0])))
        pages.append(chance.choices(ways, weights=[10, 10, 1][: len(ways)])[0])
    return b"".join(pages)


@pytest.fixture(scope="module")
def cuts(container, tmp_path_factory):
    """Directories to be laid over a container: what a power cut has left."""
    folder, chance = tmp_path_factory.mktemp("cuts"), random.Random(5)
    with container() as c:
        slapd = Slapd(c, entries=(USERS, [])).start()
        Suite(c, slapd).start(**OPTIONS)
        options = {"clients": 2, "seconds": 600, "until_eof": True, "whole": True, "random": True}
        load = Load(c, "passwd", *KEYS, pause_us=500, **options)
        with Author(slapd):
            time.sleep(3)
            for n in range(CUTS):
                old = copy(c)
                time.sleep(chance.uniform(0.1, 1.0))
                path = folder / str(n) / FILE
                path.parent.mkdir(parents=True)
                path.write_bytes(mixed(fresh(old), fresh(copy(c)), chance))
                for directory in path.relative_to(folder).parents:
                    os.chmod(folder / directory, 0o755)
        assert load.stop().were_all_right()
    return folder


def ask(c, client):
    return Load(c, "passwd", *KEYS, client=client, whole=True, memory_cache=True).end()


@pytest.mark.parametrize("number", range(CUTS))
def test_next_boot_tells_nothing_that_never_was(container, cuts, number):
    with container(install=[ours(), cuts / str(number)]) as c:
        for client in CLIENTS:
            # Before anything of ours ran. In a container the boot's time is that of the machine: a
            # client cannot see that it is another boot.
            calls = ask(c, client)
            assert calls.success == calls.wrong == 0, calls

        # Restored from a backup, after sssd-memcache.service has removed what was there.
        c.systemctl("start", "sssd-memcache.service")
        assert not c.exists("/" + FILE) and c.exists("/var/lib/sss/mc/")
        shutil.copy(cuts / str(number) / FILE, f"/proc/{c.pid}/root/{FILE}")
        suite = Suite(c, Slapd(c, entries=(USERS, [])).start()).start(**OPTIONS)
        for client in CLIENTS + CLIENTS:
            calls = ask(c, client)
            assert calls.were_all_right(), calls
        assert suite.c.failed_units() == []
