# SPDX-License-Identifier: LGPL-2.1-or-later
"""sssd-kcm.socket with a real KDC: MIT's and Heimdal's own programs, several users, no sssd.conf."""
import json
import pathlib
import re
import struct
import time

import pytest

from kcm import CC_NOTFOUND, FCC_INTERNAL, Kcm, data, name, request
from kdc import Kdc
from length import LENGTH, by_length
from peer import Closed
from slapd import Slapd
from suite import Suite
from watch import wakes_in

ALICE, BOB = 4001, 4002
HEIMDAL = "/opt/heimdal/usr/bin/"


@pytest.fixture(scope="module")
def kdc(machine):
    kdc = Kdc(machine).start()
    kdc.add("alice", "bob")
    kdc.add(*(f"host/{name}" for name in ("www", "ftp", "mail")), password=None)
    machine.systemctl("enable", "--now", "sssd-kcm.socket")
    return kdc


@pytest.fixture
def c(kdc):
    """The machine, in which nobody has a ticket."""
    for user in (ALICE, BOB, 0):
        kdc.c.run(["kdestroy", "-A"], user=user, check=False)
    return kdc.c


def servers(c, user=ALICE):
    """What klist(1) shows, or None when there is no cache."""
    result = c.run(["klist"], user=user, check=False)
    if result.rc != 0:
        assert "not found" in result.err or "No credentials cache" in result.err, result
        return None
    return re.findall(r"^\d\S+ \S+  \d\S+ \S+  (\S+)$", result.out, re.M)


def caches(c, user=ALICE):
    """{principal: name of its cache}, the primary one first."""
    out = c.run(["klist", "-l"], user=user, check=False).out
    return {line.split()[0]: line.split()[1] for line in out.splitlines()[2:]}


def idle_exit(c, ms):
    c.write(
        "/run/systemd/system/sssd-kcm.service.d/idle.conf",
        f"[Service]\nExecStart=\nExecStart=/usr/libexec/sssd/sssd_kcm --idle-exit-ms={ms} $DEBUG_LOGGER\n",
    )
    c.systemctl("daemon-reload")
    c.systemctl("stop", "sssd-kcm.service")


def has_gone(c):
    return c.show("sssd-kcm.service", "ActiveState") == "inactive"


# ---- MIT's programs ----


def test_a_ticket_from_kinit_to_kdestroy(c, kdc):
    assert servers(c) is None
    kdc.kinit("alice", user=ALICE)
    assert servers(c) == ["krbtgt/TEST@TEST"]
    assert c.run(["klist", "-s"], user=ALICE).rc == 0
    assert "kvno = 1" in c.run(["kvno", "host/www", "host/ftp"], user=ALICE).out
    assert servers(c) == ["krbtgt/TEST@TEST", "host/www@TEST", "host/ftp@TEST"]
    c.run(["kdestroy"], user=ALICE)
    assert servers(c) is None


def test_kinit_again_replaces_what_was_there(c, kdc):
    for _ in range(3):
        kdc.kinit("alice", user=ALICE)
        c.run(["kvno", "host/www"], user=ALICE)
    assert servers(c) == ["krbtgt/TEST@TEST", "host/www@TEST"]
    assert len(caches(c)) == 1


def test_kvno_finds_the_ticket_it_has(c, kdc):
    kdc.kinit("alice", user=ALICE)
    c.run(["kvno", "host/www"], user=ALICE)
    kdc.down()
    try:
        assert c.run(["kvno", "host/www"], user=ALICE).rc == 0
        assert c.run(["kvno", "host/mail"], user=ALICE, check=False).rc == 1
    finally:
        kdc.up()


def test_two_principals_and_kswitch(c, kdc):
    kdc.kinit("alice", user=ALICE)
    kdc.kinit("bob", user=ALICE)
    assert list(caches(c)) == ["bob@TEST", "alice@TEST"]  # kinit makes the new one primary
    c.run(["kswitch", "-p", "alice"], user=ALICE)
    assert list(caches(c)) == ["alice@TEST", "bob@TEST"]
    assert c.run(["klist", "-A"], user=ALICE).out.count("Ticket cache: KCM:4001") == 2
    c.run(["kdestroy"], user=ALICE)
    assert list(caches(c)) == ["bob@TEST"]
    kdc.kinit("alice", user=ALICE)
    c.run(["kdestroy", "-A"], user=ALICE)
    assert caches(c) == {}


def test_entries_about_the_cache_can_be_changed(c, kdc):
    """kinit stores them, and asks for those of before: REMOVE_CRED and RETRIEVE."""
    kdc.kinit("alice", user=ALICE)
    first = c.run(["klist", "-C"], user=ALICE).out
    assert "config: fast_avail" in first
    kdc.kinit("alice", user=ALICE)
    assert c.run(["klist", "-C"], user=ALICE).out.count("config:") == first.count("config:")


def test_a_renewable_ticket_is_renewed_by_kinit(c, kdc):
    kdc.kinit("alice", "-l", "60", "-r", "1d", user=ALICE)
    c.run(["kinit", "-R"], user=ALICE)
    assert servers(c) == ["krbtgt/TEST@TEST"]


def test_the_snippet_turns_it_on(c, kdc):
    """Copied as it is installed, and included as krb5.conf(5) says."""
    snippet = "/usr/share/sssd/krb5-snippets/kcm_default_ccache"
    conf = c.read("/etc/krb5.conf").replace("    default_ccache_name = KCM:\n", "")
    c.write("/tmp/krb5.conf", "includedir /etc/krb5.conf.d\n" + conf)
    env = {"KRB5_CONFIG": "/tmp/krb5.conf"}
    c.sh("mkdir -p /etc/krb5.conf.d")
    kdc.kinit("alice", user=ALICE, env=env)
    c.sh(f"cp {snippet} /etc/krb5.conf.d")
    try:
        assert servers(c) is None
        kdc.kinit("alice", user=ALICE, env=env)
        assert "Ticket cache: KCM:4001\n" in c.run(["klist"], user=ALICE, env=env).out
    finally:
        c.sh("rm -r /etc/krb5.conf.d")


# ---- Heimdal's programs ----


def heimdal(c, program, *words, check=True):
    """ALICE's."""
    return c.run([HEIMDAL + program, *words], user=ALICE, env={"KRB5CCNAME": "KCM:"}, check=check)


def test_heimdals_programs(c, kdc):
    for user in ("alice", "bob"):
        c.write(f"/tmp/{user}", f"{user}\n")
        heimdal(c, "kinit.heimdal", f"--password-file=/tmp/{user}", "-c", f"KCM:4001:{user}", user)
    heimdal(c, "heimtools", "kswitch", "--principal=alice")
    out = heimdal(c, "heimtools", "klist").out
    assert "Principal: alice@TEST" in out and "krbtgt/TEST@TEST" in out
    heimdal(c, "kgetcred", "host/www")
    assert "host/www@TEST" in heimdal(c, "heimtools", "klist").out
    assert "host/www@TEST" in servers(c)  # and MIT's programs see the same
    assert list(caches(c)) == ["alice@TEST", "bob@TEST"]
    assert "bob@TEST" in heimdal(c, "heimtools", "klist", "-l").out
    heimdal(c, "kdestroy.heimdal", "--credential=host/www@TEST")
    assert "host/www@TEST" not in servers(c)
    heimdal(c, "kdestroy.heimdal", "-A")
    assert caches(c) == {}


def test_heimdals_programs_know_a_cache_that_is_there(c, kdc):
    c.write("/tmp/alice", "alice\n")
    there = "heimtools", "klist", "--test"
    assert heimdal(c, *there, check=False).rc == 1
    options = "--password-file=/tmp/alice", "--renewable", "--lifetime=1h"
    heimdal(c, "kinit.heimdal", *options, "alice")
    assert heimdal(c, *there).rc == 0 and c.run(["klist", "-s"], user=ALICE).rc == 0
    heimdal(c, "kinit.heimdal", "--renew")
    assert servers(c) == ["krbtgt/TEST@TEST"]
    c.run(["kinit", "-R"], user=ALICE)  # and MIT's renews what Heimdal's stored
    assert "krbtgt/TEST@TEST" in heimdal(c, "heimtools", "klist", "-A").out
    heimdal(c, "kdestroy.heimdal")
    assert heimdal(c, *there, check=False).rc == 1


# ---- who sees what ----


def test_nobody_sees_anothers(c, kdc):
    kdc.kinit("alice", user=ALICE)
    for user in (BOB, 0):
        assert servers(c, user) is None
        assert caches(c, user) == {}
        for cache in ("KCM:4001", "KCM:4001:1"):
            result = c.run(["klist"], user=user, env={"KRB5CCNAME": cache}, check=False)
            assert result.rc == 1 and "not found" in result.err, result
        c.run(["kdestroy", "-A"], user=user, check=False)
    assert kdc.kinit(
        "bob", user=BOB, env={"KRB5CCNAME": "KCM:4001"}, check=False
    ).rc != 0  # a name that is not one's own
    kdc.kinit("bob", user=BOB)
    assert list(caches(c, BOB)) == ["bob@TEST"]
    assert list(caches(c)) == ["alice@TEST"]


def test_su_brings_another_collection(c, kdc):
    for uid, user in ((ALICE, "kcmalice"), (BOB, "kcmbob")):
        c.sh(f"id {user} >/dev/null 2>&1 || useradd -u {uid} {user}")

    def su(user, command, cache):
        env = {"KRB5CCNAME": cache} if cache else {}
        result = c.run(["su", user, "-c", command], env=env, check=False)
        return result.out if result.rc == 0 else None

    for cache in (None, "KCM:"):  # su(1) keeps the variable
        kdc.kinit("alice", user=0)
        assert su("kcmalice", "klist", cache) is su("kcmbob", "klist", cache) is None
        kdc.kinit("alice", user=ALICE)
        assert su("kcmbob", "echo bob | kinit bob", cache) is not None
        assert "alice@TEST" in su("kcmalice", "klist", cache)
        assert "bob@TEST" in su("kcmbob", "klist", cache)
        assert su("kcmbob", "kdestroy -A", cache) is not None
        assert "alice@TEST" in c.run(["klist"]).out and list(caches(c)) == ["alice@TEST"]
        assert caches(c, BOB) == {}
        assert su("kcmalice", "kdestroy -A", cache) is not None
        c.run(["kdestroy", "-A"])
    # A name that another's session left behind is nobody's here.
    kdc.kinit("alice", user=ALICE)
    assert "alice@TEST" in su("kcmalice", "klist", "KCM:4001")
    assert su("kcmbob", "klist", "KCM:4001") is None
    su("kcmbob", "kdestroy", "KCM:4001")
    assert list(caches(c)) == ["alice@TEST"]


# ---- its life ----


def test_it_needs_no_configuration_and_starts_with_the_first_request(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        assert not c.exists("/etc/sssd/sssd.conf")
        assert has_gone(c)
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.default() == "4001"
        assert c.failed_units() == []
        assert c.show("sssd.service", "ActiveState") == "inactive"


def test_tickets_outlast_its_idle_exits_and_a_reboot(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        idle_exit(c, 100)
        for cache in ("4001", "4001:b"):
            with Kcm(c, uid=ALICE) as kcm:
                kcm.initialize(cache)
                assert kcm.store(cache, "www") == 0
            c.wait_for("the idle exit", lambda: has_gone(c))
        c.reboot()
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.retrieve("4001", "www")[0] == kcm.retrieve("4001:b", "www")[0] == 0
        assert "damaged" not in c.journal("-u", "sssd-kcm.service")


def test_an_idle_exit_loses_no_request(c):
    """A connection that was answered once is repeated by the library: EPIPE tells it to."""
    idle_exit(c, 50)
    try:
        for _ in range(20):
            with Kcm(c, uid=ALICE) as kcm:
                kcm.default()
                time.sleep(0.06)
                try:
                    kcm.default()
                except Closed:
                    with Kcm(c, uid=ALICE) as again:
                        again.default()
    finally:
        c.sh("rm -r /run/systemd/system/sssd-kcm.service.d; systemctl daemon-reload")
        c.systemctl("stop", "sssd-kcm.service")


def test_an_expired_ticket_is_not_found_and_goes_with_its_cache(c, kdc):
    kdc.kinit("bob", "-c", "KCM:4001:short", "-l", "2s", user=ALICE)
    kdc.kinit("alice", "-c", "KCM:4001:long", user=ALICE)
    c.run(["kswitch", "-c", "KCM:4001:short"], user=ALICE)
    assert list(caches(c))[0] == "bob@TEST"
    time.sleep(3)
    # The one that was chosen has expired: the default is another.
    assert c.run(["kvno", "host/www"], user=ALICE).rc == 0
    with Kcm(c, uid=ALICE) as kcm:
        assert kcm.default() == "4001:long"
    c.systemctl("stop", "sssd-kcm.service")  # with the next start it is removed
    assert list(caches(c)) == ["alice@TEST"]


def test_one_word_turns_it_on_and_off(container):
    """As the manual says it, without a reboot."""
    units = [f"sssd-kcm{end}" for end in (".socket", ".timer", "-renew.socket")]
    with container() as c:
        assert [c.show(unit, "ActiveState") for unit in units] == ["inactive"] * 3
        c.systemctl("enable", "--now", "sssd-kcm.socket")
        assert [c.show(unit, "ActiveState") for unit in units] == ["active"] * 3
        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
        c.systemctl("disable", "--now", "sssd-kcm.socket")
        assert [c.show(unit, "ActiveState") for unit in units] == ["inactive"] * 3
        assert has_gone(c)
        c.reboot()
        assert [c.show(unit, "ActiveState") for unit in units] == ["inactive"] * 3


def test_what_expires_while_it_sleeps_goes_too(container):
    """The timer looks once a minute, and starts nothing while nothing is due."""
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        assert c.show("sssd-kcm.timer", "ActiveState") == "active"
        idle_exit(c, 100)
        due = "/var/lib/sss/secrets/due"
        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www", int(time.time()) + 3600) == 0
        c.wait_for("the idle exit", lambda: has_gone(c))
        assert abs(int(c.run(["stat", "-c", "%Y", due]).out) - time.time() - 3600) < 60
        c.systemctl("start", "sssd-kcm-due.service")
        assert has_gone(c)
        c.run(["touch", "-d", "1 sec ago", due])
        c.systemctl("start", "sssd-kcm-due.service")
        assert "Started sssd-kcm.service" in c.journal("-u", "sssd-kcm.service", "-n", "5")
        # It stays for what expires soon, and the file goes with the last ticket.
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.store("4001", "www", int(time.time()) + 3) == 0
        c.systemctl("stop", "sssd-kcm.service")
        c.systemctl("start", "sssd-kcm.service")
        time.sleep(0.5)
        assert not has_gone(c)
        time.sleep(3)
        c.systemctl("restart", "sssd-kcm.service")
        assert not c.exists(due)
        c.wait_for("the idle exit", lambda: has_gone(c))
        c.systemctl("start", "sssd-kcm-due.service")
        assert has_gone(c) and c.failed_units() == []


def test_it_stays_while_it_cannot_say_when_something_is_due(container):
    """And the last it does is to say it, whatever became of the file."""
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        idle_exit(c, 100)
        due = "/var/lib/sss/secrets/due"
        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www") == 0
        c.systemctl("stop", "sssd-kcm.service")
        c.sh(f"rm {due}; mkdir {due}")
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.retrieve("4001", "www")[0] == 0
        time.sleep(2)
        assert not has_gone(c)
        assert c.journal("-u", "sssd-kcm.service").count("due: ") == 1
        c.sh(f"rmdir {due}")
        if LENGTH != "short":
            c.wait_for("the next look, and the idle exit", lambda: has_gone(c), timeout=90)
            assert c.exists(due)
            with Kcm(c, uid=ALICE) as kcm:
                assert kcm.retrieve("4001", "www")[0] == 0
        c.systemctl("stop", "sssd-kcm.service")
        assert abs(int(c.run(["stat", "-c", "%Y", due]).out) - time.time() - 3600) < 60


def test_a_step_of_the_clock_removes_nothing(container):
    """Who has the wrong time for a while finds no tickets, and has them all afterwards."""
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        clock = pathlib.Path(f"/proc/{c.pid}/root/etc/clockstep")
        c.sh("head -c 8 /dev/zero >/etc/clockstep; chmod 644 /etc/clockstep")
        c.write(
            "/etc/systemd/system/sssd-kcm.service.d/clock.conf",
            "[Service]\nEnvironment=LD_PRELOAD=/usr/libexec/sssd-tests/clockstep.so\n",
        )
        c.systemctl("daemon-reload")

        def found():
            with Kcm(c, uid=ALICE) as kcm:
                return kcm.retrieve("4001", "www")[0]

        def step(offset_s):
            with open(clock, "r+b") as file:
                file.write(struct.pack("=q", offset_s))

        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www") == 0
        assert found() == 0
        step(12 * 3600)
        assert found() == CC_NOTFOUND
        c.systemctl("restart", "sssd-kcm.service")  # it looks at the end, and at the beginning
        assert found() == CC_NOTFOUND
        c.systemctl("stop", "sssd-kcm.service")
        step(0)
        assert found() == 0


HURRY = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nAccuracySec=1s\n"


def test_what_expired_is_gone_within_two_minutes_though_nobody_asks(container):
    """One keeps running, because that is soon; one was stopped, and the timer starts it. In the short
    form both are seen to be due within their minute: the one looks at its end, the other's timer is
    another."""
    socket = [["systemctl", "enable", "sssd-kcm.socket"]]
    hurry = by_length({"/etc/systemd/system/sssd-kcm.timer.d/hurry.conf": HURRY}, {})
    due = "/var/lib/sss/secrets/due"
    with container(before=socket) as runs, container(before=socket, files=hurry) as stopped:
        expiry = int(time.time()) + 4
        for c in (runs, stopped):
            with Kcm(c, uid=ALICE) as kcm:
                kcm.initialize("4001")
                assert kcm.store("4001", "www", expiry) == 0
        stopped.systemctl("stop", "sssd-kcm.service")
        assert stopped.exists(due)
        assert "OnCalendar=*-*-* *:*:00 " in runs.show("sssd-kcm.timer", "TimersCalendar")
        assert runs.show("sssd-kcm.timer", "AccuracyUSec") == "20s"
        left = expiry + by_length(20, 120) - time.time()
        stopped.wait_for("the timer", lambda: not stopped.exists(due), timeout=left, step=0.5)
        if LENGTH == "short":
            assert time.time() + wakes_in(runs, runs.main_pid("sssd-kcm.service")) < expiry + 60
            time.sleep(max(expiry + 1 - time.time(), 0))
            runs.systemctl("stop", "sssd-kcm.service")
            assert not runs.exists(due)
        else:
            time.sleep(max(expiry + 62 - time.time(), 0))
        assert runs.run(["sssctl", "kcm", "list"]).out == ""


def test_the_monitor_knows_it(container):
    with container() as c:
        suite = Suite(c, Slapd(c).start()).start()
        c.systemctl("start", "sssd-kcm.socket")
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.default() == "4001"
            c.wait_for("its registration", lambda: "kcm" in c.run(["sssctl", "services"]).out)
            # A reload reaches it while it runs.
            suite.configure(sssd={"debug_level": 0})
            c.write("/etc/sssd/conf.d/kcm.conf", "[kcm]\nmax_uid_ccaches = 1\n", 0o600)
            c.systemctl("reload", "sssd.service")
            kcm.initialize("4001")
            c.wait_for("the limit", lambda: _is_full(kcm))


def test_each_request_has_an_id_in_the_log(c):
    c.write("/etc/sssd/sssd.conf", "[kcm]\ndebug_level = 6\n", 0o600)
    try:
        c.run(["/usr/libexec/sssd/sssd_conf", "--write"], check=False)
        c.systemctl("stop", "sssd-kcm.service")
        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www") == 0 and kcm.retrieve("4001", "ftp")[0] == CC_NOTFOUND
        c.run(["journalctl", "--sync"])
        out = c.run(["journalctl", "-q", "-o", "json", "-u", "sssd-kcm.service"]).out
        said = {}
        for line in map(json.loads, out.splitlines()):
            if "SSS_REQUEST" in line:
                what = re.search(r"uid 4001 pid \d+: (\w+): ", line["MESSAGE"])[1]
                said[what] = line["SSS_REQUEST"]
        assert list(said) == ["INITIALIZE", "STORE", "RETRIEVE"]
        assert len({id for id in said.values() if re.fullmatch("[0-9a-f]{16}", id)}) == 3
    finally:
        c.sh("rm -rf /etc/sssd/sssd.conf /var/lib/sss/conf/*")
        c.systemctl("stop", "sssd-kcm.service")


def _is_full(kcm):
    status, _ = kcm.ask(4, name("4001:second") + b"\0\0\0\1\0\0\0\1" + data("TEST") + data("a"))
    return status == 122  # EDQUOT


# ---- the administrator ----


def test_sssctl_kcm(c, kdc):
    kdc.kinit("alice", user=ALICE)
    c.run(["kvno", "host/www"], user=ALICE)
    kdc.kinit("bob", user=BOB)
    lines = c.run(["sssctl", "kcm", "list"]).out.splitlines()
    assert [line.split() for line in lines] == [
        ["4001", "*", "2", "KCM:4001", "alice@TEST"],
        ["4002", "*", "1", "KCM:4002", "bob@TEST"],
    ]
    assert "host/www@TEST" in c.run(["sssctl", "kcm", "show", "4001"]).out
    assert "host/www@TEST" not in c.run(["sssctl", "kcm", "show", "4002"]).out
    (bob,) = json.loads(c.run(["sssctl", "kcm", "show", "4002", "--json"]).out)
    assert bob["principal"] == "bob@TEST" and bob["default"] and bob["uid"] == BOB
    (tgt,) = bob["tickets"]
    assert tgt["server"] == "krbtgt/TEST@TEST" and 35000 < tgt["expires"] - time.time() <= 36000

    assert c.run(["sssctl", "kcm", "list"], user=ALICE, check=False).rc == 1
    assert c.run(["sssctl", "kcm", "purge"], check=False).rc == 1
    assert c.run(["sssctl", "kcm", "purge", "--expired"]).out == "0 removed\n"
    assert c.run(["sssctl", "kcm", "purge", "4001"]).out == "1 removed\n"
    assert servers(c) is None and servers(c, BOB) == ["krbtgt/TEST@TEST"]
    removed = c.run(["sssctl", "kcm", "purge", "--all", "--json"]).out
    assert json.loads(removed) == {"removed": 1}
    assert c.run(["sssctl", "kcm", "list", "--json"]).out == "[]\n"


def test_sssctl_kcm_lists_more_than_one_reply_holds(c):
    with Kcm(c, uid=ALICE) as kcm:
        for i in range(60):
            kcm.initialize(f"4001:{i:02}")
            for n in range(100):
                assert kcm.store(f"4001:{i:02}", "s" * 100 + str(n)) == 0
    listed = json.loads(c.run(["sssctl", "kcm", "show", "--json"]).out)
    assert [cache["name"] for cache in listed] == [f"4001:{i:02}" for i in range(60)]
    assert all(len(cache["tickets"]) == 100 for cache in listed)


# ---- limits ----


def test_each_limit_has_its_error(c, kdc):
    options = "max_uid_ccaches = 2\nmax_ccaches = 3\nmax_ccache_size = 3\n"
    Suite(c).configure()
    c.write("/etc/sssd/conf.d/kcm.conf", f"[kcm]\n{options}", 0o600)
    try:
        c.run(["/usr/libexec/sssd/sssd_conf", "--write"])
        c.systemctl("stop", "sssd-kcm.service")
        for cache in ("a", "b"):
            kdc.kinit("alice", "-c", f"KCM:4001:{cache}", user=ALICE)
        third = kdc.kinit("alice", "-c", "KCM:4001:c", user=ALICE, check=False)
        assert third.rc == 1 and "Disk quota exceeded" in third.err, third
        kdc.kinit("bob", "-c", "KCM:4002:a", user=BOB)
        fourth = kdc.kinit("bob", "-c", "KCM:4002:b", user=BOB, check=False)
        assert fourth.rc == 1 and "Too many open files in system" in fourth.err, fourth
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.store("4001:a", "large", ticket=b"t" * 4000) == 27  # EFBIG
        log = c.journal("-u", "sssd-kcm.service")
        for option in ("max_uid_ccaches = 2", "max_ccaches = 3", "max_ccache_size = 3"):
            assert option in log
    finally:
        c.sh("rm -rf /etc/sssd/sssd.conf /etc/sssd/conf.d/* /var/lib/sss/conf/*")
        c.systemctl("stop", "sssd-kcm.service")


def test_no_user_fills_the_file(c):
    """256 MiB are a user's, however many caches; nobody else notices."""
    try:
        with Kcm(c, uid=ALICE) as kcm:
            for i in range(5):
                kcm.initialize(f"4001:{i}")
            n = 0
            while (status := kcm.store(f"4001:{n % 5}", f"s{n}", ticket=b"t" * 260_000)) == 0:
                n += 1
            assert status == 122 and 1010 < n < 1020  # EDQUOT
        with Kcm(c, uid=BOB) as kcm:
            kcm.initialize("4002")
            assert kcm.store("4002", "www") == 0
        assert "the credential caches of a user have 262144 KiB" in c.journal("-u", "sssd-kcm.service")
    finally:
        c.run(["sssctl", "kcm", "purge", "--all"])
        c.systemctl("stop", "sssd-kcm.service")


# ---- the protocol ----


def test_what_it_does_not_know_is_answered(c):
    with Kcm(c, uid=ALICE) as kcm:
        assert kcm.ask(2)[0] == kcm.ask(13000)[0] == kcm.ask(60000)[0] == FCC_INTERNAL
        assert kcm.default() == "4001"


def test_a_request_may_come_in_pieces_and_several_at_once(c):
    with Kcm(c, uid=ALICE) as kcm:
        kcm.initialize("4001")
        for byte in request(20):
            kcm.send(bytes([byte]))
        assert kcm.reply() == (0, b"4001\0")
        kcm.send(request(20) * 50)
        assert [kcm.reply() for _ in range(50)] == [(0, b"4001\0")] * 50


def test_a_large_ticket_passes_and_a_too_large_request_ends(c):
    with Kcm(c, uid=ALICE) as kcm:
        kcm.initialize("4001")
        assert kcm.store("4001", "large", ticket=b"t" * 250_000) == 0
        assert len(kcm.retrieve("4001", "large")[1]) > 250_000
        assert kcm.store("4001", "larger", ticket=b"t" * 3_000_000) == 27  # EFBIG
        assert len(kcm.list("4001")) == 1
    with Kcm(c, uid=ALICE) as kcm, pytest.raises(Closed):
        kcm.send(request(20, length=(10 << 20) + 1))
        kcm.reply()


def test_a_uid_that_begins_large_requests_only_hurts_itself(c):
    """Each announces 10 MiB and sends some of it: the room for them has an end."""
    begun = []
    try:
        for _ in range(60):
            kcm = Kcm(c, uid=BOB)
            begun.append(kcm)
            try:
                kcm.send(request(6, bytes(1_000_000), length=10 << 20))
            except Closed:
                pass
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.default() == "4001"
        pid = c.main_pid("sssd-kcm.service")
        status = c.read(f"/proc/{pid}/status")
        assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 64_000
    finally:
        for kcm in begun:
            kcm.close()


def test_all_kinds_of_listing_agree(c):
    with Kcm(c, uid=ALICE) as kcm:
        kcm.initialize("4001")
        for i in range(200):
            assert kcm.store("4001", f"s{i}") == 0
        listed = kcm.list("4001")
        assert len(listed) == 200
        status, uuids = kcm.ask(9, name("4001"))
        assert status == 0 and len(uuids) == 200 * 16
        one_by_one = [
            kcm.ask(10, name("4001") + uuids[i : i + 16]) for i in range(0, len(uuids), 16)
        ]
        assert one_by_one == [(0, one) for one in listed]
        assert kcm.retrieve("4001", "s77") == (0, listed[77])
        assert kcm.retrieve("4001", "s200")[0] == CC_NOTFOUND


# ---- secrets ----


def test_other_daemons_cannot_look_into_it(c):
    with Kcm(c, uid=ALICE) as kcm:
        kcm.default()
        pid = c.main_pid("sssd-kcm.service")
        result = c.run(
            ["setpriv", "--reuid=sssd", "--regid=sssd", "--clear-groups", "head", "-c1",
             f"/proc/{pid}/environ"], check=False)  # fmt: skip
        assert result.rc != 0 and "Permission denied" in result.err
        assert re.search(r"Max core file size\s+1\s+1\s", c.read(f"/proc/{pid}/limits"))
    assert c.sh("stat -c '%a %U' /var/lib/sss/secrets /var/lib/sss/secrets/kcm.mdb").out == (
        "700 sssd\n600 sssd\n"
    )


def test_messages_are_wiped(c):
    key = b"THE-SESSION-KEY-IN-PLAIN-SIGHT!!"
    with Kcm(c, uid=ALICE) as kcm:
        kcm.initialize("4001")
        for i in range(20):
            assert kcm.store("4001", f"s{i}", key=key) == 0
    c.systemctl("stop", "sssd-kcm.service")  # LMDB keeps what it wrote as long as it has it open
    with Kcm(c, uid=ALICE) as kcm:
        for i in range(20):
            assert key in kcm.retrieve("4001", f"s{i}")[1]
        assert len(kcm.list("4001")) == 20
        assert kcm.store("4002", "s", key=key) == CC_NOTFOUND
        pid = c.main_pid("sssd-kcm.service")
        assert _in_memory(c, pid, key) == 0
        assert _in_memory(c, pid, b"sssd_kcm") > 0  # and it would have been found


def test_with_a_key_tickets_are_encrypted_on_the_disk(container):
    """As the manual says it: encrypted itself, by systemd. What was there before stays usable."""
    key = b"THE-SESSION-KEY-IN-PLAIN-SIGHT!!"
    drop_in = "/etc/systemd/system/sssd-kcm.service.d/key.conf"
    secrets = "/var/lib/sss/secrets"

    def plain(c):
        return c.sh(f"cat {secrets}/kcm.mdb | tr -c '[:print:]' .").out.count(key.decode())

    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:

        def said(text):
            c.wait_for(text, lambda: text in c.journal("-u", "sssd-kcm.service"))

        with Kcm(c, uid=ALICE) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www", key=key) == 0
        c.systemctl("stop", "sssd-kcm.service")
        assert plain(c) == 1
        c.sh(
            "dd if=/dev/urandom bs=32 count=1 2>/dev/null | "
            "systemd-creds encrypt --with-key=host --name=kcm.key - /etc/kcm.key.cred"
        )
        c.write(drop_in, "[Service]\nLoadCredentialEncrypted=kcm.key:/etc/kcm.key.cred\n")
        c.systemctl("daemon-reload")
        with Kcm(c, uid=ALICE) as kcm:
            assert key in kcm.retrieve("4001", "www")[1]
            for i in range(50):
                assert kcm.store("4001", f"s{i}", key=key) == 0
            assert len(kcm.list("4001")) == 51
        c.systemctl("stop", "sssd-kcm.service")
        assert plain(c) == 0
        said("encrypted from now on")
        c.reboot()
        with Kcm(c, uid=ALICE) as kcm:
            assert key in kcm.retrieve("4001", "s49")[1]

        # Without the key it is of no use, and not lost: the log says where it is.
        c.systemctl("stop", "sssd-kcm.service")
        c.sh(f"mv {drop_in} /etc/key.conf; systemctl daemon-reload")
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.list("4001") is None
        said(f"kept as {secrets}/kcm.mdb.locked-1")
        c.systemctl("stop", "sssd-kcm.service")
        c.sh(
            f"mv /etc/key.conf {drop_in}; systemctl daemon-reload; "
            f"mv {secrets}/kcm.mdb.locked-1 {secrets}/kcm.mdb"
        )
        with Kcm(c, uid=ALICE) as kcm:
            assert len(kcm.list("4001")) == 51

        # A key that is none is an error, never a reason to write plainly.
        c.systemctl("stop", "sssd-kcm.service")
        c.write(drop_in, "[Service]\nSetCredential=kcm.key:short\n")
        c.systemctl("daemon-reload")
        with Kcm(c, uid=ALICE) as kcm:
            assert kcm.ask(3)[0] == FCC_INTERNAL
        said("a key has at least 32 bytes")


def _in_memory(c, pid, needle):
    """How often it is in memory that is no map of the store's file."""
    script = (
        "import re, sys\n"
        f"needle, found = {needle!r}, 0\n"
        f"maps = open('/proc/{pid}/maps').read().splitlines()\n"
        f"memory = open('/proc/{pid}/mem', 'rb', 0)\n"
        "for line in maps:\n"
        "    if 'kcm.mdb' in line or '[v' in line or not line.split()[1].startswith('r'):\n"
        "        continue\n"
        "    start, end = (int(word, 16) for word in line.split()[0].split('-'))\n"
        "    memory.seek(start)\n"
        "    found += memory.read(end - start).count(needle)\n"
        "print(found)\n"
    )
    return int(c.run(["/usr/bin/python3", "-c", script]).out)


def test_backends_cannot_reach_the_tickets(c):
    """They are the same user; the unit is the wall."""
    assert "/var/lib/sss/secrets" in c.show("sssd.service", "InaccessiblePaths")
    assert "/var/lib/sss/secrets" in c.show("sssd-nss.service", "InaccessiblePaths")
