# SPDX-License-Identifier: LGPL-2.1-or-later
"""What administrators, tools and scripts rely on: design §9, line by line.

Where it says "start", 200 lookups a second go on meanwhile. Not here: sss_cache (test_sss_cache.py),
and the time step (fault/test_clock.py): a container may not set the clock, our processes are shown
another one.
"""
import re
import subprocess
import time

import pytest

from length import by_length
from load import ask, steady
from slapd import BASE, CA
from suite import Suite, sssd_conf
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
MAIN, SNIPPETS = "/etc/sssd/sssd.conf", "/etc/sssd/conf.d"
PROGRAMS = ["sssd", "sssd_be", "sssd_nss"]


@pytest.fixture
def suite(machine, slapd):
    """Stopped, not configured, the socket enabled."""
    suite = Suite(machine, slapd)
    slapd.up()
    suite.stop()
    machine.systemctl("reset-failed")
    machine.systemctl("enable", "--now", "sssd-nss.socket")
    return suite


@pytest.fixture
def running(suite):
    suite.start()
    assert suite.passwd("alice") == ALICE
    assert suite.passwd("bob") is not None
    return suite


def is_whole(suite, key="dave.o-neill_1"):
    """Answers from the server, through the cache, for either client."""
    return bool(
        suite.passwd("alice") == ALICE
        and suite.passwd("alice", client="debian") == ALICE
        and suite.passwd(key)
        and suite.group("devs") == ("devs", 20002, {"alice", "bob"})
    )


def assert_tidy(suite):
    """Owners, modes and links as tmpfiles makes them; every file where a daemon has it."""
    c = suite.c
    out = c.sh(
        "cd /; stat -c '%n %A %U:%G' var/lib/sss var/lib/sss/db var/lib/sss/mc/ var/lib/sss/conf "
        "run/sss/pipes run/sss/pipes/nss; readlink var/lib/sss/pipes var/lib/sss/mc run/sss/mc"
    ).out
    assert out.splitlines() == [
        "var/lib/sss drwxr-xr-x root:root",
        "var/lib/sss/db drwx------ sssd:sssd",
        "var/lib/sss/mc/ drwxr-xr-x sssd:sssd",
        "var/lib/sss/conf drwxr-s--- root:sssd",
        "run/sss/pipes drwxr-xr-x root:root",
        "run/sss/pipes/nss srw-rw-rw- root:root",
        "/run/sss/pipes",
        "/run/sss/mc",
        "/var/lib/sss/mc.files",
    ]
    assert c.sh("cd /var/lib/sss/db; stat -c %U:%G cache_LDAP.mdb*").out.split() == [
        "sssd:sssd"
    ] * len(c.sh("ls -d /var/lib/sss/db/cache_LDAP.mdb*").out.split())
    assert deleted_files(suite) == []


def deleted_files(suite):
    """What a daemon of ours has open and nobody else can find."""
    script = (
        "for pid in $(pidof sssd sssd_be sssd_nss); do "
        "ls -l /proc/$pid/fd /proc/$pid/map_files 2>/dev/null; done"
    )
    lines = suite.c.sh(script, check=False).out.splitlines()
    return [line for line in lines if "(deleted)" in line and "/var/" in line]


# ---- names, files ----------------------------------------------------------------------------------


def test_processes_have_the_names_scripts_look_for(running):
    for program in PROGRAMS:
        (pid,) = running.pids(program)
        assert running.c.read(f"/proc/{pid}/comm").strip() == program
    out = running.c.run(["ps", "-e", "-o", "args="]).out
    assert "/usr/sbin/sssd -i" in out
    assert "/usr/libexec/sssd/sssd_be --domain LDAP" in out
    assert "/usr/libexec/sssd/sssd_nss" in out


def test_pid_file_and_its_link_name_the_monitor(running):
    c = running.c
    pid = str(c.main_pid("sssd.service"))
    assert c.read("/run/sssd/sssd.pid").strip() == pid
    assert c.run(["readlink", "/run/sssd.pid"]).out.strip() == "/run/sssd/sssd.pid"
    assert c.read("/var/run/sssd.pid").strip() == pid  # what Debian's logrotate reads
    c.systemctl("stop", "sssd.service")
    assert not c.exists("/run/sssd/sssd.pid")


# ---- start -----------------------------------------------------------------------------------------


def test_what_services_names_answers_when_start_returns(suite):
    c = suite.c
    c.systemctl("disable", "--now", "sssd-nss.socket")
    suite.configure(services="nss")
    for _ in range(by_length(3, 50)):
        c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
        c.sh("rm -rf /var/lib/sss/db/*")
        counts = c.sh(
            "systemctl start sssd && " "exec /usr/libexec/sssd-tests/nsscall --count 1 passwd alice"
        ).out
        assert '"success": 1' in counts
    c.systemctl("enable", "sssd-nss.socket")


def test_start_under_load_gives_no_wrong_answer(suite):
    """A name that is in the directory is never "not there", whatever starts or stops."""
    c = suite.c
    suite.configure()
    for client in ("ours", "debian"):
        with steady(suite.c, "passwd", "alice", "bob", "10001", client=client) as load:
            for _ in range(by_length(3, 50)):
                c.systemctl("start", "sssd.service")
                assert suite.passwd("alice", client=client) == ALICE
                c.systemctl("stop", "sssd.service")
            c.systemctl("restart", "sssd.service")
        assert load.calls.were_never_wrong(), load.calls
        assert load.calls.success > 0


def test_cached_users_are_answered_through_stops_and_starts(running):
    """Nothing in their way needs what is stopped (S5)."""
    c = running.c
    with steady(running.c, "passwd", "alice", "bob", "10001") as load:
        for _ in range(by_length(5, 50)):
            c.systemctl("restart", "sssd.service")
        c.systemctl("stop", "sssd.service")
        c.systemctl("start", "sssd.service")
    assert load.calls.were_all_right(), load.calls


def test_unreachable_server_is_no_reason_to_fail(suite):
    c = suite.c
    suite.slapd.down()
    suite.configure()
    begin = time.monotonic()
    assert c.systemctl("start", "sssd.service").rc == 0
    assert time.monotonic() - begin < 5
    c.wait_for("it says so", lambda: "LDAP: offline" in c.show("sssd.service", "StatusText"))
    suite.slapd.up()
    c.wait_for("it is online", lambda: suite.passwd("alice"), timeout=35)


def test_silent_server_is_no_reason_to_fail(suite):
    """It takes the connection and says nothing: READY does not wait for it."""
    c = suite.c
    suite.slapd.pause()
    suite.configure()
    try:
        begin = time.monotonic()
        assert c.systemctl("start", "sssd.service").rc == 0
        assert time.monotonic() - begin < 5
    finally:
        suite.slapd.resume()


def test_second_monitor_is_refused(running):
    c = running.c
    result = c.run(["/usr/sbin/sssd", "-i"], check=False, env={"NOTIFY_SOCKET": "/dev/null"})
    assert result.rc == 6, result
    assert "running" in result.out + result.err + c.journal("-n", "10", "-t", "sssd")
    assert is_whole(running)


# ---- sssd.conf -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, mode, owner",
    [
        (MAIN, 0o600, "root:root"),
        (MAIN, 0o400, "root:root"),
        (MAIN, 0o640, "root:sssd"),
        (MAIN, 0o600, "sssd:sssd"),
        (f"{SNIPPETS}/10-site.conf", 0o600, "root:root"),
        (f"{SNIPPETS}/10-site.conf", 0o640, "root:sssd"),
    ],
)
def test_configuration_may_have_these_owners(suite, path, mode, owner):
    c = suite.c
    c.write(path, sssd_conf(), mode, owner)
    check = c.run(["sssctl", "config-check"], check=False)
    assert check.rc == 0, check
    c.systemctl("start", "sssd.service")
    assert suite.passwd("alice") == ALICE
    for program in PROGRAMS:
        for pid in suite.pids(program):
            status = c.read(f"/proc/{pid}/status")
            assert "CapEff:\t0000000000000000" in status and "Uid:\t0" not in status


def test_password_is_in_the_file_of_its_backend_only(suite):
    c = suite.c
    suite.start(ldap_default_bind_dn="cn=reader," + BASE, ldap_default_authtok="reader-secret")
    assert suite.passwd("alice") == ALICE
    found = c.sh("grep -rl reader-secret /var/lib/sss /run/sssd /run/sss || true").out.split()
    assert found and all(path.startswith("/var/lib/sss/conf/be/LDAP/") for path in found), found
    modes = c.sh("find /var/lib/sss/conf -type f ! -name .lock -printf '%m %u:%g\\n' | sort -u").out
    assert modes.splitlines() == ["640 root:sssd"]
    assert c.sh("stat -c '%a %U' /var/lib/sss/conf/.lock").out == "600 root\n"


def test_a_service_takes_no_other_configuration(suite):
    """Its root step has read one already."""
    result = suite.c.run(
        ["sssd", "-i", "--config=/etc/sssd/sssd.conf"], check=False, timeout=20, env={"NOTIFY_SOCKET": "/run/none"}
    )
    assert result.rc == 1 and "--config belongs to sssd_conf" in result.err, result


# ---- guides, backups -------------------------------------------------------------------------------


def test_stop_remove_start_is_whole_at_once(running):
    """What every guide does, under load."""
    c = running.c
    for client in ("ours", "debian"):
        with steady(running.c, "passwd", "alice", "bob", client=client) as load:
            for n in range(by_length(2, 10)):
                c.systemctl("stop", "sssd")
                c.sh("rm -rf /var/lib/sss/db/* /var/lib/sss/mc/* /var/lib/sss/pipes/*")
                running.configure(nss={"entry_negative_timeout": 10 + n})
                c.systemctl("start", "sssd")
                c.wait_for("it is whole", lambda: is_whole(running), timeout=5)
        assert load.calls.were_never_wrong(), load.calls
        assert_tidy(running)
    assert c.failed_units() == []


@pytest.mark.parametrize("nss", ["active", "inactive"])
def test_removed_tree_is_whole_after_the_start(running, nss):
    c = running.c
    c.systemctl("stop", "sssd.service")
    if nss == "active":
        assert running.passwd("alice") == ALICE
    else:
        c.systemctl("stop", "sssd-nss.service")
    c.sh("rm -rf /var/lib/sss /var/log/sssd")
    c.systemctl("start", "sssd.service")
    c.wait_for("it is whole", lambda: is_whole(running), timeout=5)
    assert_tidy(running)


@pytest.mark.parametrize("nss", ["active", "inactive"])
def test_tree_restored_with_other_owners_is_whole_after_the_start(running, nss):
    """As from a backup: real directories with dead sockets, everything somebody else's."""
    c = running.c
    c.systemctl("stop", "sssd.service")
    c.sh(
        "cp -a /var/lib/sss /root/backup; cp -a /var/log/sssd /root/logs; "
        "rm -rf /var/lib/sss /var/log/sssd"
    )
    if nss == "active":
        running.passwd("alice")
    else:
        c.systemctl("stop", "sssd-nss.service")
    c.sh(
        "mv /root/backup /var/lib/sss; mv /root/logs /var/log/sssd; cd /var/lib/sss; "
        "rm pipes; mkdir -p pipes/private; "
        "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('pipes/nss')\"; "
        "chown -R daemon:daemon /var/lib/sss /var/log/sssd; chmod -R go+rwX /var/lib/sss"
    )
    c.systemctl("start", "sssd.service")
    c.wait_for("it is whole", lambda: is_whole(running), timeout=5)
    assert_tidy(running)
    assert c.failed_units() == []


VANISHED = {
    "db": "rm -rf /var/lib/sss/db/*",
    "all-files": "rm -rf /var/lib/sss/db/* /var/lib/sss/mc/* /var/lib/sss/pipes/*",
    "directories": "rm -rf /var/lib/sss/db /var/lib/sss/mc",
    "everything": "rm -rf /var/lib/sss",
    "everything-and-logs": "rm -rf /var/lib/sss /var/log/sssd",
    "sockets": "rm -f /run/sss/pipes/nss",
    "the-run-tree": "rm -rf /run/sss",
}


@pytest.mark.parametrize("what", VANISHED)
def test_files_that_vanish_under_running_daemons_come_back(running, what):
    c = running.c
    c.sh(VANISHED[what])

    def whole():
        return is_whole(running) and not deleted_files(running)

    c.wait_for("it is whole", whole, timeout=60, step=0.5)
    assert_tidy(running)
    assert c.failed_units() == []
    # The one that runs now is the one that listens: it is woken again when it is gone.
    c.systemctl("stop", "sssd-nss.service")
    assert is_whole(running)


def test_log_files_that_vanish_under_running_daemons_come_back(running):
    """Within ten seconds where there is something to do, else when the monitor asks who lives."""
    c = running.c
    wake = by_length(True, False)
    c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    try:
        c.systemctl("stop", "sssd-nss.service", "sssd.service")
        running.start(services="nss")
        files = [f"/var/log/sssd/{name}.log" for name in ("sssd", "sssd_nss", "sssd_LDAP")]
        assert all(c.exists(file) for file in files)
        before = {program: running.pids(program) for program in PROGRAMS}
        c.sh("rm -f /var/log/sssd/*")

        def whole():
            if wake:
                c.run(["sssctl", "services"])
                assert running.passwd(f"absent{time.monotonic_ns()}") is None
            return all(c.exists(file) for file in files)

        c.wait_for("they are there", whole, timeout=20 if wake else 70, step=0.5)
        assert is_whole(running)
        assert deleted_files(running) == []
        assert {program: running.pids(program) for program in PROGRAMS} == before
    finally:
        c.run(["rm", "-f", "/etc/default/sssd"])
        c.systemctl("stop", "sssd-nss.service", "sssd.service")


def test_healthy_sockets_are_left_alone_by_a_start(running):
    c = running.c
    before = c.run(["stat", "-c", "%i", "/run/sss/pipes/nss"]).out
    listens_since = c.show("sssd-nss.socket", "ActiveEnterTimestampMonotonic")
    with steady(c, "passwd", "alice", "bob") as load:
        c.systemctl("restart", "sssd.service")
    assert load.calls.were_all_right(), load.calls
    assert c.run(["stat", "-c", "%i", "/run/sss/pipes/nss"]).out == before
    assert is_whole(running)
    assert c.show("sssd-nss.socket", "ActiveState") == "active"
    assert c.show("sssd-nss.socket", "ActiveEnterTimestampMonotonic") == listens_since
    assert running.pids("sssd_nss") == [c.main_pid("sssd-nss.service")]


# ---- signals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", ["HUP", "USR1", "USR2"])
def test_signal_is_harmless_to_every_process(running, signal):
    c = running.c
    before = {program: running.pids(program) for program in PROGRAMS}
    with steady(running.c, "passwd", "alice", "bob") as load:
        for _ in range(3):
            for program in PROGRAMS:
                c.run(["kill", f"-{signal}", *map(str, running.pids(program))])
        # Each has handled it when it has answered something else.
        assert c.run(["sssctl", "services"]).rc == 0
        assert running.passwd("bob") is not None
    assert load.calls.were_all_right(), load.calls
    assert {program: running.pids(program) for program in PROGRAMS} == before
    assert c.failed_units() == []
    c.run(["kill", "-USR2", str(c.main_pid("sssd.service"))])


HOLD = """
import fcntl, sys
lock = open("/var/lib/sss/conf/.lock", "r+")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def signal_all(c, times=5):
    for _ in range(times):
        for signal in "HUP", "USR1", "USR2":
            c.systemctl("kill", "-s", signal, "sssd.service")


@pytest.mark.parametrize("job", ["start", "reload"])
def test_signals_are_harmless_to_the_step_that_reads_the_configuration(running, job):
    c = running.c
    if job == "start":
        c.systemctl("stop", "sssd.service")
    running.configure(nss={"filter_users": "bob"})
    holder = c.popen(["python3", "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    waits = c.popen(["systemctl", job, "sssd.service"])
    c.wait_for("sssd_conf", lambda: "sssd_conf" in c.sh("ps -e -o comm=").out.split())
    time.sleep(0.1)  # it comes from sssd_prepare by execve(2): its main() has begun
    signal_all(c)
    holder.stdin.close()
    holder.wait()
    assert waits.wait() == 0
    assert running.passwd("bob") is None and running.passwd("alice") == ALICE


def test_signals_are_harmless_to_the_step_that_starts_services(suite):
    c = suite.c
    slow = "/run/systemd/system/sssd-nss.service.d/slow.conf"
    c.systemctl("stop", "sssd-nss.service")
    c.write(slow, "[Service]\nExecStartPre=sleep 2\n")
    c.systemctl("daemon-reload")
    try:
        suite.configure(services="nss")
        waits = c.popen(["systemctl", "start", "sssd.service"])
        c.wait_for("it waits", lambda: "start-pre" in c.show("sssd-nss.service", "SubState"))
        signal_all(c)
        assert waits.wait() == 0
        assert c.show("sssd.service", "NRestarts") == "0"
        assert suite.passwd("alice") == ALICE
    finally:
        c.run(["rm", slow])
        c.systemctl("daemon-reload")


@pytest.mark.parametrize("program", ["sssd", "sssd_be"])
def test_usr1_is_offline_usr2_is_online(running, program):
    """To the monitor, which passes it on, or to the backend itself."""
    c = running.c

    def status():
        return c.show("sssd.service", "StatusText")

    c.wait_for("it is online", lambda: "LDAP: online" in status())
    c.run(["kill", "-USR1", *map(str, running.pids(program))])
    c.wait_for("it is offline", lambda: "LDAP: offline" in status())
    assert running.passwd("alice") == ALICE
    assert ask(running.c, "passwd", "nobody-asked-for-this").notfound == 1
    assert running.passwd("dave.o-neill_1") is None  # never seen

    c.run(["kill", "-USR2", *map(str, running.pids(program))])
    c.wait_for("it is online", lambda: "LDAP: online" in status(), timeout=5)
    c.wait_for("the new is found", lambda: running.passwd("dave.o-neill_1"), timeout=20)


@pytest.mark.parametrize("program", PROGRAMS)
def test_kill_9_of_any_process_brings_it_back(running, program):
    c = running.c
    for _ in range(by_length(2, 20)):
        (old,) = running.pids(program)
        with steady(running.c, "passwd", "alice", "bob") as load:
            c.run(["kill", "-9", str(old)])
            c.wait_for("it is back", lambda: set(running.pids(program)) - {old}, timeout=12)
        assert load.calls.were_all_right(), load.calls
    c.wait_for("it is whole", lambda: is_whole(running), timeout=12)
    c.wait_for("one of each", lambda: [len(running.pids(p)) for p in PROGRAMS] == [1, 1, 1])
    assert c.failed_units() == []


def test_kill_9_of_all_brings_them_back(running):
    c = running.c
    c.run(["kill", "-9", *(str(pid) for program in PROGRAMS for pid in running.pids(program))])
    c.wait_for("it is whole", lambda: is_whole(running), timeout=12)
    c.wait_for("one of each", lambda: [len(running.pids(p)) for p in PROGRAMS] == [1, 1, 1])
    assert c.failed_units() == []


def test_stop_ends_every_process_and_the_socket_stays(running):
    c = running.c
    c.systemctl("stop", "sssd.service")
    c.wait_for("the responder leaves", lambda: running.pids("sssd_nss") == [])
    assert running.pids("sssd") == running.pids("sssd_be") == []
    assert running.passwd("alice") == ALICE  # it wakes one
    assert c.failed_units() == []


# ---- logs ------------------------------------------------------------------------------------------

REQUEST = re.compile(r"\b[0-9a-f]{16}\b")


def log_files(suite):
    out = suite.c.sh("cd /var/log/sssd; ls").out.split()
    return {name: suite.c.read(f"/var/log/sssd/{name}") for name in out}


@pytest.fixture
def logging(suite):
    """Everything into files, by --logger=files as /etc/default/sssd has it."""
    c = suite.c
    c.sh("rm -f /var/log/sssd/*")
    c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    suite.start(sssd={"debug_level": 9}, nss={"debug_level": "0x3f7f0"}, debug_level=9)
    yield suite
    c.run(["rm", "/etc/default/sssd"])


def test_one_request_has_one_id_in_all_files(logging):
    assert logging.passwd("alice") == ALICE
    files = log_files(logging)
    assert set(files) >= {"sssd.log", "sssd_nss.log", "sssd_LDAP.log"}
    asked = [line for line in files["sssd_nss.log"].splitlines() if "alice" in line]
    ids = {found for line in asked for found in REQUEST.findall(line)}
    assert len(ids) == 1, asked
    (id,) = ids
    assert any(id in line and "alice" in line for line in files["sssd_LDAP.log"].splitlines())
    assert logging.c.sh("stat -c '%U %a' /var/log/sssd/*").out.split("\n")[0].startswith("sssd 6")


def test_two_requests_have_two_ids(logging):
    logging.passwd("alice")
    logging.passwd("carol")
    text = log_files(logging)["sssd_nss.log"]
    ids = [
        {found for line in text.splitlines() if name in line for found in REQUEST.findall(line)}
        for name in ("alice", "carol")
    ]
    assert ids[0] and ids[1] and not ids[0] & ids[1]


@pytest.mark.parametrize("how", ["HUP to the pid file", "HUP to each"])
def test_files_are_opened_again_on_hup(logging, how):
    """As logrotate does it: rename, then the signal."""
    c = logging.c
    logging.passwd("alice")
    c.sh("cd /var/log/sssd; for f in *.log; do mv $f $f.1; done")
    if how == "HUP to each":
        c.run(["kill", "-HUP", *(str(pid) for p in PROGRAMS for pid in logging.pids(p))])
    else:
        c.sh("kill -HUP $(cat /run/sssd.pid)")

    def opened():
        logging.passwd("nobody-at-all")
        files = log_files(logging)
        return all(files.get(f"{name}.log") for name in ("sssd_nss", "sssd_LDAP"))

    c.wait_for("all write to new files", opened, timeout=5)
    assert "alice" in c.read("/var/log/sssd/sssd_nss.log.1")
    script = "for pid in $(pidof sssd sssd_be sssd_nss); do ls -l /proc/$pid/fd; done"
    assert ".log.1" not in c.sh(script).out


def test_debug_level_0_to_10_and_masks_are_taken(suite):
    c = suite.c
    for level in ("0", "2", "10", "0x0070", "0xfff0"):
        suite.configure(nss={"debug_level": level}, debug_level=level)
        assert c.run(["sssctl", "config-check"]).rc == 0
        c.systemctl("restart", "sssd.service")
        assert suite.passwd("alice") == ALICE


def test_journal_by_default_with_the_request_as_a_field(suite):
    c = suite.c
    suite.start(nss={"debug_level": 6}, debug_level=6)
    c.sh("rm -f /var/log/sssd/*")
    suite.passwd("alice")
    c.run(["journalctl", "--sync"])
    ids = c.run(["journalctl", "-q", "-F", "SSS_REQUEST"]).out.split()
    assert ids
    seen = [
        c.run(["journalctl", "-q", "-o", "cat", f"SSS_REQUEST={id}", f"_COMM={name}"]).out
        for id in ids
        for name in ("sssd_nss", "sssd_be")
    ]
    assert sum(bool(text) for text in seen) >= 2
    assert c.sh("ls /var/log/sssd").out == ""


# ---- nobody there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["ours", "debian"])
@pytest.mark.parametrize("state", ["stopped", "never-configured", "tree-removed"])
def test_client_library_answers_at_once_when_nothing_runs(suite, client, state):
    c = suite.c
    c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
    if state == "never-configured":
        c.systemctl("start", "sssd-nss.socket")  # enabled by preset, nothing compiled
    elif state == "tree-removed":
        c.sh("rm -rf /var/lib/sss /run/sss")
    ask(suite.c, "passwd", "alice", client=client)
    for map in ("passwd", "group", "initgroups"):
        counts = ask(suite.c, map, "alice", client=client, count=50)
        assert counts.unavail + counts.notfound == 50, counts
        assert counts.median_us < 1000, counts
    assert c.run(["id", "root"]).rc == 0


def test_certificate_file_of_the_fixture_is_what_the_configuration_names(machine, slapd):
    """A guard for this file itself: no test above passes because TLS was not used."""
    assert CA in sssd_conf() and "ldaps://" in sssd_conf()
