# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wall clock is set forward or back by two years while everything runs: no idle, retry, expiry or
watchdog decision follows it (design section 3 "Time", section 9; FX-CLOCK of the field report).

Our processes read the clock through tests/fake/clockstep.c; everybody else's stays as it is."""
import pathlib
import re
import struct
import time

import pytest

from length import by_length
from load import Load, Processes
from slapd import Slapd
from suite import NOT_FOUND, Suite

YEARS_2 = 2 * 365 * 24 * 3600
STEPS = {"forward": YEARS_2, "back": -YEARS_2}
CLEAR = {"uri": "ldap://ldap.test", "ldap_id_use_start_tls": "false"}  # no certificate is valid that long
PINGED_S = by_length(25, 130)  # one ping (timeout = 20), or five
OFFLINE_S = by_length(3, None)  # seconds till the first attempt to be online again
FILE = "/etc/clockstep"
PRELOAD = "[Service]\nEnvironment=LD_PRELOAD=/usr/libexec/sssd-tests/clockstep.so\n"
UNITS = ("sssd.service", "sssd-nss.service")


class Clock:
    """What the processes of c think the time is."""

    def __init__(self, c):
        self.c = c

    def begin(self):
        """From their next start on."""
        self.c.sh(f"head -c 8 /dev/zero >{FILE}; chmod 644 {FILE}")
        for unit in UNITS:
            self.c.write(f"/etc/systemd/system/{unit}.d/clock.conf", PRELOAD)
        self.c.systemctl("daemon-reload")

    def set(self, offset_s):
        """Written in place: it is mapped."""
        with open(pathlib.Path(f"/proc/{self.c.pid}/root{FILE}"), "r+b") as file:
            file.write(struct.pack("=q", offset_s))


@pytest.fixture(scope="module")
def slapd(machine):
    return Slapd(machine, stats=True).start()


def begin(c, slapd):
    """The suite, started anew with the right time; alice is cached; suite.clock sets the clock."""
    c.systemctl("stop", *UNITS)
    c.sh("rm -rf /var/lib/sss/db/* /var/lib/sss/conf/*; rm -rf /run/systemd/system/sssd-nss.service.d")
    suite = Suite(c, slapd)
    suite.clock = Clock(c)
    suite.clock.begin()
    suite.start(sssd={"timeout": 20}, offline_timeout=OFFLINE_S, **CLEAR)
    c.wait_for("online", lambda: "LDAP: online" in status(suite))
    assert suite.id("alice")
    return suite


@pytest.fixture
def suite(machine, slapd):
    yield begin(machine, slapd)
    slapd.up()


def status(suite):
    return suite.c.show("sssd.service", "StatusText")


def pids(suite):
    return {name: tuple(suite.pids(name)) for name in Processes.NAMES}


def test_the_clock_of_our_processes_really_steps(suite):
    """Otherwise all of the others would prove nothing."""
    suite.clock.set(STEPS["back"])
    year = time.gmtime(time.time() - YEARS_2).tm_year
    suite.c.systemctl("stop", *UNITS)
    suite.configure(sssd={"debug_level": 9}, nss={"debug_level": 9}, debug_level=9, **CLEAR)
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    try:
        suite.c.systemctl("start", "sssd.service")
        assert suite.passwd("alice")
        for name in ("sssd", "sssd_nss", "sssd_LDAP"):
            text = suite.c.read(f"/var/log/sssd/{name}.log")
            assert re.search(rf"\(?{year}-", text), text[:500]
    finally:
        suite.c.sh("rm -f /etc/default/sssd /var/log/sssd/*")


@pytest.mark.parametrize("step", STEPS)
def test_what_is_fresh_stays_fresh(suite, step):
    searches = suite.slapd.searches()
    suite.clock.set(STEPS[step])
    for client in ("ours", "debian"):
        assert suite.passwd("alice", client=client)
        assert suite.id("alice", client=client) == (10001, 20001, {20001, 20002, 20004})
    assert suite.slapd.searches() == searches


@pytest.mark.parametrize("step", STEPS)
def test_what_expires_expires(suite, step):
    """An entry of 2 s lives as long as that, whatever the clock says, and not for ever."""
    suite.c.systemctl("stop", *UNITS)
    suite.configure(entry_cache_timeout=2, nss={"entry_cache_nowait_percentage": 0}, **CLEAR)
    suite.c.systemctl("start", "sssd.service")
    assert suite.passwd("bob")
    suite.clock.set(STEPS[step])
    time.sleep(2.5)
    searches = suite.slapd.searches()
    assert suite.passwd("bob")
    assert suite.slapd.searches() == searches + 1


@pytest.mark.parametrize("step", STEPS)
def test_unknown_names_are_remembered_as_long_as_ever(suite, step):
    suite.c.systemctl("stop", *UNITS)
    suite.configure(nss={"entry_negative_timeout": 3}, **CLEAR)
    suite.c.systemctl("start", "sssd.service")
    assert suite.getent("passwd", "nobody-here").rc == NOT_FOUND
    searches = suite.slapd.searches()
    suite.clock.set(STEPS[step])
    assert suite.getent("passwd", "nobody-here").rc == NOT_FOUND
    assert suite.slapd.searches() == searches
    time.sleep(3.5)
    assert suite.getent("passwd", "nobody-here").rc == NOT_FOUND
    assert suite.slapd.searches() == searches + 1


@pytest.mark.parametrize("step", STEPS)
def test_idle_exit_comes_when_it_is_due(suite, step):
    suite.c.systemctl("stop", "sssd-nss.service")
    suite.idle_exit(3000)
    assert suite.passwd("alice")
    begin = time.monotonic()
    suite.clock.set(STEPS[step])
    suite.c.wait_for("the idle exit", lambda: not suite.pids("sssd_nss"), timeout=10)
    assert 2.5 < time.monotonic() - begin < 6
    assert suite.passwd("alice")


def test_nobody_is_taken_for_dead(suite, container):
    """Under load; on two machines, one for each way."""
    with container() as c:
        suites = {"forward": suite, "back": begin(c, Slapd(c, stats=True).start())}
        before = {step: pids(suites[step]) for step in STEPS}
        how = {"clients": 2, "pause_us": 10000, "seconds": PINGED_S}
        loads = [Load(suites[step].c, "passwd", "alice", "bob", **how) for step in STEPS]
        time.sleep(1)
        for step in STEPS:
            suites[step].clock.set(STEPS[step])
        for load in loads:
            assert load.end().were_all_right()
        assert {step: pids(suites[step]) for step in STEPS} == before


@pytest.mark.parametrize("step", STEPS)
def test_online_again_in_time(suite, step):
    """Step while offline: the next try comes as if nothing had happened."""
    suite.slapd.down()
    suite.getent("passwd", "to-notice-it")
    suite.c.wait_for("offline", lambda: "LDAP: offline" in status(suite))
    suite.clock.set(STEPS[step])
    assert suite.passwd("alice")
    suite.slapd.up()
    suite.c.wait_for("online", lambda: "LDAP: online" in status(suite), timeout=30)


def test_earlier_clock_after_a_reboot_makes_entries_old_not_eternal(suite):
    """Another boot: only the wall clock is left to go by, and it says that they were made in the future."""
    c = suite.c
    suite.clock.set(STEPS["back"])
    c.reboot()
    suite.slapd.install()
    suite.slapd.up()
    c.wait_for("online", lambda: "LDAP: online" in status(suite), timeout=35)
    searches = suite.slapd.searches()
    assert suite.passwd("alice")
    assert suite.slapd.searches() == searches + 1
    suite.slapd.down()
    assert suite.passwd("alice")
