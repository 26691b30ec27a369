# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the processes say of themselves and what they cost: register, STATUS=, reader slots, sleep."""
import re
import time

import pytest

from length import by_length
from load import ask
from slapd import BASE, CA, READER, USERS, Slapd
from suite import Suite
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
PROGRAMS = ["sssd", "sssd_be", "sssd_nss"]


@pytest.fixture
def suite(machine, slapd):
    suite = Suite(machine, slapd)
    slapd.up()
    suite.stop()
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    suite.start()
    return suite


# ---- the register ----------------------------------------------------------------------------------


def register(suite):
    """name → (type, pid, start, the rest) of sssctl services."""
    out = suite.c.run(["sssctl", "services"]).out
    rows = {}
    for line in out.splitlines():
        found = re.match(r"(\S+)\s+(\S+)\s+pid (\d+)\s+start (\d+)\s+since (\S+ \S+)\s*(.*)", line)
        assert found, out
        rows[found[1]] = (found[2], int(found[3]), int(found[4]), found[6])
    return rows


def test_register_before_during_and_after_a_responders_life(suite):
    c = suite.c
    rows = register(suite)
    assert set(rows) == {"%BE_LDAP"}
    assert rows["%BE_LDAP"][:3] == ("backend", suite.pids("sssd_be")[0], 1)

    for start in range(1, by_length(4, 20)):
        assert suite.passwd("alice") == ALICE
        c.wait_for("it registers", lambda: "nss" in register(suite))
        assert register(suite)["nss"][:3] == (
            "socket-activated",
            c.main_pid("sssd-nss.service"),
            start,
        )
        if start % 2:
            c.systemctl("stop", "sssd-nss.service")
        else:
            c.systemctl("kill", "--signal=KILL", "sssd-nss.service")
        # systemd brings back one that was killed, and nobody one that left.
        if start % 2:
            c.wait_for("it is forgotten", lambda: "nss" not in register(suite))


def test_responder_that_leaves_when_idle_is_forgotten(suite):
    c = suite.c
    suite.idle_exit(300)
    try:
        assert suite.passwd("alice") == ALICE
        c.wait_for("it registers", lambda: "nss" in register(suite))
        c.wait_for("it is forgotten", lambda: "nss" not in register(suite))
        assert set(register(suite)) == {"%BE_LDAP"}
    finally:
        suite.idle_exit(None)


def test_register_is_made_again_after_a_kill_of_the_monitor(suite):
    c = suite.c
    assert suite.passwd("alice") == ALICE
    pid = c.main_pid("sssd-nss.service")
    c.systemctl("kill", "--kill-whom=main", "--signal=KILL", "sssd.service")
    c.wait_for("another monitor runs", lambda: c.main_pid("sssd.service"))
    c.wait_for(
        "both are back",
        lambda: c.run(["sssctl", "services"], check=False).rc == 0
        and set(register(suite)) == {"%BE_LDAP", "nss"},
        timeout=10,
    )
    assert register(suite)["nss"][1] == pid  # the same process: nothing was lost


def test_register_is_for_root(suite):
    result = suite.c.run(["sssctl", "services"], check=False, user="nobody")
    assert result.rc == 1 and "root" in result.err, result
    counts = suite.c.sh("ls -l /run/sssd").out
    assert re.search(r"srw-------.* sbus-monitor", counts)


# ---- STATUS= ---------------------------------------------------------------------------------------


def status(suite):
    return suite.c.show("sssd.service", "StatusText")


def test_status_says_online_since_when_and_where(suite):
    text = suite.c.wait_for(
        "it is online",
        lambda: re.fullmatch(
            r"LDAP: online since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, ldaps://ldap\.test:636", status(suite)
        ),
    )
    assert text


REASONS = {
    "refused": (dict(uri="ldap://127.0.0.9"), "refused"),
    "no-such-name": (dict(uri="ldaps://no-such-host.invalid"), "no-such-host.invalid"),
    "untrusted": (dict(ldap_tls_cacert="/etc/ssl/other-ca.pem"), "certificate|TLS|CA"),
    "wrong-name": (dict(uri="ldaps://127.0.0.3"), "certificate|TLS|name"),
    "no-tls": (
        dict(
            uri="ldap://127.0.0.4",
            ldap_default_bind_dn=READER,
            ldap_default_authtok="reader-secret",
        ),
        "ldap_id_use_start_tls",
    ),
    "wrong-password": (dict(ldap_default_bind_dn=READER, ldap_default_authtok="not-this"), "bind"),
}


@pytest.fixture(scope="module")
def odd_servers(machine, slapd):
    """At 127.0.0.3 one whose certificate names somebody else, at 127.0.0.4 one without TLS."""
    other = Slapd(machine, name="misnamed", address="127.0.0.3", entries=(USERS[:1], [])).start()
    other.down()
    other.use_certificate(names=["elsewhere.test"])
    other.up()
    Slapd(machine, name="plain", address="127.0.0.4", entries=(USERS[:1], []), tls=False).start()
    machine.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=other -keyout /dev/null "
        "-out /etc/ssl/other-ca.pem".split()
    )


@pytest.mark.parametrize("why", REASONS)
def test_status_says_offline_since_when_and_why(suite, odd_servers, why):
    options, words = REASONS[why]
    suite.configure(**options)
    suite.c.systemctl("restart", "sssd.service")
    text = suite.c.wait_for(
        "it is offline", lambda: "LDAP: offline" in status(suite) and status(suite), timeout=20
    )
    found = re.match(r"LDAP: offline since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (.*)", text)
    assert found and re.search(words, found[1]), text
    log = suite.c.journal("-u", "sssd.service")
    assert found[1] in log  # the reason is in the log, too


def test_status_follows_the_server(suite):
    c = suite.c
    c.wait_for("online", lambda: "LDAP: online" in status(suite))
    suite.slapd.down()
    suite.passwd("nobody-yet")
    c.wait_for("offline", lambda: "LDAP: offline" in status(suite))
    suite.slapd.up()
    c.wait_for("online", lambda: "LDAP: online" in status(suite), timeout=35)


def test_status_names_each_domain(suite, odd_servers):
    text = (
        "[sssd]\ndomains = GOOD, DEAD\n"
        f"[domain/GOOD]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\nldap_search_base = {BASE}\n"
        f"ldap_tls_cacert = {CA}\n"
        f"[domain/DEAD]\nid_provider = ldap\nldap_uri = ldap://127.0.0.9\nldap_search_base = {BASE}\n"
    )
    suite.configure(text)
    suite.c.systemctl("restart", "sssd.service")
    suite.c.wait_for(
        "both are named",
        lambda: re.fullmatch(r"GOOD: online since [^;]*; DEAD: offline since [^;]*", status(suite)),
    )
    assert suite.passwd("alice") == ALICE  # the dead one is in nobody's way


def test_every_unit_is_ready_when_it_says_so(suite):
    suite.passwd("alice")
    for unit in ("sssd.service", "sssd-nss.service"):
        assert suite.c.show(unit, "Type") == "notify"
        assert suite.c.show(unit, "StatusText") != ""
        assert suite.c.show(unit, "WatchdogUSec") == "3min"


# ---- who is not asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_nobody_asks_a_server_for_root_or_for_our_own_user(suite, client):
    """systemd looks up User=sssd for our own units: that must not wait for a silent server."""
    c = suite.c
    suite.passwd("alice", client=client)  # connected
    uid, gid = (c.run(["id", flag, "sssd"]).out.strip() for flag in ("-u", "-g"))
    before = suite.slapd.searches()
    for map, keys in {
        "passwd": ["root", "0", "sssd", uid, "sssd@LDAP"],
        "group": ["root", "0", "sssd", gid],
        "initgroups": ["root", "sssd"],
    }.items():
        for key in keys:
            counts = ask(suite.c, map, key, client=client)
            assert counts.success == 0 and counts.max_us < 500000, (key, counts)
    assert suite.slapd.searches() == before


# ---- the cache's reader table ------------------------------------------------------------------------


def test_responder_reads_the_cache_under_its_shipped_unit(suite):
    """With the sandbox as it is, LMDB's lock file is writable: a slot is there."""
    c = suite.c
    log = Log(c)
    assert suite.passwd("alice") == ALICE
    c.systemctl("stop", "sssd.service")
    assert suite.passwd("alice") == ALICE  # from the file: nobody else is left
    assert "reader table" not in log.text("sssd_nss")
    pid = c.main_pid("sssd-nss.service")
    assert "/var/lib/sss/db/cache_LDAP.mdb" in c.read(f"/proc/{pid}/maps")


def test_responder_without_a_reader_slot_refuses_the_cache(suite):
    """The guard for the test above: a read-only mount switches LMDB's locks off in silence."""
    c = suite.c
    assert suite.passwd("alice") == ALICE
    drop_in = "/run/systemd/system/sssd-nss.service.d/read-only.conf"
    c.write(drop_in, "[Service]\nReadWritePaths=\nReadOnlyPaths=/var/lib/sss/db\n")
    c.systemctl("daemon-reload")
    c.systemctl("stop", "sssd-nss.service", "sssd.service")
    log = Log(c)
    try:
        counts = ask(suite.c, "passwd", "alice")
        assert (counts.unavail, counts.success) == (1, 0), counts
        assert "cache of domain LDAP" in log.text("sssd_nss")
    finally:
        c.run(["rm", drop_in])
        c.systemctl("daemon-reload")
        c.systemctl("stop", "sssd-nss.service")


# ---- sleep -------------------------------------------------------------------------------------------


def switches(suite):
    """How often the threads of all our processes were woken so far."""
    total = 0
    for program in PROGRAMS:
        for pid in suite.pids(program):
            text = suite.c.sh(f"cat /proc/{pid}/task/*/status").out
            total += sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)))
    return total


def test_idle_suite_sleeps(suite):
    """Pings and the like are a minute apart: whoever wakes more often shows in every window."""
    suite.passwd("alice")
    suite.c.wait_for("online", lambda: "LDAP: online" in status(suite))
    windows = []
    while 0 not in windows and len(windows) < 4:
        before = switches(suite)
        time.sleep(5)
        windows.append(switches(suite) - before)
    assert 0 in windows, windows

    # On an idle host the responder has left.
    for seconds in by_length([], [180]):
        suite.c.systemctl("stop", "sssd-nss.service")
        before = switches(suite)
        time.sleep(seconds)
        assert switches(suite) - before <= seconds / 10
