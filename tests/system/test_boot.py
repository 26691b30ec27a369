# SPDX-License-Identifier: LGPL-2.1-or-later
"""Booting with sss in nsswitch.conf, a filled cache, no server and no network (S3, S4, S12).

Everything that looks up a user while the system comes up asks us, in front of the files or behind
them, through our client library or Debian's. Nothing may wait, nothing may fail.
"""
import statistics

import pytest

from length import by_length
from slapd import Slapd
from suite import LIBRARY, Suite

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
SLOWER_S = 1.0  # than the same boot without us
BUDGET_S = 5.0  # of a question about a user (design §3)

# As early as can be: before sysinit.target, which is before everything else.
EARLY = """
[Unit]
DefaultDependencies=no
After=sssd-nss.socket
Before=nss-user-lookup.target sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'for key in alice 10001 root nobody-at-all; do getent passwd $$key; done; id alice; true'
StandardOutput=file:/var/early
StandardError=file:/var/early
[Install]
WantedBy=sysinit.target
"""

# What an administrator writes who wants a daemon to run as a user of the directory.
DAEMON = """
[Unit]
After=nss-user-lookup.target
[Service]
User=bob
Group=devs
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def machine(container):
    """Alice and Bob are cached, and the server is gone for good: its unit was in /run."""
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start()
        assert suite.passwd("alice") == ALICE and suite.passwd("bob")
        assert suite.group("devs") and suite.group("workers")
        assert suite.id("alice") == (10001, 20001, {20001, 20002, 20004})
        assert suite.id("bob") == (10002, 20001, {20001, 20002, 20006})
        c.write("/etc/systemd/system/early.service", EARLY)
        c.write("/etc/systemd/system/daemon.service", DAEMON)
        c.systemctl("enable", "early.service")
        c.run(["cp", f"/{LIBRARY}", "/root/ours.so"])
        yield c


@pytest.fixture
def suite(machine):
    return Suite(machine)


def prepare(c, order, client):
    """order: what nsswitch.conf says of users and groups; client: whose library the system has."""
    c.sh(f"sed -i -E 's/^(passwd|group):.*/\\1: {order}/' /etc/nsswitch.conf")
    source = "/root/ours.so" if client == "ours" else "/opt/debian-client/libnss_sss.so.2"
    c.run(["cp", "--remove-destination", source, f"/{LIBRARY}"])


def boot_s(c):
    """Boots; seconds until multi-user.target, as systemd counts them."""
    c.reboot()
    begin = int(c.systemctl("show", "--value", "-p", "UserspaceTimestampMonotonic").out)
    end = int(c.show("multi-user.target", "ActiveEnterTimestampMonotonic"))
    assert end > begin
    return (end - begin) / 1e6


@pytest.fixture(scope="module")
def without_us(machine):
    """The median boot of the same machine with nothing of ours in it."""
    c = machine
    c.systemctl("disable", "sssd-nss.socket", "sssd.service", "early.service", "sssd-kcm.socket")
    prepare(c, "files", "ours")
    times = [boot_s(c) for _ in range(by_length(3, 10))]
    c.systemctl("enable", "sssd-nss.socket", "early.service", "sssd-kcm.socket")
    return statistics.median(times)


def assert_booted(suite):
    """Nothing failed, and the cached users were there from the first moment."""
    c = suite.c
    assert c.failed_units() == []
    assert c.systemctl("is-system-running").out.strip() == "running"
    early = c.read("/var/early").splitlines()
    assert early[:2] == [ALICE, ALICE]
    assert early[2].startswith("root:")
    assert early[3].startswith("uid=10001(alice) gid=20001(workers)"), early
    assert suite.passwd("alice") == ALICE
    assert suite.passwd("nobody-at-all") is None
    assert c.show("sssd.service", "ActiveState") == "active"
    # Whose socket this is had to be looked up.
    assert c.sh("stat -c '%a %U' /run/sssd-kcm/renew").out == "600 sssd\n"
    # The probe ended before the target was reached.
    assert int(c.show("early.service", "ExecMainExitTimestampMonotonic")) < int(
        c.show("nss-user-lookup.target", "ActiveEnterTimestampMonotonic")
    )


@pytest.mark.parametrize("client", ["ours", "debian"])
@pytest.mark.parametrize("order", ["sss files", "files sss"])
def test_boot_without_network(suite, without_us, order, client):
    c = suite.c
    prepare(c, order, client)
    c.systemctl("enable", "daemon.service")
    try:
        for _ in range(by_length(2, 100)):
            c.run(["rm", "-f", "/var/early"])
            took = boot_s(c)
            assert took <= without_us + SLOWER_S, (took, without_us)
            assert_booted(suite)
            # The daemon of a cached user runs, with his groups.
            status = c.read(f"/proc/{c.main_pid('daemon.service')}/status")
            assert "Uid:\t10002\t" in status and "Gid:\t20002\t" in status
            groups = status.split("Groups:")[1].splitlines()[0].split()
            assert {20001, 20002, 20006} >= set(map(int, groups)) >= {20002, 20006}
    finally:
        c.systemctl("disable", "daemon.service")


def test_boot_with_the_service_named(suite, without_us):
    """services = nss: the root step after the monitor starts what the socket has started already."""
    c = suite.c
    prepare(c, "sss files", "ours")
    suite.configure(services="nss")
    assert boot_s(c) <= without_us + SLOWER_S
    assert_booted(suite)
    assert len(suite.pids("sssd_nss")) == 1
    suite.configure()


def test_boot_with_a_server_that_is_silent(suite, without_us):
    """It accepts and says nothing. A name nobody ever saw (dbus-daemon asks for some) may cost the
    budget of one question, and then the domain is offline; nothing else waits."""
    c = suite.c
    prepare(c, "sss files", "debian")
    c.write(
        "/etc/systemd/system/silent.socket",
        "[Socket]\nListenStream=127.0.0.7:636\nAccept=no\n[Install]\nWantedBy=sockets.target\n",
    )
    c.write("/etc/systemd/system/silent.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    c.systemctl("enable", "silent.socket")
    suite.configure(uri="ldaps://127.0.0.7")
    try:
        assert boot_s(c) <= without_us + SLOWER_S + BUDGET_S
        assert_booted(suite)
    finally:
        c.systemctl("disable", "--now", "silent.socket")
        suite.configure()


def test_boot_with_a_configuration_that_was_broken(suite, without_us):
    """sssd.service fails and says why; the users who are cached are there all the same."""
    c = suite.c
    prepare(c, "sss files", "ours")
    suite.configure("[sssd]\nnonsense\n")
    try:
        assert boot_s(c) <= without_us + SLOWER_S
        assert c.failed_units() == ["sssd.service"]
        assert suite.passwd("alice") == ALICE
        assert suite.passwd("alice", client="debian") == ALICE
    finally:
        suite.configure()
        c.systemctl("reset-failed")


def test_boot_that_makes_the_service_user(suite, without_us):
    """Not in /etc/passwd yet when the first question comes: systemd-sysusers is one who asks."""
    c = suite.c
    prepare(c, "sss files", "debian")
    c.sh("sed -i '/^sssd:/d' /etc/passwd /etc/group /etc/shadow /etc/gshadow")
    assert boot_s(c) <= without_us + SLOWER_S
    assert c.failed_units() == []
    assert c.show("sssd-nss.socket", "ActiveState") == "active"
    c.wait_for("alice is known", lambda: suite.passwd("alice") == ALICE, timeout=5)
    (pid,) = suite.pids("sssd_nss")
    uid = c.run(["id", "-u", "sssd"]).out.strip()
    assert f"Uid:\t{uid}\t{uid}" in c.read(f"/proc/{pid}/status")


def test_boot_of_an_installed_and_never_configured_package(container, without_us):
    """Enabled by preset, no sssd.conf: nothing runs, nothing fails, nothing waits."""
    with container(before=[["systemctl", "enable", "sssd-nss.socket"]]) as c:
        prepare(c, "sss files", "debian")
        assert boot_s(c) <= without_us + SLOWER_S
        assert c.failed_units() == []
        assert c.show("sssd.service", "ActiveState") == "inactive"
        assert c.run(["getent", "passwd", "alice"], check=False).rc == 2
