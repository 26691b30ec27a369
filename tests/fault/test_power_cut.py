# SPDX-License-Identifier: LGPL-2.1-or-later
"""The power goes while the cache is written: what is on the disk at that instant, with the journal of its
file system, is what the next boot finds. Nothing but the last group is lost (design section 4).

    container A: slapd, suite, an ext4 of its own   ── copies of its image, between two writes ──┐
    container B, for each copy: another boot         ◀── mounted, the journal replayed ──────────┘
"""
import random
import threading
import time

import pytest

from container import Container
from disk import snapshot
from length import by_length
from load import Load, Processes
from slapd import Slapd, big
from suite import Suite, ours
from truth import Truth, all_right, never_wrong

SNAPSHOTS = by_length(3, 50)
DB_MIB = 24
BACK_S = 5
OPTIONS = {"entry_cache_timeout": 2, "entry_cache_nowait_percentage": 0}
USERS, GROUPS = big(1500, 20, 10)

# Each container has a boot id of its own, mounted over the kernel's; a /proc of its own hides that.
BOOT_ID = {
    "/etc/systemd/system/sssd.service.d/boot-id.conf": "[Service]\nProtectProc=default\n",
}


def edition(n):
    return f"edition {n}"


class Author(threading.Thread):
    """Changes the gecos of some users all the time, so that there is something new to write."""

    def __init__(self, slapd):
        super().__init__()
        self.slapd, self.editions, self.stopped = slapd, 0, threading.Event()

    def run(self):
        chance = random.Random(1)
        while not self.stopped.wait(0.2):
            self.editions += 1
            self.slapd.modify(
                "".join(
                    f"dn: uid={user.name},ou=people,dc=test\nchangetype: modify\n"
                    f"replace: gecos\ngecos: {edition(self.editions)}\n\n"
                    for user in chance.sample(USERS, 50)
                )
            )


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    """Paths of images, and the number of editions there were in all."""
    folder, chance = tmp_path_factory.mktemp("snapshots"), random.Random(2)
    with Container(install=[ours()], files=BOOT_ID, ext4_mib=DB_MIB) as c:
        slapd = Slapd(c, entries=(USERS, GROUPS)).start()
        suite = Suite(c, slapd).start(**OPTIONS)
        verdict = Truth(USERS).ask(c)
        assert all_right(verdict), verdict
        time.sleep(1)
        author = Author(slapd)
        load = Load(
            c, "passwd", "user%05u:1:1500", "joiner", clients=3, seconds=600, until_eof=True
        )
        author.start()
        try:
            for n in range(SNAPSHOTS):
                time.sleep(chance.uniform(0.2, 1.0))
                snapshot(c, folder / f"{n}.ext4", Processes.NAMES)
        finally:
            author.stopped.set()
            author.join()
        calls = load.stop()
        assert calls.failed == calls.notfound == 0, calls
        assert suite.c.journal("-t", "sssd_LDAP", "-o", "cat").count("damaged") == 0
    return folder, author.editions


@pytest.mark.parametrize("number", range(SNAPSHOTS))
def test_next_boot_finds_a_whole_cache(snapshots, number):
    folder, editions = snapshots
    truth = Truth(USERS, versions=map(edition, range(editions + 1)))
    image = folder / f"{number}.ext4"
    with Container(install=[ours()], files=BOOT_ID, ext4_from=image) as c:
        # Nobody answers at the server's address: what is told is what was stored.
        suite = Suite(c, None)
        suite.configure(**OPTIONS)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        begin = time.monotonic()
        c.systemctl("start", "sssd.service")
        for client in ("ours", "debian"):
            verdict = truth.ask(c, client=client)
            assert all_right(verdict), verdict
        assert all(Processes(c).pids(name) for name in Processes.NAMES)
        assert time.monotonic() - begin < BACK_S + 5
        journal = c.journal("-t", "sssd_LDAP", "-o", "cat")
        assert "checking it" in journal and "set aside" not in journal
        assert c.failed_units() == []

        # And it can be written to: another directory, where everybody is of the last edition.
        last = [user._replace(gecos=edition(editions + 1)) for user in USERS]
        Slapd(c, entries=(last, GROUPS)).start()
        c.systemctl("kill", "--signal=USR2", "--kill-whom=main", "sssd.service")
        c.wait_for(
            "online, and everything new",
            lambda: never_wrong(Truth(last).ask(c, [USERS[0].name])),
            timeout=35,
        )
        verdict = Truth(last).ask(c)
        assert all_right(verdict), verdict
