# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same lookups with no systemd at all: the monitor owns the sockets and starts the responder.

In the container, but in mount and pid namespaces of their own: an empty /run, another pid 1, nothing
of systemd in sight. slapd is the container's.
"""
import os
import signal
import subprocess
import time

import pytest

from kdc import Kdc
from length import by_length
from load import ask, steady
from slapd import Slapd
from suite import Suite, sssd_conf
from table import Lookups

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
PROGRAMS = ["sssd", "sssd_be", "sssd_nss"]

# Pid 1: an empty /run, then nothing but burying the dead.
INIT = """
mount -t tmpfs -o mode=0755 tmpfs /run
rm -rf /var/lib/sss /var/log/sssd
echo ready
while :; do sleep 3600 & wait $!; done
"""


class Bare:
    """A machine without systemd, inside container c; it has what Suite and Load need of one."""

    def __init__(self, c):
        self.c = c
        self.init = c.popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["bash", "-c", INIT],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.init.stdout.readline() == "ready\n"
        # The only bash whose parent is the unshare we started.
        (self.pid,) = c.run(["pgrep", "-x", "-P", self._unshare(), "bash"]).out.split()

    def _unshare(self):
        return c_pids(self.c, "unshare")[-1]

    def command(self, command):
        return ["nsenter", "-m", "-p", "-t", self.pid, *map(str, command)]

    def run(self, command, **more):
        return self.c.run(self.command(command), **more)

    def popen(self, command, **more):
        return self.c.popen(self.command(command), **more)

    def sh(self, script, **more):
        return self.run(["sh", "-eu", "-c", script], **more)

    def write(self, path, text, mode=0o644, owner=None):
        self.c.write(path, text, mode, owner)

    def read(self, path):
        return self.run(["cat", path]).out

    def exists(self, path):
        return self.run(["test", "-e", path], check=False).rc == 0

    def wait_for(self, what, condition, timeout=10, step=0.02):
        return self.c.wait_for(what, condition, timeout, step)

    def stop(self):
        os.killpg(self.init.pid, signal.SIGKILL)
        self.init.wait()
        self.init.stdout.close()


def c_pids(c, name):
    return c.run(["pidof", name], check=False).out.split()


@pytest.fixture(scope="module")
def machine(container):
    """Its units are out of the way: nothing of ours runs but by hand."""
    with container(before=[["systemctl", "mask", "sssd.service", "sssd-nss.socket"]]) as c:
        yield c


@pytest.fixture(scope="module")
def slapd(machine):
    return Slapd(machine).start()


@pytest.fixture
def bare(machine, slapd):
    bare = Bare(machine)
    try:
        yield bare
    finally:
        bare.stop()


class Alone(Suite):
    """The suite, started by hand as -i (in the foreground) or -D."""

    def start(self, how, **options):
        if options or not self.c.exists("/etc/sssd/sssd.conf"):
            self.configure(**options)
        if how == "-D":
            assert self.c.run(["sssd", "-D"], timeout=20).rc == 0
        else:
            self.log = open(os.path.join("/dev", "null"), "w")
            self.foreground = self.c.popen(["sssd", "-i"], stdout=self.log, stderr=self.log)
            self.c.wait_for("it is ready", lambda: self.c.exists("/run/sss/pipes/nss"))
            self.c.wait_for("the backend registers", lambda: "%BE_" in self.services())
        return self

    def services(self):
        return self.c.run(["sssctl", "services"], check=False).out

    def monitor(self):
        return self.c.read("/run/sssd/sssd.pid").strip()

    def end(self, signal="TERM"):
        """Ends the monitor and waits until nothing of it is left."""
        pid = self.monitor()
        self.c.run(["kill", f"-{signal}", pid])
        self.c.wait_for("all are gone", lambda: not any(map(self.pids, PROGRAMS)), timeout=10)


@pytest.fixture(params=["-i", "-D"])
def suite(bare, slapd, request):
    bare.write("/etc/sssd/sssd.conf", sssd_conf(), 0o600)
    suite = Alone(bare, slapd).start(request.param)
    suite.how = request.param
    return suite


class TestOurClient(Lookups):
    client = "ours"

    @pytest.fixture(scope="class")
    def suite(self, machine, slapd):
        bare = Bare(machine)
        yield Alone(bare, slapd).start("-D", domain="LDAP")
        bare.stop()


class TestDebianClient(TestOurClient):
    client = "debian"


def test_responder_starts_at_the_first_connection(suite):
    assert [len(suite.pids(program)) for program in PROGRAMS] == [1, 1, 0]
    out = suite.c.sh("stat -c '%n %A %U' /run/sss/pipes/nss /var/lib/sss/pipes/nss").out
    assert out.splitlines() == [
        "/run/sss/pipes/nss srw-rw-rw- root",
        "/var/lib/sss/pipes/nss srw-rw-rw- root",
    ]
    script = "for i in $(seq 40); do getent passwd alice & done; wait"
    assert suite.c.sh(script).out.splitlines() == [ALICE] * 40
    assert suite.passwd("alice", client="debian") == ALICE
    assert [len(suite.pids(program)) for program in PROGRAMS] == [1, 1, 1]
    assert "nss" in suite.services()


def test_nobody_keeps_a_privilege(suite):
    suite.passwd("alice")
    for program in PROGRAMS:
        (pid,) = suite.pids(program)
        status = suite.c.read(f"/proc/{pid}/status")
        uid = suite.c.run(["id", "-u", "sssd"]).out.strip()
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status, status
        for name in ("CapPrm", "CapEff", "CapInh"):
            assert f"{name}:\t0000000000000000" in status, status


def test_responder_that_leaves_is_started_again_and_no_request_is_lost(suite):
    """What an idle exit does, a TERM does, too: drain, then exit 0."""
    assert suite.passwd("alice") == ALICE and suite.passwd("bob")
    for client in ("ours", "debian"):
        with steady(suite.c, "passwd", "alice", "bob", client=client) as load:
            for _ in range(by_length(5, 200)):
                (pid,) = suite.c.wait_for("it runs", lambda: suite.pids("sssd_nss"))
                suite.c.run(["kill", "-TERM", str(pid)])
                suite.c.wait_for("it left", lambda: pid not in suite.pids("sssd_nss"))
        assert load.calls.were_all_right(), load.calls
    assert suite.passwd("alice") == ALICE
    assert [len(suite.pids(program)) for program in PROGRAMS] == [1, 1, 1]


def test_responder_leaves_when_idle(suite):
    """The shortest time that may be configured is a minute."""
    suite.passwd("alice")
    for _ in by_length([], [1]):
        suite.configure(nss={"responder_idle_timeout": 1})
        assert suite.c.run(["sssctl", "reload", "--wait"]).rc == 0
        begin = time.monotonic()
        suite.c.wait_for("it leaves", lambda: suite.pids("sssd_nss") == [], timeout=70, step=0.5)
        assert time.monotonic() - begin > 55
    suite.c.run(["kill", "-TERM", *map(str, suite.pids("sssd_nss"))], check=False)
    suite.c.wait_for("it left", lambda: suite.pids("sssd_nss") == [])
    assert suite.passwd("alice") == ALICE


@pytest.mark.parametrize("program", ["sssd_nss", "sssd_be"])
def test_kill_9_brings_it_back(suite, program):
    assert suite.passwd("alice") == ALICE and suite.passwd("bob")
    for _ in range(by_length(4, 20)):
        (old,) = suite.pids(program)
        with steady(suite.c, "passwd", "alice", "bob") as load:
            suite.c.run(["kill", "-9", str(old)])
            suite.c.wait_for("it is back", lambda: set(suite.pids(program)) - {old}, timeout=12)
        assert load.calls.were_all_right(), load.calls


def test_kill_9_of_the_monitor_leaves_the_answers_and_the_next_takes_over(suite):
    assert suite.passwd("alice") == ALICE
    suite.c.run(["kill", "-9", suite.monitor()])
    assert suite.passwd("alice") == ALICE
    suite.c.wait_for("it is gone", lambda: suite.pids("sssd") == [])
    suite.start(suite.how)
    suite.c.wait_for("it is whole", lambda: suite.passwd("dave.o-neill_1"), timeout=12)
    assert suite.passwd("alice", client="debian") == ALICE
    suite.c.wait_for("one of each", lambda: [len(suite.pids(p)) for p in PROGRAMS] == [1, 1, 1])
    suite.end()


def test_a_backend_of_the_monitor_before_leaves_with_its_domain(suite):
    conf = suite.c.read("/etc/sssd/sssd.conf")
    head, section = conf.split("[domain/LDAP]")
    two = head.replace("domains = LDAP", "domains = LDAP, B") + "[domain/LDAP]" + section + "\n[domain/B]" + section
    suite.configure(two)
    assert suite.c.run(["sssctl", "reload", "--wait"]).rc == 0
    suite.c.wait_for("both", lambda: len(suite.pids("sssd_be")) == 2)
    suite.c.run(["kill", "-9", suite.monitor()])
    suite.c.wait_for("it is gone", lambda: suite.pids("sssd") == [])
    before = suite.pids("sssd_be")
    suite.start(suite.how)
    suite.c.wait_for("both are known", lambda: all(f"%BE_{d}" in suite.services() for d in ("LDAP", "B")))
    assert suite.pids("sssd_be") == before
    suite.configure(conf)
    assert suite.c.run(["sssctl", "reload", "--wait"]).rc == 0
    suite.c.wait_for("one is left", lambda: len(suite.pids("sssd_be")) == 1, timeout=5)
    assert suite.passwd("alice") == ALICE


def test_term_ends_all_and_leaves_nothing(suite):
    suite.passwd("alice")
    suite.end()
    assert suite.c.sh("ls /run/sssd").out == "metrics\n"  # they stay until the next boot
    # The socket's file stays, in a directory of root's: nobody listens there.
    processes = suite.c.sh("ps -e -o comm=").out.split()
    assert not [name for name in processes if name.startswith("sss")]
    counts = ask(suite.c, "passwd", "alice", count=20)
    assert counts.unavail == 20 and counts.median_us < 10000, counts
    suite.start(suite.how)
    assert suite.passwd("alice") == ALICE


def test_named_service_runs_at_once_and_stays(bare, slapd):
    suite = Alone(bare, slapd).start("-D", services="nss")
    (pid,) = bare.wait_for("it runs", lambda: suite.pids("sssd_nss"))
    bare.run(["kill", "-TERM", str(pid)])
    bare.wait_for("another runs", lambda: suite.pids("sssd_nss") not in ([], [pid]))
    assert suite.passwd("alice") == ALICE


def test_daemon_answers_when_the_command_returns(bare, slapd):
    bare.write("/etc/sssd/sssd.conf", sssd_conf(), 0o600)
    for _ in range(by_length(3, 30)):
        suite = Alone(bare, slapd)
        assert bare.sh("sssd -D && getent passwd alice").out == ALICE + "\n"
        suite.end()
        bare.sh("rm -rf /var/lib/sss/db/*")


@pytest.mark.parametrize("how", ["-i", "-D"])
@pytest.mark.parametrize(
    "text, mode, status",
    [
        (sssd_conf() + "nonsense\n", 0o600, 3),
        (sssd_conf(), 0o644, 3),
        (None, None, 3),
        ("[sssd]\n", 0o600, 1),
        (sssd_conf(services="nss1"), 0o600, 1),
        (sssd_conf(ldap_tls_reqcert="sometimes"), 0o600, 1),
    ],
    ids=["syntax", "mode", "missing", "no-domain", "no-such-service", "no-usable-domain"],
)
def test_bad_configuration_is_an_exit_status_and_a_line(bare, how, text, mode, status):
    bare.run(["rm", "-f", "/etc/sssd/sssd.conf"])
    if text:
        bare.write("/etc/sssd/sssd.conf", text, mode)
    result = bare.run(["sssd", how], check=False, timeout=20)
    assert result.rc == status, result
    assert "sssd.conf" in result.err, result
    assert bare.run(["pidof", *PROGRAMS], check=False).out == ""


def test_second_one_is_refused_and_harms_nothing(suite):
    suite.passwd("alice")
    before = [suite.pids(program) for program in PROGRAMS]
    result = suite.c.run(["sssd", suite.how], check=False, timeout=20)
    assert result.rc == 6, result
    assert [suite.pids(program) for program in PROGRAMS] == before
    assert suite.passwd("carol") and suite.passwd("alice", client="debian") == ALICE


def test_daemon_logs_into_files(bare, slapd):
    """There is neither a terminal nor a journal."""
    Alone(bare, slapd).start("-D", uri="ldap://127.0.0.9", nss={"debug_level": 9})
    bare.run(["getent", "passwd", "alice"], check=False)
    bare.run(["sssctl", "reload", "--wait"])
    for name, words in (("sssd", "generation"), ("sssd_LDAP", "refused"), ("sssd_nss", "alice")):
        path = f"/var/log/sssd/{name}.log"
        bare.wait_for(path, lambda: bare.exists(path) and words in bare.read(path))
        assert bare.sh(f"stat -c %U {path}").out == "sssd\n"


def test_daemon_logs_to_stderr_where_that_is_asked_for(bare, slapd):
    bare.write("/etc/sssd/sssd.conf", sssd_conf(uri="ldap://127.0.0.9"), 0o600)
    bare.sh("sssd -D --logger=stderr </dev/null >/dev/null 2>/root/log")
    bare.wait_for("the log", lambda: "refused" in bare.read("/root/log"))
    assert not bare.exists("/var/log/sssd/sssd_LDAP.log")


def test_two_starts_at_once_are_one_that_answers(bare, slapd):
    bare.write("/etc/sssd/sssd.conf", sssd_conf(), 0o600)
    suite = Alone(bare, slapd)
    for n in range(by_length(10, 100)):
        script = f"(sssd -D; echo $?) & sleep {n % 10 * 0.002}; (sssd -D; echo $?); wait"
        assert sorted(bare.sh("set +e; " + script).out.split()) == ["0", "6"]
        assert len(suite.pids("sssd")) == 1
        assert bare.sh("getent passwd alice").out == ALICE + "\n"
        suite.end()


def test_reload_takes_effect_and_a_bad_one_changes_nothing(suite):
    assert suite.passwd("bob") is not None
    pid = suite.pids("sssd_nss")
    suite.configure(nss={"filter_users": "bob"})
    assert suite.c.run(["sssctl", "reload", "--wait"]).rc == 0
    assert suite.passwd("bob") is None

    suite.configure("[sssd]\nnonsense\n")
    result = suite.c.run(["sssctl", "reload", "--wait"], check=False)
    assert result.rc != 0 and "sssd.conf:2" in result.err, result
    assert suite.passwd("bob") is None and suite.passwd("alice") == ALICE
    assert suite.pids("sssd_nss") == pid


@pytest.mark.parametrize("signal", ["HUP", "USR1", "USR2"])
def test_signal_is_harmless_to_every_process(suite, signal):
    assert suite.passwd("alice") == ALICE
    before = [suite.pids(program) for program in PROGRAMS]
    for program in PROGRAMS:
        suite.c.run(["kill", f"-{signal}", *map(str, suite.pids(program))])
    assert "%BE_LDAP" in suite.services()
    assert suite.passwd("alice") == ALICE
    assert [suite.pids(program) for program in PROGRAMS] == before


def test_signals_are_harmless_to_a_start(bare, slapd):
    """While sssd_conf waits, the monitor waits for it; nothing of a daemon is there yet."""
    suite = Alone(bare, slapd)
    suite.start("-D", uri="ldaps://ldap.test")
    suite.end()
    hold = (
        "import fcntl, sys; lock = open('/var/lib/sss/conf/.lock', 'r+'); fcntl.lockf(lock, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = bare.popen(["python3", "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    sssd = bare.popen(["sssd", "-D"])
    bare.wait_for("sssd_conf", lambda: suite.pids("sssd_conf"))
    time.sleep(0.1)  # main() has begun
    for signal in "HUP", "USR1", "USR2":
        bare.run(["kill", f"-{signal}", *map(str, suite.pids("sssd") + suite.pids("sssd_conf"))])
    holder.stdin.close()
    holder.wait()
    assert sssd.wait() == 0
    assert suite.passwd("alice") == ALICE


def test_tree_of_other_owners_is_repaired_at_the_start(suite):
    """As a backup left it (design §9); here the monitor itself does it, before it drops root."""
    suite.passwd("alice")
    suite.end()
    suite.c.sh(
        "cd /var/lib/sss; rm pipes; mkdir -p pipes/private; "
        "chown -R daemon:daemon /var/lib/sss /var/log/sssd"
    )
    suite.start(suite.how)
    suite.c.wait_for("it is whole", lambda: suite.passwd("alice") == ALICE, timeout=5)
    assert suite.passwd("alice", client="debian") == ALICE
    assert suite.passwd("dave.o-neill_1") is not None
    assert suite.c.run(["readlink", "/var/lib/sss/pipes"]).out == "/run/sss/pipes\n"


def test_inside_a_systemd_it_works_by_hand_as_well(machine, slapd):
    """The container itself, its units masked, no NOTIFY_SOCKET."""
    suite = Alone(machine, slapd)
    suite.configure()
    try:
        assert machine.run(["sssd", "-D"], timeout=20).rc == 0
        assert suite.passwd("alice") == ALICE
        assert suite.passwd("alice", client="debian") == ALICE
    finally:
        suite.end()


# ---- credential caches ----

AS_HTTPD = ["setpriv", "--reuid=901", "--regid=901", "--clear-groups"]


@pytest.fixture(scope="module")
def kdc(machine):
    kdc = Kdc(machine).start()
    kdc.add("alice")
    return kdc


def klist(bare):
    return bare.run([*AS_HTTPD, "klist"], check=False).out


def kinit(bare, *options):
    bare.run([*AS_HTTPD, "kinit", *options, "alice"], input="alice\n")


def test_tickets_are_kept_and_renewed(bare, slapd, kdc):
    text = sssd_conf() + "[kcm]\ntgt_renewal = true\nkrb5_renew_interval = 1m\n"
    bare.write("/etc/sssd/sssd.conf", text, 0o600)
    suite = Alone(bare, slapd).start("-D")
    assert suite.pids("sssd_kcm") == suite.pids("kcm_renew") == []
    kinit(bare, "-l", "14s", "-r", "1h")
    assert len(suite.pids("sssd_kcm")) == 1 and "kcm" in suite.services()
    before = klist(bare)
    assert "krbtgt/TEST@TEST" in before
    bare.wait_for("the renewal", lambda: klist(bare) != before, timeout=12)
    assert "krbtgt/TEST@TEST" in klist(bare)
    assert bare.sh("stat -c '%a %U' /run/sssd-kcm/renew").out == "600 sssd\n"
    for program in ("sssd_kcm", "kcm_renew"):
        for pid in suite.pids(program):
            assert "CapEff:\t0000000000000000" in bare.read(f"/proc/{pid}/status")

    # With tickets it runs whenever the monitor does: nobody else looks when one is due.
    kinit(bare, "-l", "1h")
    (old,) = suite.pids("sssd_kcm")
    bare.run(["kill", "-9", str(old)])
    bare.wait_for("it is back", lambda: set(suite.pids("sssd_kcm")) - {old}, timeout=12)
    suite.end()
    bare.wait_for("it ends", lambda: not suite.pids("sssd_kcm"))
    suite.start("-D")
    bare.wait_for("it runs", lambda: suite.pids("sssd_kcm"))
    assert "krbtgt/TEST@TEST" in klist(bare)
    bare.run([*AS_HTTPD, "kdestroy"])
    suite.end()


def test_tickets_for_servers_have_their_helper(bare, slapd):
    """Without a privilege, which only systemd gives: the keytab must be ours to read."""
    bare.sh("install -m 600 -o root /dev/null /etc/secret.keytab; install -o sssd /dev/null /etc/our.keytab")
    for keytab, reason in (("secret", "Permission denied"), ("our", "")):
        more = {"ldap_sasl_mech": "GSSAPI", "ldap_krb5_keytab": f"/etc/{keytab}.keytab"}
        bare.write("/etc/sssd/sssd.conf", sssd_conf(**more), 0o600)
        suite = Alone(bare, slapd).start("-D")
        assert suite.passwd("alice") is None
        assert bare.sh("stat -c '%a %U' /run/sssd-be/ldap-child").out == "600 sssd\n"
        (pid, *_) = suite.pids("ldap_child")
        assert "CapPrm:\t0000000000000000" in bare.read(f"/proc/{pid}/status")
        told = bare.run(["sssctl", "domain-status", "LDAP"], check=False).err
        assert f"keytab FILE:/etc/{keytab}.keytab: " in told and reason in told, told
        suite.end()


def test_a_kcm_of_another_supervisor_is_left_alone(bare, slapd):
    """Heimdal's, or ours without a monitor."""
    bare.write("/etc/sssd/sssd.conf", sssd_conf(), 0o600)
    script = (
        "import socket, time; s = socket.socket(socket.AF_UNIX); "
        "s.bind('/run/.heim_org.h5l.kcm-socket'); s.listen(); time.sleep(1000)"
    )
    other = bare.popen(["/usr/bin/python3", "-c", script])
    try:
        bare.wait_for("it listens", lambda: bare.exists("/run/.heim_org.h5l.kcm-socket"))
        inode = bare.run(["stat", "-c", "%i", "/run/.heim_org.h5l.kcm-socket"]).out
        suite = Alone(bare, slapd).start("-D")
        assert bare.run(["stat", "-c", "%i", "/run/.heim_org.h5l.kcm-socket"]).out == inode
        assert suite.passwd("alice") == ALICE
        suite.end()
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()


def test_a_number_that_was_the_monitors_is_nobodys_claim(bare, slapd, kdc):
    """A monitor that was killed leaves its socket to the responder; that is not another supervisor's.
    One that leads a session, as with -D, leaves its number to that, too."""
    bare.write("/etc/sssd/sssd.conf", sssd_conf(), 0o600)
    suite = Alone(bare, slapd).start("-i")
    klist(bare)
    assert len(suite.pids("sssd_kcm")) == 1
    inode = bare.run(["stat", "-c", "%i", "/run/.heim_org.h5l.kcm-socket"]).out
    old = int(suite.monitor())
    bare.run(["kill", "-9", str(old)])
    bare.wait_for("its end", lambda: not suite.pids("sssd"))
    assert len(suite.pids("sssd_kcm")) == 1
    take = (
        "for i in $(seq 100); do "
        f"echo {old - 1} >/proc/sys/kernel/ns_last_pid; sleep 1000 >/dev/null 2>&1 & "
        f"[ $! = {old} ] && exit 0; kill $!; done; exit 1"
    )
    bare.sh(take)
    time.sleep(2.5)  # those that are left look for a monitor less and less often
    suite.start("-i")
    assert bare.run(["stat", "-c", "%i", "/run/.heim_org.h5l.kcm-socket"]).out != inode
    assert "'KCM:901' not found" in bare.run([*AS_HTTPD, "klist"], check=False).err
    suite.end()
    bare.run(["kill", str(old)])
