# SPDX-License-Identifier: LGPL-2.1-or-later
"""What KCM survives: kills, power cuts, full disks, damaged and missing files, crowds. No ticket that
was acknowledged is lost where that is promised, and none is ever another than was stored."""
import collections
import contextlib
import hashlib
import os
import pathlib
import random
import re
import select
import statistics
import struct
import threading
import time

import pytest

from container import Container
from disk import KCM_ON_EXT4, snapshot
from hammer import KCM, Burner, Hammer
from kcm import (
    CC_NOTFOUND,
    CRED_LIST,
    CRED_UUID_LIST,
    DEFAULT_CACHE,
    FCC_INTERNAL,
    FCC_NOFILE,
    RETRIEVE,
    SOCKET,
    STORE,
    Kcm,
    credential,
    name,
    principal,
    request,
)
from length import by_length
from load import Processes
from peer import Closed
from suite import ours

KILLS = by_length(20, 200)
SNAPSHOTS = by_length(4, 50)
DAMAGES = by_length(15, 100)
CROWD_S = by_length(3, 20)
SECRETS = "/var/lib/sss/secrets"
ENDTIME = int(time.time()) + 36000
ALICE = 4001


@pytest.fixture(scope="module")
def machine(container):
    with container(before=[["systemctl", "enable", "sssd-kcm.socket"]]) as c:
        yield c


@pytest.fixture
def c(machine):
    """Empty, and running again."""
    machine.systemctl("stop", "sssd-kcm.service")
    machine.sh(f"rm -rf {SECRETS}/*")
    return machine


def ticket(server, version=0):
    """No two servers and no two versions have the same: a wrong one would show, or an old one."""
    told = f"version {version} of {server}".encode()
    return told + hashlib.sha256(told).digest() * 20


def wanted(server, version=0):
    return credential(server, ENDTIME, ticket(server, version))


def store(kcm, cache, server, version=0):
    return kcm.store(cache, server, ENDTIME, ticket=ticket(server, version))


def version_of(server, result):
    """Which one this is, as it was stored, byte by byte."""
    version = int(re.search(rb"version (\d+) of", result)[1])
    assert result == wanted(server, version), server
    return version


def fill(c, n, uid=ALICE, cache=None):
    cache = cache or str(uid)
    with Kcm(c, uid=uid) as kcm:
        kcm.initialize(cache)
        for i in range(n):
            assert store(kcm, cache, f"s{i}") == 0


def found(c, servers, uid=ALICE):
    """Those of servers whose ticket is there; that it is the right one is asserted."""
    there = []
    with Kcm(c, uid=uid) as kcm:
        for server in servers:
            status, result = kcm.retrieve(str(uid), server)
            if status == 0:
                assert result == wanted(server), server
                there.append(server)
            else:
                assert status in (CC_NOTFOUND, FCC_NOFILE), status
    return there


def log(c):
    return c.journal("-u", "sssd-kcm.service", "-o", "cat")


# ---- kill -9 ----


SERVERS = 500


def server_of(version):
    return f"s{version % SERVERS}"


class Storer(threading.Thread):
    """Stores one ticket after the other, in the end the servers' next versions over those before."""

    def __init__(self, c, uid):
        super().__init__()
        self.c, self.uid = c, uid
        self.stopped, self.broken = threading.Event(), 0
        self.stored = []  # (when it was acknowledged, version)
        self.last = 0  # the version that was tried last

    def run(self):
        kcm = None
        while not self.stopped.is_set():
            self.last += 1
            try:
                kcm = kcm or Kcm(self.c, uid=None)
                if store(kcm, str(self.uid), server_of(self.last), self.last) == 0:
                    self.stored.append((time.monotonic(), self.last))
            except (Closed, ConnectionError):
                self.broken += 1
                kcm = None

    def stop(self):
        self.stopped.set()
        self.join()

    def newest(self, until=float("inf")):
        """{server: the last version that was acknowledged by then}"""
        return {server_of(version): version for when, version in self.stored if when <= until}


def none_is_lost(c, cache, newest, last):
    """Of each server there is the version that was acknowledged last, or one that was tried later."""
    with Kcm(c) as kcm:
        for server, version in newest.items():
            status, result = kcm.retrieve(cache, server)
            assert status == 0, server
            assert version <= version_of(server, result) <= last, server


def test_kills_lose_no_ticket_that_was_acknowledged(c):
    """Connections here are root's: seteuid() holds for all threads of a process."""
    with Kcm(c) as kcm:
        for n in range(3):
            kcm.initialize(f"0:{n}")
    storers = [Storer(c, f"0:{n}") for n in range(3)]
    for storer in storers:
        storer.start()
    processes, killed, chance = Processes(c), 0, random.Random(3)
    try:
        while killed < KILLS:
            time.sleep(chance.uniform(0.05, 0.2))
            killed += processes.kill("sssd_kcm")
    finally:
        for storer in storers:
            storer.stop()
    for storer in storers:
        assert len(storer.stored) > 2 * SERVERS and storer.broken > 0
        none_is_lost(c, storer.uid, storer.newest(), storer.last)
        with Kcm(c) as kcm:
            assert len(kcm.list(storer.uid)) <= SERVERS
    assert "damaged" not in log(c)
    assert c.failed_units() == []


# ---- the power goes ----

ENABLE = [["systemctl", "enable", "sssd-kcm.socket"]]


ON_DISK_S = 6  # promised is 5


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    """(image, {server: version} acknowledged ON_DISK_S before it was made, the last one tried)"""
    folder, chance, made = tmp_path_factory.mktemp("kcm"), random.Random(4), []
    with Container(install=[ours()], files=KCM_ON_EXT4, before=ENABLE, ext4_mib=24) as c:
        with Kcm(c) as kcm:
            kcm.initialize("0:0")
        storer = Storer(c, "0:0")
        storer.start()
        try:
            time.sleep(ON_DISK_S + 2)
            for n in range(SNAPSHOTS):
                time.sleep(chance.uniform(0.2, 1.0))
                old = storer.newest(time.monotonic() - ON_DISK_S)
                snapshot(c, folder / f"{n}.ext4", ["sssd_kcm"])
                made.append((folder / f"{n}.ext4", old, storer.last))
        finally:
            storer.stop()
    return made


@pytest.mark.parametrize("number", range(SNAPSHOTS))
def test_the_boot_after_a_power_cut_finds_it_whole_or_begins_anew(snapshots, number):
    image, old, last = snapshots[number]
    assert len(old) == SERVERS and max(old.values()) > SERVERS
    with Container(install=[ours()], files=KCM_ON_EXT4, before=ENABLE, ext4_from=image) as c:
        with Kcm(c) as kcm:
            there = {}
            for server in old:
                status, result = kcm.retrieve("0:0", server)
                if status == 0:
                    there[server] = version_of(server, result)
            lines = [line for line in log(c).splitlines() if "credential caches" in line]
            if any("a new one begun" in line for line in lines):
                assert there == {}
                kcm.initialize("0:0")
            else:
                none_is_lost(c, "0:0", old, last)
                assert lines == ["credential caches were not closed in order, and are whole"]
            assert store(kcm, "0:0", "more") == 0
        assert c.failed_units() == []


# ---- files ----


def test_no_damaged_page_ever_gives_a_wrong_ticket(c):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = pathlib.Path(f"/proc/{c.pid}/root{SECRETS}/kcm.mdb")
    servers = [f"s{i}" for i in range(100)]
    complete = anew = 0
    for _ in range(DAMAGES):
        before = log(c).count("a new one begun")
        c.sh(f"systemctl stop sssd-kcm.service; rm -rf {SECRETS}/*")
        fill(c, len(servers))
        c.systemctl("stop", "sssd-kcm.service")
        with open(path, "r+b") as file:
            size = file.seek(0, 2)
            file.seek(chance.randrange(size // 4096) * 4096)
            file.write(chance.choice((chance.randbytes(4096), bytes(4096), b"\xff" * 4096)))
        begin, there = time.monotonic(), None
        while there is None:
            try:
                there = found(c, servers)
                fill(c, 1)  # and it can be used
            except (Closed, AssertionError) as problem:
                assert time.monotonic() - begin < 5, problem
                there = None
        complete += len(there) == len(servers)
        if len(there) < len(servers):
            anew += log(c).count("a new one begun") - before
    print(f"{complete} whole, {anew} begun anew, of {DAMAGES}")
    assert complete + anew == DAMAGES
    assert c.failed_units() == []


@pytest.mark.parametrize("what", [f"{SECRETS}/kcm.mdb", f"{SECRETS}/*", SECRETS, "/var/lib/sss"])
def test_what_is_removed_under_it_is_made_again(c, what):
    fill(c, 3)
    c.sh(f"rm -rf {what}")
    time.sleep(1.1)

    def works():
        try:
            fill(c, 3)
            return True
        except (Closed, AssertionError, ConnectionError):
            return False

    c.wait_for("caches again", works, timeout=5)
    assert c.sh(f"stat -c '%a %U' {SECRETS} {SECRETS}/kcm.mdb").out == "700 sssd\n600 sssd\n"
    assert c.failed_units() == []


@pytest.fixture
def small(c):
    """The caches on a file system of 1 MiB."""
    c.sh(f"mount -t tmpfs -o size=1m,uid=sssd,gid=sssd,mode=0700 kcm {SECRETS}")
    try:
        yield c
    finally:
        c.systemctl("stop", "sssd-kcm.service")
        c.sh(f"umount {SECRETS}")


def test_a_full_disk_has_a_clear_error_and_keeps_what_is_there(small):
    with Kcm(small, uid=ALICE) as kcm:
        kcm.initialize("4001")
        n = 0
        while (status := store(kcm, "4001", f"s{n}")) == 0:
            n += 1
            assert n < 2000
        assert status == 28, status  # ENOSPC
        servers = [f"s{i}" for i in range(n)]
        assert found(small, servers) == servers
        small.systemctl("kill", "--signal=KILL", "sssd-kcm.service")
        assert found(small, servers) == servers
    with Kcm(small, uid=ALICE) as kcm:
        assert kcm.ask(5, name("4001"))[0] in (0, 28)
        small.sh(f"mount -o remount,size=4m {SECRETS}")
        kcm.initialize("4001")
        assert store(kcm, "4001", "again") == 0


def test_no_room_for_a_file_at_all(small):
    small.sh(f"dd if=/dev/zero of={SECRETS}/ballast bs=4k count=300 2>/dev/null || true")
    with Kcm(small, uid=ALICE) as kcm:
        assert kcm.ask(20)[0] in (28, FCC_INTERNAL)
        small.sh(f"rm {SECRETS}/ballast")
        assert kcm.default() == "4001"
    assert small.failed_units() == []


def test_a_stopped_process_is_not_in_the_way(c):
    """A clean stop while clients store: the next one has it all."""
    with Kcm(c) as kcm:
        kcm.initialize("0:0")
    storer = Storer(c, "0:0")
    storer.start()
    try:
        for _ in range(10):
            time.sleep(0.1)
            c.systemctl("restart", "sssd-kcm.service")
    finally:
        storer.stop()
    none_is_lost(c, "0:0", storer.newest(), storer.last)
    assert len(storer.stored) > 2 * SERVERS


# ---- crowds ----


def test_64_clients_of_8_users_have_their_share(c):
    users = range(5001, 5009)
    clients = {}
    for user in users:
        fill(c, 10, uid=user)
        for _ in range(8):
            kcm = Kcm(c, uid=user)
            clients[kcm.socket.fileno()] = (kcm, user)
    poll = select.epoll()
    message = {
        user: request(STORE, name(str(user)) + wanted("s3")) for user in users
    }
    for fd, (kcm, user) in clients.items():
        poll.register(fd, select.EPOLLIN)
        kcm.send(message[user])
    served, end = collections.Counter(), time.monotonic() + CROWD_S
    while time.monotonic() < end:
        for fd, _ in poll.poll(1):
            kcm, user = clients[fd]
            assert kcm.reply()[0] == 0
            served[user] += 1
            kcm.send(message[user])
    for kcm, _ in clients.values():
        kcm.close()
    print(dict(served))
    assert len(served) == len(users) and sum(served.values()) > 1000
    assert min(served.values()) * 2 >= statistics.median(served.values())


def _memory_kib(c):
    status = c.read(f"/proc/{c.main_pid('sssd-kcm.service')}/status")
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1])


def test_memory_after_ten_rounds_is_that_after_one(c):
    """200 tickets stored, listed, found and destroyed: nothing of them stays."""
    after = []
    for _ in range(10):
        fill(c, 200)
        with Kcm(c, uid=ALICE) as kcm:
            assert len(kcm.list("4001")) == 200
            assert found(c, ["s7", "s199"]) == ["s7", "s199"]
            assert kcm.ask(5, name("4001"))[0] == 0
        after.append(_memory_kib(c))
    print(f"KiB after each round: {after}")
    assert after[-1] - after[0] < 512


HEAVY = 5001
NOISE_US = by_length(2000, 200)  # as in test_crowd.py
TURN_US = 500  # of a request of somebody else that is being answered when one comes


def of_nobody(cache):
    """Somebody looks for a ticket of a client who has none: all of them are looked at."""
    return request(
        RETRIEVE, name(cache) + struct.pack(">II", 0, 1) + principal("nobody") + bytes(16 + 1 + 4)
    )


HAMMERS = {
    "a walk through large ones": of_nobody("5001"),
    "a walk through many": of_nobody("5001:many"),
    "stores": request(STORE, name("5001:many") + wanted("s3")),
    "large stores": request(STORE, name("5001:more") + credential("large", ENDTIME, bytes(260000))),
    "numbers": request(CRED_UUID_LIST, name("5001")),
    "lists": request(CRED_LIST, name("5001:many")),
    "lists that are too long": request(CRED_LIST, name("5001")),
    "light requests": request(DEFAULT_CACHE),
}


@pytest.fixture(scope="module")
def heavy(machine):
    """One user has one cache as large as it may be, and one with as many tickets as it may have."""
    machine.systemctl("stop", "sssd-kcm.service")
    machine.sh(f"rm -rf {SECRETS}/*")
    fill(machine, 1)
    fill(machine, 2048, uid=HEAVY, cache="5001:many")
    fill(machine, 1, uid=HEAVY, cache="5001:more")
    with Kcm(machine, uid=HEAVY) as kcm:
        kcm.initialize("5001")
        size = 0
        while kcm.store("5001", f"large{size}", ENDTIME, ticket=bytes(260000)) == 0:
            size += 260000
        assert size > 60 << 20
    return machine


def _times_of_default(c):
    """(median, p99) in microseconds."""
    times = []
    with Kcm(c, uid=ALICE, timeout=60) as kcm:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            begin = time.monotonic()
            kcm.default()
            times.append((time.monotonic() - begin) * 1e6)
            time.sleep(0.0004)
    times.sort()
    return int(statistics.median(times)), int(times[len(times) * 99 // 100])


def _time_of(c, message):
    """Microseconds until the answer is there, of the hammer's user, and no hammer."""
    times = []
    with Kcm(c, uid=HEAVY) as kcm:
        for _ in range(9):
            begin = time.monotonic()
            kcm.send(message)
            kcm.reply()
            times.append((time.monotonic() - begin) * 1e6)
    return int(statistics.median(times))


def _worked_s(c):
    """Processor time of the service so far, without the kernel's."""
    stat = c.read(f"/proc/{c.main_pid('sssd-kcm.service')}/stat")
    return int(stat.rsplit(")", 1)[1].split()[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("what", HAMMERS)
def test_one_who_hammers_leaves_others_their_time(heavy, what):
    """A user keeps a request pending on each of 250 connections, while another asks for a default:
    that takes no more than twice the time that it takes while as many processes as the hammer keeps
    busy, itself and ours, only burn processor time. The other work of the machine comes and goes, so
    both are measured right after each other, and the best of three rounds counts. A list of all that
    a cache holds is made in one turn, which may be in the way, and so it adds its time."""
    rounds = []
    for _ in range(3):
        turn = _time_of(heavy, HAMMERS[what]) if what == "lists" else 0
        alone, _ = _times_of_default(heavy)
        with Burner(), Burner():
            burnt = max(_times_of_default(heavy)[1] for _ in range(2))
        with Hammer(f"/proc/{heavy.pid}/root/{SOCKET}", HEAVY, 250, HAMMERS[what], KCM):
            before_s = _worked_s(heavy)
            median_us, p99_us = _times_of_default(heavy)
            assert _worked_s(heavy) - before_s > 0.1, "it was kept busy"
        rounds.append((turn, alone, burnt, median_us, p99_us))
        if median_us <= 2 * alone + TURN_US + turn and p99_us <= 2 * (burnt + turn) + NOISE_US:
            break
    print(f"a turn, alone, p99 beside who burn, median and p99 then, in us: {rounds}")
    assert turn <= 10000, "no turn is longer"
    assert median_us <= 2 * alone + TURN_US + turn, rounds
    assert p99_us <= 2 * (burnt + turn) + NOISE_US, rounds


def test_users_with_one_connection_have_their_share(heavy):
    """64 clients: four users with 15, four with one. It is users who take turns."""
    clients, share = {}, {5002 + n: 15 if n < 4 else 1 for n in range(8)}
    with contextlib.ExitStack() as stack:
        poll = stack.enter_context(contextlib.closing(select.epoll()))
        for user, n in share.items():
            fill(heavy, 500, uid=user)
            for _ in range(n):
                kcm = stack.enter_context(Kcm(heavy, uid=user))
                clients[kcm.socket.fileno()] = (kcm, user)
                poll.register(kcm.socket.fileno(), select.EPOLLIN)
                kcm.send(of_nobody(str(user)))
        served, end = collections.Counter(), time.monotonic() + CROWD_S
        while time.monotonic() < end:
            for fd, _ in poll.poll(1):
                kcm, user = clients[fd]
                assert kcm.reply()[0] == CC_NOTFOUND
                served[user] += 1
                kcm.send(of_nobody(str(user)))
    print(dict(served))
    assert len(served) == len(share) and sum(served.values()) > 500
    assert min(served.values()) * 2 >= statistics.median(served.values())
