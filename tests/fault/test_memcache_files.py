# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of the memory cache, and their writer, come to harm: the clients do not."""
import time

import pytest

from length import by_length
from load import Load, Processes
from memcache import CLIENTS, NO_SOCKET, QUESTIONS, answers, learn, traced, without_socket
from slapd import Slapd
from suite import MEMCACHE, NOT_FOUND, Suite

SECONDS = by_length(5, 60)


@pytest.fixture(scope="module")
def remembering(machine, slapd):
    """The suite with a memory cache, and all of QUESTIONS in it."""
    return learn(Suite(machine, slapd).start(nss=MEMCACHE))


HARM = {
    "cut": "truncate -s 0 passwd group initgroups",
    "cut in the middle": "truncate -s 5000 passwd group initgroups",
    "grown": "truncate -s +1M passwd group initgroups",
    "removed": "rm -f passwd group initgroups",
    "directories": "for f in passwd group initgroups; do rm -f $f; mkdir $f; done",
    "unreadable": "chmod 0 passwd group initgroups",
    "garbage": "for f in passwd group initgroups; do "
    "dd if=/dev/urandom of=$f bs=64k count=100 conv=notrunc status=none; done",
    "garbage in the records": "for f in passwd group initgroups; do "
    "dd if=/dev/urandom of=$f bs=8 seek=7 count=2000 conv=notrunc status=none; done",
    "replaced by older ones": "for f in passwd group initgroups; do cp $f old; mv old $f; done",
}


@pytest.mark.parametrize("harm", HARM)
def test_whatever_is_done_to_the_files_the_answers_are_right(remembering, harm):
    """While both client libraries are at work on them, and afterwards."""
    c = learn(remembering).c
    want = answers(remembering, "ours", memory_cache=False)
    loads = [
        Load(c, "passwd", "alice", "bob", "10002", client=client, clients=2, seconds=3,
             memory_cache=True)
        for client in CLIENTS
        # Debian's library has no net under it: it gets SIGBUS from a file that was cut, and is safe
        # only when the writer has noticed, which it does when it is asked, once a second.
        if client == "ours" or "cut" not in harm
    ]  # fmt: skip
    time.sleep(0.5)
    c.sh(f"cd /var/lib/sss/mc && {HARM[harm]}")
    c.wait_for("answers of both", lambda: all_are(remembering, want), timeout=5)
    for load in loads:
        # Debian's client waits for 300 s when the kill comes between its handshake and its answer.
        calls = load.end(patience=400)
        assert calls.were_all_right(at_least=1000), calls
    learn(remembering)
    c.wait_for("files that are sound again", lambda: all_files_are_read(remembering))


def all_are(suite, want):
    assert answers(suite, "ours") == want
    return answers(suite, "debian") == want


def all_files_are_read(suite):
    learn(suite)
    return all(not traced(suite.c, "getent", *question)[1] for question in QUESTIONS)


def test_killed_writers_never_make_an_answer_wrong(remembering):
    """Several kills a second: one may hit the same question twice, and ours repeats it once. Debian's
    client waits for 300 s when a kill comes between its handshake and its answer: it has no more
    than the memory cache."""
    c = learn(remembering).c
    processes = Processes(c)
    keys = ["alice", "bob", "carol", "10002", "10003"]
    how = {"clients": 4, "seconds": SECONDS, "memory_cache": True}
    loads = [
        Load(c, "passwd", *keys, **how),
        Load(c, "passwd", *keys, client="debian", under=NO_SOCKET, **how),
    ]
    writers = Load(c, "passwd", "alice", "bob", "carol", clients=2, seconds=SECONDS, pause_us=200)
    end = time.monotonic() + SECONDS - 0.5
    kills = 0
    while time.monotonic() < end:
        c.sh("rm -f /var/lib/sss/mc/passwd")  # so that there is something to write
        time.sleep(0.1)
        kills += bool(processes.kill("sssd_nss"))
    for load in loads:
        calls = load.end()
        assert calls.were_never_wrong() and calls.success > 1000, calls
    assert writers.end().wrong == 0
    assert kills >= SECONDS * 2


def test_a_full_disk_is_no_harm(container):
    """On a file system in memory, where to read a hole takes room, too: both libraries at work all the
    time, on what is stored, what is not yet, and what has no room any more."""
    with container() as c:
        suite = Suite(c, Slapd(c).start())
        c.systemctl("start", "sssd-memcache.service")
        c.sh("mount -t tmpfs -o size=3700k tmpfs /var/lib/sss/mc")
        suite.start(nss={**MEMCACHE, "memcache_size_sid": 0})
        learn(suite)
        assert all(without_socket(suite))
        keys = ["alice", "bob", "carol", *range(10001, 10005)]
        options = {"clients": 2, "seconds": 600, "until_eof": True, "memory_cache": True}
        loads = [
            Load(c, "passwd", *keys, client=client, pause_us=200, **options) for client in CLIENTS
        ]
        c.sh("dd if=/dev/zero of=/var/lib/sss/mc/full bs=4k status=none || true")
        for client in CLIENTS:
            for number in range(10001, 10005):
                assert suite.passwd(number, client=client)
            assert all(answers(suite, client))
            # Whose place in the table nobody has written.
            keys = [f"nobody-{number}" for number in range(50)]
            assert suite.getent("passwd", *keys, client=client).rc == NOT_FOUND
        c.systemctl("restart", "sssd-nss.service")
        for client in CLIENTS:
            assert all(answers(suite, client))
        # The files are given up, and there is no room for new ones.
        c.systemctl("kill", "--signal=HUP", "--kill-whom=main", "sssd.service")
        for client in CLIENTS:
            assert all(answers(suite, client))
        c.sh("rm /var/lib/sss/mc/full")
        c.wait_for("files again", lambda: all(without_socket(learn(suite))))
        for load in loads:
            calls = load.stop()
            assert calls.were_all_right(1000), calls
        assert c.failed_units() == []
