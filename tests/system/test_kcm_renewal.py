# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tickets are renewed by a helper with a real KDC: of those who are logged in, and of services, in
time, across idle exits, reboots and a KDC that is away."""
import re
import struct
import time

import pytest

from kcm import STORE, Kcm, data, name, principal
from kdc import Kdc
from length import by_length
from metrics import metrics
from tgts import Credential, Tgts, tgt_of
from watch import Log

HTTPD, DAEMON = 901, 902  # services never log in
ALICE, BOB = 4001, 4002
CONF = "[kcm]\ntgt_renewal = true\nkrb5_renew_interval = 60s\n"
DUE = "/var/lib/sss/secrets/due"
TGT = "krbtgt/TEST@TEST"


def configure(c, text=CONF):
    """There is no domain: [kcm] alone comes into force."""
    c.write("/etc/sssd/sssd.conf", text, 0o600)
    c.run(["/usr/libexec/sssd/sssd_conf", "--write"], check=False)


@pytest.fixture(scope="module")
def kdc(machine):
    kdc = Kdc(machine).start()
    kdc.add("alice", "bob")
    kdc.add("host/www", "host/test", password=None)
    configure(machine)
    machine.systemctl("enable", "sssd-kcm.socket")
    machine.systemctl("start", "sssd-kcm.socket")
    return kdc


@pytest.fixture
def c(kdc):
    """The machine, in which nobody has a ticket."""
    kdc.c.run(["sssctl", "kcm", "purge", "--all"])
    return kdc.c


def tickets(c, user):
    """{server: [start, end, renew_till]} as seconds, in klist(1)'s order."""
    out = c.run(["klist"], user=user, env={"LC_ALL": "C", "TZ": "UTC"}, check=False).out
    found = {}
    for line in out.splitlines():
        times = re.findall(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d", line)
        if len(times) == 2:
            server = line.split()[-1]
            found[server] = times
        elif times:
            found[server] += times
    return found


def is_renewed(c, user, before):
    now = tickets(c, user)
    return TGT in now and now[TGT][0] != before[TGT][0]


def test_a_tgt_is_renewed_after_half_its_life(c, kdc):
    kdc.kinit("alice", "-l", "12s", "-r", "1h", user=HTTPD)
    c.run(["kvno", "host/www"], user=HTTPD)
    before = tickets(c, HTTPD)
    c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=11)
    now = tickets(c, HTTPD)
    assert now[TGT][2] == before[TGT][2]  # till when, counts from the first
    assert now["host/www@TEST"] == before["host/www@TEST"]
    assert c.run(["kvno", "host/test"], user=HTTPD).rc == 0  # and it is good
    assert c.show("sssd-kcm-renew.service", "ActiveState") == "active"
    assert c.failed_units() == []


# ---- what is counted ----


def der(tag, *parts):
    """One element of DER, shorter than 256 bytes."""
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return bytes([tag]) + size + body


def forged_ticket():
    """A Ticket (RFC 4120 section 5.3) of which the KDC can open nothing."""
    krbtgt = der(0x30, der(0x1B, b"krbtgt"), der(0x1B, b"TEST"))
    name = der(0x30, der(0xA0, der(2, b"\2")), der(0xA1, krbtgt))
    sealed = der(0x30, der(0xA0, der(2, b"\x12")), der(0xA2, der(4, bytes(100))))
    parts = der(2, b"\5"), der(0x1B, b"TEST"), name, sealed
    return der(0x61, der(0x30, *(der(0xA0 + i, part) for i, part in enumerate(parts))))


def forge(c, user):
    """A cache with a TGT of TEST that no KDC gave, to be renewed at once."""
    now = int(time.time())
    with Kcm(c, uid=user) as kcm:
        kcm.initialize(f"{user}:forged")
        tgt = (
            principal("alice")
            + principal("krbtgt", "TEST")
            + struct.pack(">H", 18)
            + data(b"k" * 32)
            + struct.pack(">IIIIBIII", now - 60, now - 60, now + 50, now + 9000, 0, 0x00800000, 0, 0)
            + data(forged_ticket())
            + data(b"")
        )
        assert kcm.ask(STORE, name(f"{user}:forged") + tgt)[0] == 0


def test_what_became_of_them_is_counted(c, kdc):
    configure(c, CONF + "krb5_auth_timeout = 2\n")
    c.systemctl("restart", "sssd-kcm.service")
    before = metrics(c)

    def counted(result, n=1):
        since = metrics(c) - before
        return since["sssd_renewals_total", "kcm-renew", result] >= n

    kdc.kinit("alice", "-l", "10s", "-r", "1h", user=HTTPD)
    c.wait_for("the renewal", lambda: counted("renewed"), timeout=9)
    c.systemctl("kill", "--signal=STOP", "test-kdc")
    try:
        c.wait_for("silence", lambda: counted("unanswered"), timeout=12)
    finally:
        c.systemctl("kill", "--signal=CONT", "test-kdc")
    c.run(["kdestroy"], user=HTTPD)
    kdc.kinit("alice", "-l", "10s", "-r", "1h", user=HTTPD)
    kdc.down()
    try:
        c.wait_for("nobody there", lambda: counted("unreached"), timeout=9)
    finally:
        kdc.up()
        c.run(["kdestroy"], user=HTTPD)
    forge(c, HTTPD)
    c.wait_for("the refusal", lambda: counted("refused"), timeout=9)
    c.run(["sssctl", "kcm", "purge", "--all"])
    configure(c)
    c.systemctl("restart", "sssd-kcm.service")
    c.systemctl("stop", "sssd-kcm-renew.service")
    c.wait_for("their end", lambda: not c.run(["pidof", "kcm_renew"], check=False).out)
    since = metrics(c) - before
    ended = sum(since.of("kcm-renew", "sssd_renewals_total").values())
    assert since["sssd_renewals_begun_total", "kcm-renew"] == ended >= 4
    assert since["sssd_renewal_seconds_count", "kcm-renew"] == ended
    assert since["sssd_renewal_seconds_sum", "kcm-renew"] >= 2
    assert since["sssd_exits_total", "kcm-renew", "stopped"] >= 1


# ---- who is logged in ----


class Session:
    """alice's, by logind; ended with the block."""

    def __init__(self, c):
        self.c = c

    def __enter__(self):
        self.c.sh(
            "systemctl reset-failed test-session 2>/dev/null || true; "
            "systemd-run --quiet --unit=test-session -p User=alice -p PAMName=login sleep 1000"
        )
        self.c.wait_for("the session", lambda: self.c.run(["loginctl", "--no-legend"]).out)

    def __exit__(self, *_):
        self.c.systemctl("stop", "test-session")
        self.c.wait_for(
            "its end", lambda: not self.c.run(["loginctl", "--no-legend"]).out, timeout=30
        )


def test_only_who_is_logged_in_is_renewed(c, kdc):
    c.sh("id alice >/dev/null 2>&1 || useradd -u 4001 -m alice")
    kdc.kinit("alice", "-l", "14s", "-r", "1h", user=ALICE)
    kdc.kinit("alice", "-l", "14s", "-r", "1h", user=HTTPD)
    absent, service = tickets(c, ALICE), tickets(c, HTTPD)
    c.wait_for("that of a service", lambda: is_renewed(c, HTTPD, service), timeout=13)
    time.sleep(2)
    assert tickets(c, ALICE) == absent  # and not that of one who has left, or never came
    with Session(c):
        c.wait_for("the renewal", lambda: is_renewed(c, ALICE, absent), timeout=12)
    left = tickets(c, ALICE)
    time.sleep(11)
    assert not is_renewed(c, ALICE, left)


# ---- its ends ----


def test_what_is_due_while_it_does_not_run(c, kdc):
    """The due file names the renewal, and the timer's service starts it for that."""
    kdc.kinit("alice", "-l", "1h", "-r", "2h", user=HTTPD)
    c.systemctl("stop", "sssd-kcm.service")
    due = int(c.run(["stat", "-c", "%Y", DUE]).out)
    assert abs(due - time.time() - 1800) < 10
    kdc.kinit("alice", "-l", "12s", "-r", "1h", user=HTTPD)
    before = tickets(c, HTTPD)
    c.systemctl("stop", "sssd-kcm.service")
    time.sleep(7)
    c.systemctl("start", "sssd-kcm-due.service")
    c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=4)


def test_renewals_go_on_after_a_reboot(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        kdc = Kdc(c).start()
        kdc.add("alice")
        configure(c)
        kdc.kinit("alice", "-l", "24s", "-r", "1h", user=HTTPD)
        before = tickets(c, HTTPD)
        c.reboot()
        kdc.up()
        time.sleep(10)
        c.systemctl("start", "sssd-kcm-due.service")
        c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=10)
        assert c.failed_units() == []


def test_a_kdc_that_is_away_costs_no_ticket(c, kdc):
    log = Log(c)
    kdc.kinit("alice", "-l", "24s", "-r", "1h", user=HTTPD)
    before = tickets(c, HTTPD)
    kdc.down()
    try:
        c.wait_for("a try", lambda: "not renewed yet" in log.text("sssd_kcm"), timeout=15)
        begin = time.monotonic()
        assert tickets(c, HTTPD) == before
        assert time.monotonic() - begin < 2  # nobody waits for it
    finally:
        kdc.up()
    c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=18)
    assert c.failed_units() == []


def test_a_file_that_is_replaced_is_opened_again_though_nobody_asks(c, kdc):
    kdc.kinit("alice", "-l", "16s", "-r", "1h", user=HTTPD)
    before = metrics(c)
    c.sh("cd /var/lib/sss/secrets; cp -p kcm.mdb copy; mv copy kcm.mdb")

    def renewed():
        since = metrics(c) - before
        return since["sssd_renewals_total", "kcm-renew", "renewed"]

    c.wait_for("the renewal", renewed, timeout=15)
    assert TGT in tickets(c, HTTPD)


def test_a_helper_that_hangs_is_left_and_ends(c, kdc):
    """A KDC that takes connections and says nothing: krb5_auth_timeout is the end of it."""
    configure(c, CONF + "krb5_auth_timeout = 2\n")
    c.systemctl("restart", "sssd-kcm.service")
    kdc.kinit("alice", "-l", "24s", "-r", "1h", user=HTTPD)
    before = tickets(c, HTTPD)
    c.systemctl("kill", "--signal=STOP", "test-kdc")
    try:
        c.wait_for(
            "the helper's child",
            lambda: len(c.run(["pidof", "kcm_renew"], check=False).out.split()) > 1,
            timeout=14,
        )
        time.sleep(4.5)
        assert len(c.run(["pidof", "kcm_renew"]).out.split()) == 1
    finally:
        c.systemctl("kill", "--signal=CONT", "test-kdc")
        configure(c)
        c.systemctl("restart", "sssd-kcm.service")
    c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=18)


# ---- what else counts ----


def test_a_ticket_that_went_meanwhile_is_not_put_back(c, kdc):
    kdc.kinit("alice", "-l", "10s", "-r", "1h", user=HTTPD)
    c.systemctl("kill", "--signal=STOP", "test-kdc")
    try:
        c.wait_for(
            "the question",
            lambda: len(c.run(["pidof", "kcm_renew"], check=False).out.split()) > 1,
            timeout=9,
        )
        c.run(["kdestroy"], user=HTTPD)
    finally:
        c.systemctl("kill", "--signal=CONT", "test-kdc")
    time.sleep(2)
    assert tickets(c, HTTPD) == {}


def test_a_kdc_without_our_key_is_not_believed(c, kdc):
    configure(c, CONF + "krb5_validate = true\n")
    c.systemctl("restart", "sssd-kcm.service")
    drop_in = "/run/systemd/system/sssd-kcm-renew.service.d/keytab.conf"
    log = Log(c)
    try:
        kdc.kinit("alice", "-l", "20s", "-r", "1h", user=HTTPD)
        before = tickets(c, HTTPD)
        time.sleep(12)
        assert tickets(c, HTTPD) == before
        c.wait_for("the line", lambda: "not renewed yet" in log.text("sssd_kcm"))
        c.run(["kadmin.local", "ktadd", "-k", "/etc/krb5.keytab", "host/test"])
        c.write(drop_in, "[Service]\nLoadCredential=keytab:/etc/krb5.keytab\n")
        c.systemctl("daemon-reload")
        c.systemctl("stop", "sssd-kcm-renew.service")
        c.wait_for("the renewal", lambda: is_renewed(c, HTTPD, before), timeout=8)
    finally:
        c.sh(f"rm -f {drop_in} /etc/krb5.keytab; systemctl daemon-reload")
        configure(c)
        c.systemctl("restart", "sssd-kcm.service")
        c.systemctl("stop", "sssd-kcm-renew.service")


def test_the_options_of_a_domain_are_inherited(c):
    text = (
        "[sssd]\ndomains = A\n[domain/A]\nid_provider = ldap\nldap_uri = ldap://127.0.0.1\n"
        "krb5_renew_interval = 7m\nkrb5_auth_timeout = 9\n"
        "[kcm]\ntgt_renewal = true\ntgt_renewal_inherit = A\nkrb5_auth_timeout = 3\n"
    )
    c.sh("rm -rf /var/lib/sss/conf/*")
    try:
        configure(c, text)
        compiled = c.read("/var/lib/sss/conf/kcm/current")
        assert "krb5_renew_interval = 7m" in compiled
        assert "krb5_auth_timeout = 3" in compiled and "krb5_auth_timeout = 9" not in compiled
        configure(c, text.replace("inherit = A", "inherit = B"))
        assert "there is no domain 'B'" in c.run(["sssctl", "config-check"], check=False).out
    finally:
        c.sh("rm -rf /var/lib/sss/conf/*")
        configure(c)


HELPER = """
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect("/run/sssd-kcm/renew")
begin = time.monotonic()
s.send(bytes.fromhex(sys.argv[1]))
try:
    assert s.recv(1) == b""
except ConnectionResetError:
    pass  # it did not read all
print(time.monotonic() - begin)
"""


def helper(c, user, message=b""):
    """How long it takes the helper to hang up on that user, who said message."""
    return float(c.run(["/usr/bin/python3", "-c", HELPER, message.hex()], user=user).out)


def test_the_helper_serves_nobody_else(c):
    """Strangers do not even start it."""
    c.systemctl("stop", "sssd-kcm-renew.service")
    command = ["/usr/bin/python3", "-c", HELPER, ""]
    result = c.run(command, user=ALICE, check=False)
    assert result.rc != 0 and "Permission denied" in result.err
    assert c.show("sssd-kcm-renew.service", "ActiveState") == "inactive"
    assert c.sh("stat -c '%a %U' /run/sssd-kcm/renew").out == "600 sssd\n"


def test_the_helper_wants_whole_requests(c):
    assert 4 < helper(c, "sssd") < 8  # it waits 5 s for one
    assert 4 < helper(c, "sssd", struct.pack(">I", 100) + bytes(50)) < 8
    for bad in (bytes(4), struct.pack(">I", 100) + bytes(100), b"\xff" * 100):
        assert helper(c, "sssd", bad) < 2
    assert c.failed_units() == []


# ---- a day in minutes ----

CACHES = by_length(48, 1000)
LIFE_S = by_length(10, 120)
LIVES = by_length(2.5, 8)


def test_no_ticket_runs_out_and_none_that_ran_out_is_given(c, kdc):
    """CACHES TGTs of several users, LIVES times their life, each looked at all the time."""
    tgts = Tgts(c, kdc, CACHES, LIFE_S)
    tgts.look_for(LIFE_S * LIVES)
    print(tgts)
    assert tgts.all_good()
    assert c.failed_units() == []


SUPER_SERVER = """
import socket, subprocess, sys
ours, its = socket.socketpair()
ours.settimeout(20)
helper = subprocess.Popen(["/usr/libexec/sssd/kcm_renew"], stdin=its)
its.close()
ours.send(bytes.fromhex(sys.argv[1]))
reply = b""
while piece := ours.recv(65536):
    reply += piece
print(helper.wait(), reply.hex())
"""


def test_one_conversation_on_standard_input(c, kdc):
    """As a super-server of the s6-ipcserver(8) kind starts it."""
    tgt = tgt_of(c, kdc, "-l", "1h", "-r", "7d")
    time.sleep(1.1)
    question = struct.pack(">IiB", 6, 0, 0) + tgt
    question = struct.pack(">I", len(question)) + question
    command = ["/usr/bin/python3", "-c", SUPER_SERVER, question.hex()]
    status, reply = c.run(command, user="sssd").out.split()
    length, code = struct.unpack_from(">Ii", bytes.fromhex(reply))
    assert (status, code, length) == ("0", 0, len(reply) // 2 - 4)
    renewed = Credential(bytes.fromhex(reply)[9:])
    assert renewed.start > Credential(tgt).start and renewed.authtime == Credential(tgt).authtime
    assert c.run(command[:3] + ["00000000"], user="sssd").out.split() == ["1"]


# ---- the end of the last session ----


def test_caches_end_with_the_last_session(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        kdc = Kdc(c).start()
        kdc.add("alice")
        configure(c, "[kcm]\npurge_at_logout = true\n")
        c.sh("useradd -u 4001 -m alice; useradd -u 4002 -m bob")
        for user in (ALICE, BOB, HTTPD):  # the first as at a login, before the session
            kdc.kinit("alice", user=user)
        with Session(c):
            c.run(["kinit", "-c", "KCM:4001:b", "alice"], user=ALICE, input="alice\n")
            time.sleep(1.5)  # it looks at the sessions a second after a request
            assert len(c.run(["klist", "-l"], user=ALICE).out.splitlines()) == 4
            with Kcm(c, uid=ALICE) as kcm:  # more than what goes in one transaction
                for cache in ("4001:c", "4001:d", "4001:e"):
                    kcm.initialize(cache)
                    assert not any(kcm.store(cache, f"s{i}") for i in range(600))
        c.wait_for("the end", lambda: not tickets(c, ALICE), timeout=5)
        assert tickets(c, BOB) and tickets(c, HTTPD)
        assert "4001" not in c.run(["sssctl", "kcm", "list"]).out

        # One that ended while nobody looked, with the boot.
        with Session(c):
            kdc.kinit("alice", user=ALICE)
            time.sleep(1.5)
            c.systemctl("kill", "--signal=KILL", "sssd-kcm.service")
            c.reboot()
            kdc.up()
            assert not tickets(c, ALICE)
            assert tickets(c, BOB) and tickets(c, HTTPD)
            c.sh("systemd-run --quiet --unit=test-session sleep 1000")  # what the block ends
        assert c.failed_units() == []


def test_a_logout_is_seen_whatever_is_in_the_caches(container):
    """A cache in which nothing ends, of a user who leaves while the program does not run."""
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        configure(c, "[kcm]\npurge_at_logout = true\n")
        c.sh("useradd -u 4001 -m alice")
        with Session(c):
            with Kcm(c, uid=ALICE) as kcm:
                kcm.initialize("4001")
            time.sleep(1.5)  # it looks at the sessions a second after a request
            due = int(c.run(["stat", "-c", "%Y", DUE]).out)
            assert 0 < due - time.time() <= 600
            c.systemctl("stop", "sssd-kcm.service")
        c.wait_for(
            "the timer's second", lambda: int(c.run(["stat", "-c", "%Y", DUE]).out) < time.time()
        )
        c.systemctl("start", "sssd-kcm-due.service")
        c.wait_for("the program", lambda: c.show("sssd-kcm.service", "ActiveState") == "active")
        c.wait_for("nothing is left to look for", lambda: not c.exists(DUE))
        assert c.run(["sssctl", "kcm", "list"]).out == ""
        assert c.failed_units() == []
