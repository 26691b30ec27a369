# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9, at any moment, of anything of ours: the clients and the cache do not notice."""
import os
import random
import signal
import time

import pytest

from length import by_length
from load import Load, Processes
from slapd import Slapd, big
from suite import Suite

NAMES = ("alice", "bob", "carol")
SECONDS = by_length(20, 60)
CLIENTS = 4


@pytest.fixture(scope="module")
def cached(suite):
    for name in NAMES:
        suite.id(name)
    return suite


def some_process(processes, chance):
    """One of all processes of ours that run now: (name, pid), or None."""
    found = [(name, pid) for name in processes.NAMES for pid in processes.pids(name)]
    return chance.choice(found) if found else None


def kill_at_random(c, seconds, chance):
    """One process a second; when each responder died, as an interval of CLOCK_MONOTONIC."""
    processes, killed, begin = Processes(c), [], time.monotonic()
    counts = dict.fromkeys(processes.NAMES, 0)
    for second in range(1, seconds):
        time.sleep(max(begin + second + chance.uniform(-0.4, 0.4) - time.monotonic(), 0))
        victim = some_process(processes, chance)
        if victim is None:
            continue
        before = time.monotonic()
        os.kill(victim[1], signal.SIGKILL)
        counts[victim[0]] += 1
        if victim[0] == "sssd_nss":
            killed.append((before, time.monotonic()))
    print(f"killed: {counts}")
    return killed


def test_random_kills_cost_our_clients_nothing_and_debians_what_was_in_flight(cached):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    loads = {
        client: [
            Load(
                cached.c,
                kind,
                *NAMES,
                client=client,
                clients=CLIENTS // 2,
                seconds=SECONDS,
                pause_us=300,
                failures=True,
            )
            for kind in ("passwd", "initgroups")
        ]
        for client in ("ours", "debian")
    }
    kills = kill_at_random(cached.c, SECONDS, random.Random(seed))
    assert len(kills) >= SECONDS // 10

    for load in loads["ours"]:
        calls = load.end()
        assert calls.were_all_right(1000 * SECONDS // 10), calls

    for load in loads["debian"]:
        # Killed between its handshake's reply and the client's reading it: that waits for 300 s.
        calls = load.end(patience=400)
        assert calls.wrong == calls.notfound == 0, calls
        costs = {}
        for client, begin, end in calls.failures:
            hit = [kill for kill in kills if begin <= kill[1] and end >= kill[0]]
            assert hit, f"a call from {begin} to {end} failed, and there was no kill: {kills}"
            costs.setdefault((client, hit[0]), []).append((begin, end))
        assert all(len(failed) == 1 for failed in costs.values()), costs

    # A backend whose monitor was killed went with it: never two writers of one cache.
    cached.c.wait_for(
        "one of each is back",
        lambda: [len(cached.pids(name)) for name in Processes.NAMES] == [1, 1, 1],
        timeout=30,
    )
    assert cached.c.show("sssd-nss.socket", "ActiveState") == "active"


def test_one_lookup_after_hundreds_of_kills_of_the_responder(cached):
    """Eight a second: as often as systemd starts it."""
    kills = by_length(60, 500)
    processes = Processes(cached.c)
    background = Load(cached.c, "passwd", "alice", seconds=kills * 0.12 + 1, pause_us=1000)
    killed, deadline = 0, time.monotonic() + kills
    while killed < kills:
        killed += processes.kill("sssd_nss")
        assert time.monotonic() < deadline, f"{killed} starts, then none came"
        time.sleep(0.002)
    assert cached.passwd("alice").startswith("alice:*:10001:")
    assert cached.c.show("sssd-nss.socket", "ActiveState") == "active"
    assert background.end().wrong == 0


# -- the cache ------------------------------------------------------------------------------------

USERS_PER_KILL, GROUPS_PER_KILL = 45, 10
WRITE_KILLS = by_length(15, 200)


@pytest.fixture(scope="module")
def crowded(container):
    """A directory large enough that at every kill something is asked for the first time."""
    entries = big(USERS_PER_KILL * WRITE_KILLS, GROUPS_PER_KILL * WRITE_KILLS)
    with container() as c:
        yield Suite(c, Slapd(c, entries=entries).start()).start()


def kill_in_the_middle_of_writes(suite, chance):
    """WRITE_KILLS times: new users and groups are asked for; the backend is killed as it writes
    them. Returns how often there was more to be written at that instant."""
    c, processes, in_the_middle = suite.c, Processes(suite.c), 0
    cache = f"/proc/{c.pid}/root/var/lib/sss/db/cache_LDAP.mdb"
    for n in range(WRITE_KILLS):
        c.wait_for("a backend runs", lambda: processes.pids("sssd_be"), timeout=30)
        before = os.stat(cache).st_mtime_ns if os.path.exists(cache) else 0
        users = f"user%05u:{n * USERS_PER_KILL + 1}:{(n + 1) * USERS_PER_KILL}"
        groups = f"group%05u:{n * GROUPS_PER_KILL + 1}:{(n + 1) * GROUPS_PER_KILL}"
        loads = [
            Load(c, "passwd", users),
            Load(c, "initgroups", users, "joiner", "user00001"),
            Load(c, "group", groups, "everyone"),
        ]
        deadline = time.monotonic() + 10
        while not os.path.exists(cache) or os.stat(cache).st_mtime_ns == before:
            assert time.monotonic() < deadline, "nothing is written"
        time.sleep(chance.uniform(0, 0.02))
        processes.kill("sssd_be")
        in_the_middle += any(load.running() for load in loads)
        # The monitor waits longer and longer between starts; a new monitor begins anew.
        if n % 3 == 2:
            processes.kill("sssd")
        for load in loads:
            assert load.end().wrong == 0
    return in_the_middle


def as_passwd(user):
    return f"{user.name}:*:{user.uid}:{user.gid}:{user.gecos}:{user.home}:{user.shell}"


def served(suite):
    """All that can be had from the responder: what kind and name → the answer."""
    users, groups = suite.slapd.entries
    answers = {}
    for kind, names in (
        ("passwd", [user.name for user in users]),
        ("passwd", [str(user.uid) for user in users]),
        ("group", [group.name for group in groups]),
        ("group", [str(group.gid) for group in groups]),
        ("initgroups", [user.name for user in users]),
    ):
        calls = Load(suite.c, kind, *names, print=True).end()
        assert calls.wrong == 0
        by_id = names[0].isdigit()
        for line in calls.printed:
            words = line.split(" ") if kind == "initgroups" else line.split(":")
            if kind == "initgroups":
                answers[kind, words[0]] = {int(word) for word in words[1:]}
            elif kind == "group":
                answers[kind, words[2] if by_id else words[0]] = (
                    words[0],
                    int(words[2]),
                    set(words[3].split(",")) - {""},
                )
            else:
                answers[kind, words[2] if by_id else words[0]] = line
    return answers


def model(suite):
    """The same from the directory."""
    users, groups = suite.slapd.entries
    answers, of_user = {}, {user.name: set() for user in users}
    for group in groups:
        members = set(group.members)
        for key in (group.name, str(group.gid)):
            answers["group", key] = (group.name, group.gid, members)
        for member in members:
            of_user[member].add(group.gid)
    for user in users:
        for key in (user.name, str(user.uid)):
            answers["passwd", key] = as_passwd(user)
        answers["initgroups", user.name] = of_user[user.name]
    return answers


def differences(found, expected):
    return {
        key: (answer, expected.get(key))
        for key, answer in found.items()
        if answer != expected.get(key)
    }


def test_backend_killed_as_it_writes_leaves_a_sound_and_true_cache(crowded):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    in_the_middle = kill_in_the_middle_of_writes(crowded, random.Random(seed))
    print(f"{in_the_middle} of {WRITE_KILLS} kills were in the middle of writes")
    assert in_the_middle >= WRITE_KILLS // 2
    c, expected = crowded.c, model(crowded)

    c.systemctl("stop", "sssd.service")
    c.run(["/usr/libexec/sssd/sssd_be", "--check", "/var/lib/sss/db/cache_LDAP.mdb"], user="sssd")
    assert "damaged" not in c.sh("ls /var/lib/sss/db").out

    # What is cached, while nobody can be asked.
    cached = served(crowded)
    assert differences(cached, expected) == {}
    assert len(cached) >= WRITE_KILLS * USERS_PER_KILL

    # Everything, once the rest is fetched.
    c.systemctl("start", "sssd.service")
    everything = served(crowded)
    assert differences(everything, expected) == {}
    assert set(expected) - set(everything) == {
        ("initgroups", name)
        for kind, name in expected
        if kind == "initgroups" and not expected[kind, name]
    }
