# SPDX-License-Identifier: LGPL-2.1-or-later
"""The unit files: what systemd thinks of them, and what they promise without any configuration."""
import re

import pytest

UNITS = [
    "sssd.service",
    "sssd-nss.socket",
    "sssd-nss.service",
    "sssd-memcache.service",
    "sssd-kcm.socket",
    "sssd-kcm.service",
    "sssd-kcm-due.service",
    "sssd-kcm.timer",
    "sssd-kcm-renew.socket",
    "sssd-kcm-renew.service",
    "sssd-ldap-child.socket",
    "sssd-ldap-child.service",
]


def test_systemd_analyze_verify_is_clean(machine):
    result = machine.run(["systemd-analyze", "verify", "--man=no", *UNITS], check=False)
    assert (result.rc, result.out + result.err) == (0, "")


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_exposure_is_at_most_2(machine, unit):
    out = machine.run(["systemd-analyze", "security", "--no-pager", unit]).out
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", out)[1]) <= 2.0, out


def test_the_memory_cache_may_be_given_away_on_every_machine(machine):
    """Where there is no chown(2), as on aarch64, the C library's chown() is fchownat(2)."""
    # systemctl(1) tells of a list of what is allowed, or of one of what is not.
    calls = machine.show("sssd-memcache.service", "SystemCallFilter").removeprefix("~").split()
    assert calls and not {"chown", "fchownat"} & set(calls)


def test_nss_service_names_no_user(machine):
    """systemd would look it up, and wait for this very service (systemd-notes, 1)."""
    for name in (
        "User",
        "Group",
        "SupplementaryGroups",
        "DynamicUser",
        "StateDirectory",
        "ExecStartPre",
    ):
        assert machine.show("sssd-nss.service", name) in ("", "no"), name
    for name in ("SocketUser", "SocketGroup"):
        assert machine.show("sssd-nss.socket", name) == ""


@pytest.mark.parametrize("unit", ["sssd-nss", "sssd-kcm"])
def test_responder_sees_a_read_only_tree(machine, unit):
    """All but the directories that its own ones may be replaced in while it runs."""
    machine.systemctl("start", f"{unit}.socket", f"{unit}.service")
    pid = machine.show(f"{unit}.service", "MainPID")
    paths = "/ /etc /usr /home /root /tmp /dev /dev/shm /run /proc /var /var/lib /var/log".split()
    look = ["sh", "-c", 'for path; do test -w "$path" && echo "$path"; done; true', "look", *paths]
    assert machine.run(look).out.split() == paths
    inside = machine.run(["nsenter", "-m", "-t", pid, *look])
    assert inside.out.split() == ["/var/lib", "/var/log"]
    ours = ["sh", "-c", "touch /run/sssd/metrics/x && rm /run/sssd/metrics/x"]
    machine.run(["nsenter", "-m", "-t", pid, *ours])


HELPERS = {
    "sssd-ldap-child": "/run/sssd-be/ldap-child",
    "sssd-kcm-renew": "/run/sssd-kcm/renew",
}

HIDDEN = {
    "sssd-nss": ("/run/sssd-be/ldap-child", "/run/sssd-kcm/renew"),
    "sssd-kcm": ("/run/sssd-be/ldap-child",),
    "sssd-kcm-renew": ("/run/sssd-be/ldap-child",),
    "sssd-ldap-child": ("/run/sssd-be/ldap-child", "/run/sssd-kcm/renew"),
}


def assert_out_of_reach(machine, unit, *paths):
    """For our user in the service's view of the tree, and not in everybody else's."""
    connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    ours = ["setpriv", "--reuid=sssd", "--regid=sssd", "--clear-groups", "/usr/bin/python3", "-c", connect]
    pid = machine.show(f"{unit}.service", "MainPID")
    for path in paths:
        machine.run([*ours, path])
        inside = machine.run(["nsenter", "-m", "-t", pid, *ours, path], check=False)
        assert inside.rc != 0 and "PermissionError" in inside.err, inside


@pytest.mark.parametrize("unit", HIDDEN)
def test_helpers_are_for_those_they_help(machine, unit):
    """Whoever is our user may ask them, and all daemons are: they cannot reach the others'."""
    machine.systemctl("start", "sssd-kcm-renew.socket", "sssd-ldap-child.socket")
    machine.systemctl("restart", f"{unit}.service")
    assert_out_of_reach(machine, unit, *HIDDEN[unit])


@pytest.mark.parametrize("helper, path", HELPERS.items())
def test_the_first_to_start_does_not_reach_a_helper_that_comes_later(machine, helper, path):
    machine.systemctl("stop", f"{helper}.socket", f"{helper}.service", "sssd-nss.service")
    machine.sh(f"rm -r $(dirname {path})")
    machine.systemctl("start", "sssd-nss.service")
    machine.systemctl("start", f"{helper}.socket")
    assert_out_of_reach(machine, "sssd-nss", path)


def test_no_responder_waits_for_the_monitor(machine):
    """It would be a dead-lock: sssd.service starts them and waits."""
    for unit in UNITS[1:]:
        assert "sssd.service" not in machine.show(unit, "After").split()


def test_enabling_the_socket_enables_the_daemon(container):
    with container() as c:
        c.systemctl("enable", "sssd-nss.socket")
        assert c.systemctl("is-enabled", *UNITS[:2]).out.split() == ["enabled", "enabled"]
        c.systemctl("disable", "sssd-nss.socket")
        assert c.systemctl("is-enabled", *UNITS[:2], check=False).out.split() == [
            "disabled",
            "disabled",
        ]


def test_without_configuration_nothing_runs_and_nothing_fails(container):
    """A fresh install, everything enabled, booted (S12)."""
    with container(before=[["systemctl", "enable", "sssd-nss.socket"]]) as c:
        assert c.failed_units() == []
        assert c.show("sssd.service", "ActiveState") == "inactive"
        assert c.run(["getent", "passwd", "alice"], check=False).rc == 2
        assert c.systemctl("start", "sssd.service").rc == 0
        assert c.failed_units() == []


def test_tree_is_made_and_owned_as_promised(machine):
    out = machine.sh(
        "cd /; stat -c '%n %A %U:%G' run/sss run/sss/pipes run/sss/pipes/private run/sssd "
        "run/sssd/metrics run/sssd-be run/sssd-kcm "
        "var/lib/sss var/lib/sss/db var/lib/sss/mc.files var/lib/sss/secrets var/lib/sss/conf "
        "var/log/sssd; "
        "readlink var/lib/sss/pipes var/lib/sss/mc run/sssd.pid"
    ).out
    assert out.splitlines() == [
        "run/sss drwxr-xr-x root:root",
        "run/sss/pipes drwxr-xr-x root:root",
        "run/sss/pipes/private drwxr-x--- root:root",
        "run/sssd drwxr-xr-x sssd:sssd",
        "run/sssd/metrics drwx------ sssd:sssd",
        "run/sssd-be drwxr-xr-x root:root",
        "run/sssd-kcm drwxr-xr-x root:root",
        "var/lib/sss drwxr-xr-x root:root",
        "var/lib/sss/db drwx------ sssd:sssd",
        "var/lib/sss/mc.files drwxr-xr-x sssd:sssd",
        "var/lib/sss/secrets drwx------ sssd:sssd",
        "var/lib/sss/conf drwxr-s--- root:sssd",
        "var/log/sssd drwxr-x--- sssd:sssd",
        "/run/sss/pipes",
        "/run/sss/mc",
        "/run/sssd/sssd.pid",
    ]
