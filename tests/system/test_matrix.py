# SPDX-License-Identifier: LGPL-2.1-or-later
"""services= × the socket's state × where the configuration stands (S1, S6).

In each cell the service answers if it is named or its socket is enabled, else the client hears at
once that nobody is there; no unit fails; there are never two responders. After `start`, after
`restart`, and after a boot without a server.
"""
import pytest

from load import ask
from slapd import Slapd
from suite import Suite, sssd_conf
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
UNITS = ["sssd.service", "sssd-nss.socket", "sssd-nss.service"]
MAIN, SNIPPET, VENDOR = (
    "/etc/sssd/sssd.conf",
    "/etc/sssd/conf.d/site.conf",
    "/usr/lib/sssd/sssd.conf",
)


@pytest.fixture(scope="module")
def machine(container):
    with container() as c:
        yield c


@pytest.fixture(scope="module")
def slapd(machine):
    return Slapd(machine).start()


@pytest.fixture
def suite(machine, slapd):
    """Stopped, nothing configured, enabled or masked."""
    suite = Suite(machine, slapd)
    suite.stop()
    machine.run(["rm", "-f", VENDOR])
    machine.systemctl("unmask", *UNITS)
    machine.systemctl("disable", "sssd-nss.socket", "sssd.service")
    slapd.up()
    return suite


def prepare(suite, services, socket, where):
    """Brings the machine into the state of a cell, as an administrator would."""
    c = suite.c
    c.write(where, sssd_conf(services=services), 0o600)
    c.systemctl("enable", "sssd.service")
    if socket == "enabled":
        c.systemctl("enable", "--now", "sssd-nss.socket")
    elif socket == "masked":
        c.systemctl("mask", "sssd-nss.socket")


def check(suite, answers):
    c = suite.c
    # Many at once, so that a second responder would have its chance.
    script = "for i in $(seq 20); do getent passwd alice & done; wait"
    lines = c.sh(script, check=False).out.splitlines()
    assert lines == ([ALICE] * 20 if answers else [])
    assert len(suite.pids("sssd_nss")) == (1 if answers else 0)
    assert c.failed_units() == []
    assert c.show("sssd.service", "ActiveState") == "active"
    if not answers:
        counts = ask(suite.c, "passwd", "alice", count=50)
        assert counts.unavail + counts.notfound == 50, counts
        assert counts.max_us < 10000, counts


@pytest.mark.parametrize("where", [MAIN, SNIPPET, VENDOR], ids=["main", "snippet", "vendor"])
@pytest.mark.parametrize("socket", ["enabled", "disabled", "masked"])
@pytest.mark.parametrize("services", [None, "nss"], ids=["unnamed", "named"])
def test_matrix(suite, services, socket, where):
    c = suite.c
    prepare(suite, services, socket, where)
    answers = socket == "enabled" or (socket == "disabled" and services == "nss")

    log = Log(c)
    c.systemctl("start", "sssd.service")
    if services and answers:  # before anybody asked
        assert c.show("sssd-nss.service", "ActiveState") == "active"
    warnings = [line for line in log.lines("sssd_up") if "masked" in line]
    assert len(warnings) == (1 if services and socket == "masked" else 0), log.text()
    check(suite, answers)

    c.systemctl("restart", "sssd.service")
    check(suite, answers)

    # The container's /run is new after a boot, and slapd's unit was there: no server now.
    c.reboot()
    check(suite, answers)
    suite.slapd.install()


def said_about_nss(suite, services):
    """What our programs say of nss while sssd.service starts, its socket being enabled."""
    suite.stop()
    prepare(suite, services, "enabled", MAIN)
    log = Log(suite.c)
    suite.c.systemctl("start", "sssd.service")
    lines = log.lines("sssd", "sssd_up", "sssd_conf")
    return [line for line in lines if "nss" in line]


def test_redundant_entry_costs_at_most_one_line(suite):
    assert len(said_about_nss(suite, "nss")) <= len(said_about_nss(suite, None)) + 1


def test_masked_service_with_an_open_socket_is_one_warning(suite):
    """The other half of the pair: nobody can be started, so nobody may wait for an answer."""
    c = suite.c
    c.systemctl("mask", "sssd-nss.service")
    suite.configure(services="nss")
    log = Log(c)
    c.systemctl("start", "sssd.service")
    assert sum("masked" in line for line in log.lines("sssd_up")) == 1, log.text()
    check(suite, False)


def test_service_that_is_not_built_is_named_and_nothing_fails(suite):
    c = suite.c
    prepare(suite, "nss, pam, sudo", "disabled", MAIN)
    log = Log(c)
    c.systemctl("start", "sssd.service")
    check(suite, True)
    for name in ("pam", "sudo"):
        assert any(name in line and "not implemented" in line for line in log.lines("sssd_conf"))


def test_named_service_does_not_leave_when_idle(suite):
    """services=nss means: keep it running."""
    c = suite.c
    prepare(suite, "nss", "disabled", MAIN)
    c.systemctl("start", "sssd.service")
    pid = c.main_pid("sssd-nss.service")
    c.run(["kill", "-9", str(pid)])
    c.wait_for("it is back", lambda: c.main_pid("sssd-nss.service") not in (0, pid))
    assert suite.passwd("alice") == ALICE
    assert c.failed_units() == []
