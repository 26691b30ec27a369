# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a responder: woken by the first question, gone when idle, as nobody in particular."""
import pytest

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"


@pytest.fixture
def asleep(suite):
    """The suite with no responder running."""
    suite.c.systemctl("stop", "sssd-nss.service")
    return suite


@pytest.fixture
def hasty(suite):
    """The suite with a responder that leaves after 300 ms."""
    suite.idle_exit(300)
    suite.c.systemctl("stop", "sssd-nss.service")
    yield suite
    suite.idle_exit(None)
    suite.c.systemctl("stop", "sssd-nss.service")


def gone(suite):
    return suite.c.show("sssd-nss.service", "ActiveState") == "inactive"


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_first_question_wakes_the_responder(asleep, client):
    assert asleep.pids("sssd_nss") == []
    assert asleep.passwd("alice", client=client) == ALICE
    assert len(asleep.pids("sssd_nss")) == 1


def test_many_first_questions_wake_one_responder(asleep):
    asleep.c.sh(
        "for i in $(seq 40); do getent passwd alice >/tmp/out.$i & done; wait; "
        "sort -u /tmp/out.* >/tmp/out"
    )
    assert asleep.c.read("/tmp/out") == ALICE + "\n"
    assert len(asleep.pids("sssd_nss")) == 1


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_idle_responder_leaves_and_is_woken_again(hasty, client):
    for _ in range(3):
        assert hasty.passwd("alice", client=client) == ALICE
        hasty.c.wait_for("the responder leaves", lambda: gone(hasty))
        assert hasty.c.show("sssd-nss.socket", "ActiveState") == "active"
        assert hasty.c.show("sssd-nss.service", "Result") == "success"


def test_responder_is_unprivileged_before_it_answers(suite):
    assert suite.passwd("alice") == ALICE
    pid = suite.c.main_pid("sssd-nss.service")
    status = dict(line.split(":\t", 1) for line in suite.c.read(f"/proc/{pid}/status").splitlines())
    uid = suite.c.run(["id", "-u", "sssd"]).out.strip()
    assert status["Uid"].split() == [uid] * 4
    assert status["Gid"].split() == [suite.c.run(["id", "-g", "sssd"]).out.strip()] * 4
    assert status["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"


def test_no_daemon_has_a_capability(suite):
    suite.passwd("alice")
    for program in ("sssd", "sssd_be", "sssd_nss"):
        for pid in suite.pids(program):
            status = suite.c.read(f"/proc/{pid}/status")
            assert "CapEff:\t0000000000000000" in status, f"{program}\n{status}"
            assert "Uid:\t0" not in status, program


def test_killed_responder_comes_back_by_itself(suite):
    suite.passwd("alice")
    for _ in range(5):
        old = suite.c.main_pid("sssd-nss.service")
        suite.c.systemctl("kill", "--signal=KILL", "sssd-nss.service")
        assert suite.passwd("alice") == ALICE
        assert (
            suite.c.wait_for("a responder runs", lambda: suite.c.main_pid("sssd-nss.service"))
            != old
        )


def test_cached_answers_need_neither_monitor_nor_server(suite):
    for name in ("alice", "bob"):
        suite.id(name)
    suite.slapd.down()
    suite.c.systemctl("stop", "sssd.service")
    try:
        assert suite.passwd("alice") == ALICE
        assert suite.passwd("alice", client="debian") == ALICE
        assert suite.id("bob") == (10002, 20001, {20001, 20002, 20006})
    finally:
        suite.slapd.up()
        suite.c.systemctl("start", "sssd.service")


def test_cached_answers_cost_the_server_nothing(suite):
    suite.id("alice")
    before = suite.slapd.searches()
    for client in ("ours", "debian"):
        assert suite.passwd("alice", client=client) == ALICE
        suite.id("alice", client=client)
    assert suite.slapd.searches() == before


def test_server_stopped_known_users_answered_unknown_definite(suite):
    suite.id("alice")
    suite.slapd.down()
    try:
        assert suite.passwd("alice") == ALICE
        assert suite.id("alice") == (10001, 20001, {20001, 20002, 20004})
        result = suite.getent("passwd", "never-seen-before")
        assert result.rc == 2 and result.ms < 5500
    finally:
        suite.slapd.up()
    suite.c.wait_for("online again", lambda: suite.passwd("dave.o-neill_1"), timeout=35)
