# SPDX-License-Identifier: LGPL-2.1-or-later
"""What renewals survive: kills of sssd_kcm and of the helper at any moment, and a disk that is full, cost
no ticket."""
import os
import random
import time

import pytest

from disk import KCM_ON_EXT4, Ballast
from kcm import Kcm
from kdc import Kdc
from length import by_length
from load import Processes
from metrics import metrics
from tgts import Tgts
from watch import Log

CACHES = by_length(48, 500)
LIFE_S = by_length(28, 120)
LIVES = by_length(1.25, 4)
FULL_LIFE_S, TGTS = 40, 12
CONF = "[kcm]\ntgt_renewal = true\n"
ENABLE = [["systemctl", "enable", "sssd-kcm.socket"]]
ALICE, BOB = 4001, 4002


def start(c):
    """Renewals are on. Returns the KDC."""
    c.write("/etc/sssd/sssd.conf", CONF, 0o600)
    c.run(["/usr/libexec/sssd/sssd_conf", "--write"], check=False)
    kdc = Kdc(c).start()
    kdc.add("alice")
    return kdc


def test_kills_cost_no_ticket(container):
    """A conversation that was cut off is held again: three times and more before a ticket ends."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance, killed = random.Random(seed), 0
    with container(before=ENABLE) as c:
        kdc = start(c)
        tgts, processes = Tgts(c, kdc, CACHES, LIFE_S), Processes(c)
        end = time.monotonic() + LIFE_S * LIVES
        while time.monotonic() < end:
            tgts.look()
            time.sleep(chance.uniform(0.2, 1.5))
            killed += processes.kill(chance.choice(("sssd_kcm", "kcm_renew")))
        tgts.look()
        print(f"{killed} killed; {tgts}")
        assert tgts.all_good() and killed > LIFE_S / 4
        assert "damaged" not in c.journal("-u", "sssd-kcm.service")
        assert c.failed_units() == []


def store_until_full(c, ballast):
    """BOB's tickets take what LMDB has free in its file, too."""
    with Kcm(c, uid=BOB) as kcm:
        for size in (5000, 1000, 100):
            n = refused = 0
            while refused < 20:
                ballast.more()
                status = kcm.store("4002", f"{size}-{n}", ticket=b"t" * size)
                assert status in (0, 28), status  # ENOSPC
                refused, n = refused + 1 if status else 0, n + 1


# With so many addresses a TGT takes several pages in a row, and those that LMDB has left over in a full
# file are single ones. Renewals of smaller ones may well succeed there.
LARGE = "    noaddresses = false\n    extra_addresses = 127.0.0.1\n" + "".join(
    f"    extra_addresses = 10.0.{i}.1\n" for i in range(250)
)


def tried_in_vain(tgts, log):
    tgts.look()
    return "renewal of tickets: No space left on device" in log.text("sssd_kcm")


def renewed(c):
    return metrics(c)["sssd_renewals_total", "kcm-renew", "renewed"]


def test_a_full_disk_costs_no_ticket_and_renewals_wait_for_room(container):
    with container(files=KCM_ON_EXT4, before=ENABLE, ext4_mib=8) as c:
        kdc = start(c)
        for user in (ALICE, BOB):
            kdc.kinit("alice", user=user)
        conf = c.read("/etc/krb5.conf")
        c.write("/etc/krb5-large.conf", conf.replace("[realms]", LARGE + "[realms]"))
        large = {"KRB5_CONFIG": "/etc/krb5-large.conf"}
        log, tgts = Log(c), Tgts(c, kdc, TGTS, FULL_LIFE_S, env=large)
        with Ballast(c) as ballast:
            store_until_full(c, ballast)
            refused = kdc.kinit("alice", "-c", "KCM:4001:b", user=ALICE, env=large, check=False)
            assert refused.rc == 1 and "No space left on device" in refused.err, refused
            assert "krbtgt/TEST@TEST" in c.run(["klist"], user=ALICE).out
            tgts.look()
            before = tgts.starts
            c.wait_for("it is tried", lambda: tried_in_vain(tgts, log), FULL_LIFE_S * 0.6, step=0.5)
            tgts.look_for(2)
            assert tgts.starts == before and tgts.all_good(), tgts
        # Nobody asks: it is tried again all the same.
        c.wait_for("renewals", lambda: renewed(c) == TGTS, timeout=FULL_LIFE_S * 0.3, step=0.5)
        tgts.look()
        print(tgts)
        assert tgts.all_good() and not tgts.starts & before
        kdc.kinit("alice", "-c", "KCM:4001:b", user=ALICE, env=large)
        assert c.failed_units() == []
