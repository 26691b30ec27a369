# SPDX-License-Identifier: LGPL-2.1-or-later
"""TERM, and restarts of our units in any order, under load (S13).

Whoever ends or restarts services loses nothing, with either client. While the socket itself is
restarted nobody listens for a moment: our client says "unavailable" at once then, as it does
wherever nothing of ours runs, and is served again when systemctl returns; Debian's also loses what
was in the backlog of the closed socket (systemd-notes.md, 6: 0.5 % of its calls)."""
import os
import random
import time

import pytest

from length import by_length
from load import Load
from wire import GET_VERSION, GETPWNAM, Wire, connect_many, frame, name, number, socket_of

NAMES = ("alice", "bob", "carol")
CLIENTS = 8
RESTARTS = by_length(15, 200)
LONGEST = by_length(60, 600)  # seconds that the load lasts if need be
UNITS = ("sssd-nss.service", "sssd-nss.socket", "sssd.service")


@pytest.fixture(scope="module")
def cached(suite):
    for one in NAMES:
        assert suite.passwd(one)
    return suite


def under_load(suite, client, work, at_least):
    """Calls made while work() is done again and again: kept connections, and a few new ones."""
    stop_at = time.monotonic() + LONGEST - 5
    loads = [
        Load(
            suite.c,
            "passwd",
            *NAMES,
            client=client,
            clients=clients,
            seconds=LONGEST,
            until_eof=True,
            pause_us=500,
            failures=True,
            **options,
        )
        for clients, options in ((CLIENTS, {}), (2, {"fresh": True}))
    ]
    for _ in range(at_least):
        work()
        assert time.monotonic() < stop_at, "the load ends too early: this machine is too slow"
    return [load.stop() for load in loads]


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_term_of_the_responder_loses_nothing(cached, client):
    """It is started again by the next question."""

    def term():
        cached.c.systemctl("kill", "--signal=TERM", "sssd-nss.service")
        time.sleep(0.1)

    for calls in under_load(cached, client, term, RESTARTS):
        assert calls.were_all_right(100), calls


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_restart_of_the_services_loses_nothing(cached, client):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance = random.Random(seed)

    def restart():
        cached.c.systemctl(
            "restart", chance.choice(["sssd-nss.service", "sssd-nss.service", "sssd.service"])
        )

    for calls in under_load(cached, client, restart, RESTARTS):
        assert calls.were_all_right(100), calls


@pytest.mark.parametrize("client", ["ours", "debian"])
def test_restarts_in_any_order(cached, client):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance = random.Random(seed)

    gaps = []

    def restart():
        units = chance.sample(UNITS, chance.randrange(1, 4))
        begin = time.monotonic()
        cached.c.systemctl("restart", *units)
        if "sssd-nss.socket" in units:
            gaps.append((begin, time.monotonic()))

    for calls in under_load(cached, client, restart, RESTARTS):
        assert calls.wrong == calls.notfound == 0 and calls.success > 100, calls
        for _, begin, end in calls.failures:
            assert any(gap[0] <= end and begin <= gap[1] for gap in gaps), (begin, end, gaps)
        assert calls.failed <= calls.calls / 20, calls
    assert [cached.c.show(unit, "ActiveState") for unit in UNITS[1:]] == ["active", "active"]
    assert cached.passwd("alice")


def test_all_units_restarted_in_one_go(cached):
    """Where the monitor's end lets the responder leave just as its socket is restarted."""
    load = Load(
        cached.c, "passwd", *NAMES, clients=8, seconds=LONGEST, until_eof=True, pause_us=500
    )
    for _ in range(by_length(5, 50)):
        cached.c.systemctl("restart", "sssd.service", "sssd-nss.socket", "sssd-nss.service")
        assert cached.passwd("alice")
    assert load.stop().wrong == 0


def test_stop_of_everything_and_start_again(cached):
    """While nothing listens, our client says "unavailable" at once; afterwards it goes on by
    itself."""
    c = cached.c
    load = Load(c, "passwd", *NAMES, clients=2, seconds=LONGEST, until_eof=True, pause_us=1000)
    for _ in range(3):
        c.systemctl("stop", *UNITS)
        assert cached.getent("passwd", "alice").ms < 1000
        c.systemctl("start", "sssd-nss.socket", "sssd.service")
        assert cached.passwd("alice")
    calls = load.stop()
    assert calls.wrong == calls.notfound == calls.tryagain == 0 and calls.max_us < 5e6, calls


# -- what may hold up the end ---------------------------------------------------------------------


def stop_ms(c):
    begin = time.monotonic()
    c.systemctl("stop", "sssd-nss.service")
    assert c.show("sssd-nss.service", "Result") == "success"
    return (time.monotonic() - begin) * 1000


def test_idle_and_half_open_connections_do_not_hold_up_the_end(cached):
    path = socket_of(cached.c)
    silent = connect_many(path, 20, greet=False) + connect_many(path, 20)
    with Wire(path) as half:
        half.send(frame(GETPWNAM, name("alice"))[:18])
        assert stop_ms(cached.c) < 1000
        assert half.is_closed()
    for one in silent:
        assert one.is_closed()


def test_handshake_at_the_end_gets_to_the_answer_of_its_question(cached):
    """A client does not repeat a handshake that fails, and Debian's stands still for 300 s when the
    connection ends with the reply to it unread."""
    path = socket_of(cached.c)
    assert cached.passwd("alice")
    with Wire(path, greet=False) as fresh, Wire(path) as greeted:
        cached.c.systemctl("kill", "--signal=TERM", "sssd-nss.service")
        assert fresh.ask(GET_VERSION, number(1)).body == number(1)
        for one in (fresh, greeted):
            assert one.ask(GETPWNAM, name("alice")).status == 0
            assert one.is_closed()
    assert cached.c.show("sssd-nss.service", "Result") == "success"


def test_question_under_way_is_answered_before_the_end(cached):
    cached.slapd.pause()
    try:
        with Wire(socket_of(cached.c)) as one:
            one.send(frame(GETPWNAM, name("under-way")))
            stopping = cached.c.popen(["systemctl", "stop", "sssd-nss.service"])
            assert not one.is_closed(within=0.3)
            cached.slapd.resume()
            one.socket.settimeout(6)
            assert one.reply() == (GETPWNAM, 0, bytes(8))
            assert one.is_closed()
            assert stopping.wait(5) == 0
    finally:
        cached.slapd.resume()
    assert cached.c.show("sssd-nss.service", "Result") == "success"


def test_silent_server_holds_up_the_end_for_a_request_s_budget_at_most(cached):
    cached.slapd.pause()
    try:
        with Wire(socket_of(cached.c)) as one:
            one.send(frame(GETPWNAM, name("never-answered")))
            assert not one.is_closed(within=0.1)
            assert stop_ms(cached.c) < 5500
            assert one.is_told() != 0
    finally:
        cached.slapd.resume()
