# SPDX-License-Identifier: LGPL-2.1-or-later
"""sssctl metrics: the counts are what happened, whoever was killed, and with everything down."""
import pytest

from kcm import Kcm
from load import Processes
from metrics import metrics, parse
from suite import MEMCACHE, Suite


def counted(suite, ask):
    before = metrics(suite.c)
    ask()
    return metrics(suite.c) - before


# ---- what is counted ----


def test_a_lookup_is_counted_wherever_it_comes_by(suite):
    searches = suite.slapd.searches()
    first = counted(suite, lambda: suite.passwd("alice"))
    assert first.of("nss", "sssd_requests_total") == {("user_by_name", "ok"): 1}
    assert first.of("nss", "sssd_answers_total") == {("backend",): 1}
    assert first["sssd_request_seconds_count", "nss"] == 1
    assert 0 < first["sssd_request_seconds_sum", "nss"] < 5
    assert first.of("be_LDAP", "sssd_requests_total") == {("user_by_name", "ok"): 1}
    for family in ("commits", "committed_changes", "committed_records", "entries"):
        assert first[f"sssd_{family}_total", "be_LDAP"] == 1, family
    assert first["sssd_searches_total", "be_LDAP", "question"] == suite.slapd.searches() - searches

    again = counted(suite, lambda: suite.passwd("alice"))
    assert again.of("nss", "sssd_answers_total") == {("fresh",): 1}
    assert again.of("be_LDAP", "sssd_requests_total") == {}
    assert again.of("be_LDAP", "sssd_searches_total") == {}


@pytest.mark.parametrize(
    "database, key, kind, result",
    [
        ("passwd", "10002", "user_by_id", "ok"),
        ("group", "devs", "group_by_name", "ok"),
        ("group", "20001", "group_by_id", "ok"),
        ("initgroups", "alice", "initgroups", "ok"),
        ("passwd", "nosuchuser", "user_by_name", "not_found"),
        ("passwd", "4000000", "user_by_id", "not_found"),
        ("group", "nosuchgroup", "group_by_name", "not_found"),
    ],
)
def test_requests_by_kind_and_result(suite, database, key, kind, result):
    for _ in range(2):
        requests = counted(suite, lambda: suite.getent(database, key))
        assert requests.of("nss", "sssd_requests_total") == {(kind, result): 1}
    if result == "not_found":
        assert requests.of("nss", "sssd_answers_total") == {("negative",): 1}


def test_what_no_domain_has_is_nobodys(suite):
    requests = counted(suite, lambda: suite.getent("passwd", "65535"))
    assert requests.of("nss", "sssd_answers_total") == {("nobodys",): 1}


def test_a_list_is_counted_as_a_list(suite):
    requests = counted(suite, lambda: suite.getent("passwd"))
    assert set(requests.of("nss", "sssd_requests_total")) == {("list", "ok")}


def test_many_clients_are_all_counted(suite):
    ask = "for i in $(seq 8); do (for j in $(seq 50); do getent passwd alice; done) & done; wait"
    requests = counted(suite, lambda: suite.c.sh(f"{{ {ask}; }} >/dev/null"))
    assert requests.of("nss", "sssd_requests_total") == {("user_by_name", "ok"): 400}
    assert requests["sssd_request_seconds_count", "nss"] == 400
    assert requests["sssd_loop_seconds_count", "nss"] >= 50


def test_tickets_are_counted(suite):
    suite.c.systemctl("start", "sssd-kcm.socket")

    def work():
        with Kcm(suite.c, uid=4001) as kcm:
            kcm.initialize("4001")
            assert kcm.store("4001", "www") == 0
            kcm.retrieve("4001", "www")
            kcm.retrieve("4001", "ftp")

    requests = counted(suite, work).of("kcm", "sssd_requests_total")
    assert requests == {
        ("tickets_changed", "ok"): 2,
        ("tickets_read", "ok"): 1,
        ("tickets_read", "not_found"): 1,
    }


# ---- what happens to the processes ----


def test_counts_outlive_a_kill(suite):
    begin = metrics(suite.c)
    for name, process in (("sssd_nss", "nss"), ("sssd_be", "be_LDAP"), ("sssd", "sssd")):
        suite.passwd("alice")
        before = metrics(suite.c)
        Processes(suite.c).kill(name)
        suite.c.wait_for(
            f"{process} counts again",
            lambda: suite.passwd("alice")
            and (metrics(suite.c) - before)["sssd_starts_total", process] == 1,
        )
        assert (metrics(suite.c) - before).of(process, "sssd_exits_total") == {}
    since = metrics(suite.c) - begin
    assert since["sssd_requests_total", "nss", "user_by_name", "ok"] >= 6
    assert since["sssd_backend_restarts_total", "sssd"] == 1


def test_idle_exits_and_stops_are_told_apart(suite):
    suite.idle_exit(200)
    before = metrics(suite.c)
    suite.c.systemctl("stop", "sssd-nss.service")
    assert suite.passwd("alice")
    suite.c.wait_for("idle exit", lambda: suite.pids("sssd_nss") == [])
    since = metrics(suite.c) - before
    assert since.of("nss", "sssd_exits_total") == {("stopped",): 1, ("idle",): 1}
    assert since["sssd_starts_total", "nss"] == 1
    suite.idle_exit(None)


def test_a_server_that_is_away(suite):
    suite.slapd.down()
    suite.c.run(["systemctl", "kill", "-s", "USR1", "sssd.service"])
    away = counted(suite, lambda: suite.passwd("neverseen"))
    assert away.of("be_LDAP", "sssd_requests_total") == {("user_by_name", "offline"): 1}
    assert away.of("nss", "sssd_requests_total") == {("user_by_name", "not_found"): 1}
    before = metrics(suite.c)
    suite.c.run(["systemctl", "kill", "-s", "USR2", "sssd.service"])
    suite.c.wait_for(
        "an attempt",
        lambda: (metrics(suite.c) - before)["sssd_connections_total", "be_LDAP", "failed"],
    )
    suite.slapd.up()
    suite.c.wait_for(
        "online",
        lambda: suite.c.run(["systemctl", "kill", "-s", "USR2", "sssd.service"])
        and (metrics(suite.c) - before)["sssd_state_changes_total", "be_LDAP", "online"] == 1,
    )
    since = metrics(suite.c) - before
    assert since["sssd_connections_total", "be_LDAP", "ok"] == 1
    assert since["sssd_searches_total", "be_LDAP", "connection"] >= 1
    assert metrics(suite.c)["sssd_state_changes_total", "be_LDAP", "offline"] >= 1


def test_everything_is_told_with_everything_down(suite):
    suite.passwd("alice")
    units = [f"sssd-{name}.{kind}" for name in ("nss", "kcm") for kind in ("socket", "service")]
    suite.c.systemctl("stop", *units, "sssd.service")
    assert all(suite.pids(name) == [] for name in ("sssd", "sssd_be", "sssd_nss", "sssd_kcm"))
    down = metrics(suite.c)
    for process in ("nss", "kcm", "be_LDAP", "sssd"):
        assert down["sssd_starts_total", process] >= 1
        assert down["sssd_exits_total", process, "stopped"] >= 1
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert suite.passwd("alice")
    assert (metrics(suite.c) - down)["sssd_starts_total", "nss"] == 1


def test_only_root_may_look(suite):
    result = suite.c.run(["sssctl", "metrics"], check=False, user="nobody")
    assert (result.rc, result.out, result.err) == (1, "", "'metrics' must be run as root\n")
    assert suite.c.run(["sssctl", "metrics", "x"], check=False).rc == 1


# ---- files that are not as they should be ----


@pytest.fixture(scope="module")
def other(container, slapd):
    """A machine of its own, whose files are damaged. The server is not needed."""
    with container() as c:
        suite = Suite(c)
        suite.configure(uri="ldap://127.0.0.1:1", nss=MEMCACHE)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        yield suite


def ask(suite):
    """Any question, of a responder that starts for it."""
    suite.c.systemctl("stop", "sssd-nss.service")
    assert suite.getent("passwd", "alice").rc == 2


def test_nothing_ever_ran(other):
    other.c.sh("rm -rf /run/sssd")
    assert metrics(other.c).values == {}


def test_a_responder_that_is_earlier_than_its_directory(other):
    """It counts in memory, to its end; whoever could write beside the directory could do more."""
    other.c.systemctl("stop", "sssd.service", "sssd-nss.service")
    other.c.sh("rm -rf /run/sssd")
    assert other.getent("passwd", "alice").rc == 2
    assert metrics(other.c).values == {}
    other.c.systemctl("start", "sssd.service")
    other.c.wait_for("registration", lambda: "nss" in other.c.run(["sssctl", "services"]).out)
    assert ("sssd_starts_total", "nss") not in metrics(other.c).values
    other.c.systemctl("stop", "sssd-nss.service")
    other.getent("passwd", "alice")
    assert metrics(other.c)["sssd_starts_total", "nss"] == 1
    assert sum(metrics(other.c).of("nss", "sssd_requests_total").values()) >= 1


@pytest.mark.parametrize(
    "damage",
    [
        ": >{}",
        "truncate -s 4096 {}",
        "head -c 100 /dev/urandom >{}",
        "printf x | dd of={} conv=notrunc",
        "printf '\\377' | dd of={} conv=notrunc bs=1 seek=8",
        "head -c 8 /dev/zero | tr '\\0' '\\377' | dd of={} conv=notrunc bs=1 seek=400",
        "rm {0}; ln -s /etc/shadow {0}",
        "rm {0}; mkfifo {0}",
    ],
)
def test_a_damaged_file_is_named_and_replaced(other, damage):
    path = "/run/sssd/metrics/nss"
    shadow = other.c.read("/etc/shadow")
    other.c.systemctl("start", "sssd.service")
    other.c.systemctl("stop", "sssd-nss.service")
    other.c.sh(damage.format(path))
    result = other.c.run(["sssctl", "metrics"], check=False)
    assert result.rc == 1 and result.err.startswith("nss: "), result
    assert parse(result.out)["sssd_starts_total", "sssd"] >= 1
    ask(other)
    assert metrics(other.c)["sssd_starts_total", "nss"] == 1
    assert other.c.read("/etc/shadow") == shadow


def test_a_name_of_a_file_does_nothing_to_the_terminal(other):
    other.c.systemctl("start", "sssd.service")
    path = "/run/sssd/metrics/\x1b[31m"
    other.c.write(path, "no metrics")
    try:
        assert other.c.run(["sssctl", "metrics"], check=False).err.startswith(r"\x1b[31m: ")
    finally:
        other.c.run(["rm", path])


def test_of_too_many_files_some_are_printed(other):
    other.c.systemctl("start", "sssd.service")
    where = "/run/sssd/metrics"
    other.c.sh(f"for i in $(seq 300); do cp -a {where}/sssd {where}/more-$i; done")
    try:
        result = other.c.run(["sssctl", "metrics"], check=False)
        assert result.rc == 1 and result.err.startswith(where), result
        assert result.out.count("\nsssd_starts_total{") == 256
        assert result.out.endswith("\n# EOF\n")
    finally:
        other.c.sh(f"rm {where}/more-*")


def test_a_file_that_is_cut_under_its_process_costs_that_process(suite):
    before = metrics(suite.c)
    suite.passwd("alice")
    suite.c.sh(": >/run/sssd/metrics/nss")
    for _ in range(3):
        assert suite.passwd("alice")
    suite.c.wait_for("a new file", lambda: metrics(suite.c)["sssd_starts_total", "nss"] == 1)
    suite.c.wait_for("all is well", lambda: suite.c.failed_units() == [])
    assert (metrics(suite.c) - before)["sssd_starts_total", "sssd"] == 0


@pytest.mark.parametrize("options", ["size=4k", "ro"])
def test_a_full_or_read_only_file_system_costs_nothing_but_the_counts(other, options):
    where = "/run/sssd/metrics"
    other.c.systemctl("start", "sssd.service")
    other.c.sh(f"mount -t tmpfs -o {options},mode=700,uid=sssd,gid=sssd tmpfs {where}")
    if options != "ro":
        other.c.sh(f"head -c 4096 /dev/zero >{where}/.full")
    try:
        for _ in range(20):
            ask(other)
        assert other.c.failed_units() == []
        assert metrics(other.c).values == {}
        assert other.c.sh(f"ls -A {where}").out.split() == [".full"] * (options != "ro")
    finally:
        other.c.systemctl("stop", "sssd-nss.service")
        other.c.run(["umount", "-l", where])


def test_records_of_the_memory_cache_are_counted(suite):
    suite.configure(services="nss", nss=MEMCACHE)
    suite.c.run(["sssctl", "reload", "--wait"])
    stored = counted(suite, lambda: suite.getent("passwd", "bob"))
    assert stored["sssd_memory_cache_records_total", "nss", "stored"] == 1
    # The next one finds it there, and nothing of ours hears of it.
    again = counted(suite, lambda: suite.getent("passwd", "bob"))
    assert again.of("nss", "sssd_requests_total") == {}
