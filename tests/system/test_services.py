# SPDX-License-Identifier: LGPL-2.1-or-later
"""services= × the socket's state × where the configuration stands: nothing ever fails (S1)."""
import pytest

from slapd import Slapd
from suite import Suite, sssd_conf

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"


@pytest.fixture(scope="module")
def machine(container):
    with container() as c:
        c.suite = Suite(c, Slapd(c).start())
        yield c


@pytest.mark.parametrize("where", ["/etc/sssd/sssd.conf", "/etc/sssd/conf.d/site.conf"])
@pytest.mark.parametrize("socket", ["enabled", "disabled", "masked"])
@pytest.mark.parametrize("services", [None, "nss", "nss, pam"])
def test_matrix(machine, services, socket, where):
    """It answers if it is named or its socket is enabled, and not masked; nothing fails."""
    suite = machine.suite
    suite.stop()
    machine.systemctl("unmask", "sssd-nss.socket")
    machine.systemctl("disable", "sssd-nss.socket", "sssd.service")
    if socket == "enabled":
        machine.systemctl("enable", "--now", "sssd-nss.socket")
    elif socket == "masked":
        machine.systemctl("mask", "sssd-nss.socket")
    machine.write(where, sssd_conf(services=services), 0o600)

    machine.systemctl("start", "sssd.service")
    answers = socket == "enabled" or (services and socket == "disabled")
    assert suite.passwd("alice") == (ALICE if answers else None)
    if services and answers:
        assert machine.show("sssd-nss.service", "ActiveState") == "active"
    assert machine.failed_units() == []

    machine.systemctl("restart", "sssd.service")
    assert suite.passwd("alice") == (ALICE if answers else None)
    assert machine.failed_units() == []
    if socket == "masked" and services:
        invocation = machine.show("sssd.service", "InvocationID")
        lines = machine.journal(
            f"_SYSTEMD_INVOCATION_ID={invocation}", "-t", "sssd_up"
        ).splitlines()
        assert sum("masked" in line for line in lines) == 1, lines


def test_named_service_answers_when_start_returns(machine):
    suite = machine.suite
    for _ in range(5):
        suite.stop()
        machine.systemctl("unmask", "sssd-nss.socket")
        suite.configure(services="nss")
        machine.sh("systemctl start sssd.service && getent passwd alice >/tmp/first")
        assert machine.read("/tmp/first") == ALICE + "\n"


def test_socket_and_service_restarted_in_any_order_keep_answering(machine):
    suite = machine.suite
    suite.stop()
    suite.start()
    for units in (
        ["sssd-nss.socket"],
        ["sssd-nss.service"],
        ["sssd-nss.socket", "sssd-nss.service"],
        ["sssd.service"],
        ["sssd-nss.service", "sssd.service", "sssd-nss.socket"],
    ):
        for _ in range(3):
            machine.systemctl("restart", *units)
            assert suite.passwd("alice") == ALICE, units
    assert machine.failed_units() == []
