# SPDX-License-Identifier: LGPL-2.1-or-later
"""What renewals survive: kills of sssd_kcm and of the helper at any moment cost no ticket."""
import os
import random
import time

import pytest

from kdc import Kdc
from length import by_length
from load import Processes
from tgts import Tgts

CACHES = by_length(48, 500)
LIFE_S = by_length(28, 120)
LIVES = by_length(1.25, 4)
CONF = "[kcm]\ntgt_renewal = true\nkrb5_renew_interval = 60s\n"


@pytest.fixture(scope="module")
def c(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        c.write("/etc/sssd/sssd.conf", CONF, 0o600)
        c.run(["/usr/libexec/sssd/sssd_conf", "--write"], check=False)
        yield c


def test_kills_cost_no_ticket(c):
    """A conversation that was cut off is held again: three times and more before a ticket ends."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance, killed = random.Random(seed), 0
    kdc = Kdc(c).start()
    kdc.add("alice")
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
