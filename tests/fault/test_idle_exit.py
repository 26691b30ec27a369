# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thousands of idle exits, each with clients at its very instant: no request is lost.

All clients ask in rounds, within JITTER ms. The responder leaves after IDLE ms without a question,
which is when the next round begins: some come before the exit, some during it, some after it; over
kept connections and over new ones."""
import pytest

from length import by_length
from load import Load
from supervisor import Supervisor

IDLE, JITTER = 15, 10
EXITS = by_length(200, 10000)
EXITS_UNDER_SYSTEMD = by_length(40, 1000)
NAMES = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def cached(suite):
    for name in NAMES:
        assert suite.passwd(name)
    return suite


def clients_around(c, n, every_ms, seconds):
    """n clients: half of them Debian's, a quarter of each half over a new connection every time."""
    loads = []
    for client in ("ours", "debian"):
        for fresh in (False, True):
            share = max(n // 8, 1) if fresh else max(n // 2 - n // 8, 1)
            options = {"fresh": True} if fresh else {}
            loads.append(
                Load(
                    c,
                    "passwd",
                    *NAMES,
                    client=client,
                    clients=share,
                    seconds=seconds,
                    every_us=every_ms * 1000,
                    jitter_us=JITTER * 1000,
                    **options,
                )
            )
    return loads


def run_until(c, n_clients, every_ms, exits, wanted):
    """Rounds until exits() has grown by wanted."""
    begin, rounds = exits(), 0
    while exits() - begin < wanted:
        rounds += 1
        assert rounds <= 40, f"{exits() - begin} exits of {wanted}: the rounds do not fit the exits"
        for load in clients_around(c, n_clients, every_ms, seconds=wanted * every_ms / 3000 + 1):
            calls = load.end()
            assert calls.were_all_right(10), calls


@pytest.mark.parametrize("n_clients, every_ms", [(4, 27), (16, 30), (64, 45)])
def test_no_request_is_lost(cached, n_clients, every_ms):
    c = cached.c
    c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service")
    try:
        with Supervisor(c, IDLE) as nss:
            run_until(c, n_clients, every_ms, nss.count, EXITS // 3)
        assert nss.bad == []
    finally:
        c.systemctl("start", "sssd-nss.socket")


def test_no_request_is_lost_under_systemd(cached):
    """The same with the real units; a start takes longer there."""
    c = cached.c

    def exits():
        return c.journal("-u", "sssd-nss.service").count("Deactivated successfully")

    cached.idle_exit(IDLE)
    c.systemctl("stop", "sssd-nss.service")
    try:
        for n_clients in (4, 64):
            run_until(c, n_clients, 100, exits, EXITS_UNDER_SYSTEMD // 2)
    finally:
        cached.idle_exit(None)
        c.systemctl("stop", "sssd-nss.service")
