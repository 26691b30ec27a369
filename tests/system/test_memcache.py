# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache: answers that need no process of ours."""
import pathlib
import re
import time

import pytest

from container import Container
from memcache import (
    CLIENTS,
    QUESTIONS,
    Asleep,
    answers,
    in_files,
    inodes,
    learn,
    traced,
    without_socket,
)
from slapd import BASE, Slapd, User, user_dn, user_ldif
from suite import MEMCACHE, Suite, our_client


class TestOurClientDebianFiles:
    """What Debian's sssd has written, our library reads."""

    @pytest.fixture(scope="class")
    def suite(self):
        with Container(image="debian-sssd", install=[our_client()]) as c:
            suite = Suite(c, Slapd(c).start())
            suite.configure(services="nss", nss=MEMCACHE)
            c.systemctl("start", "sssd.service")
            yield suite

    @pytest.mark.parametrize("database, key", QUESTIONS)
    def test_a_second_question_reaches_nobody(self, suite, database, key):
        first, calls = traced(suite.c, "getent", database, key)
        assert first
        second, calls = traced(suite.c, "getent", database, key)
        assert (second, calls) == (first, [])
        asked, calls = traced(
            suite.c, "env", "SSS_NSS_USE_MEMCACHE=NO", "getent", database, key
        )
        assert asked == first and calls

    def test_with_all_daemons_stopped(self, suite):
        want = [suite.getent(*question).out for question in QUESTIONS]
        files = "cd /var/lib/sss/mc && cp passwd group initgroups /tmp/"
        suite.c.sh(files)
        suite.c.systemctl("stop", "sssd.service")
        suite.c.sh("cp /tmp/passwd /tmp/group /tmp/initgroups /var/lib/sss/mc/")
        try:
            assert [suite.getent(*question).out for question in QUESTIONS] == want
        finally:
            suite.c.systemctl("start", "sssd.service")


# ---- our own files ----


@pytest.fixture(scope="module")
def remembering(machine, slapd):
    """The suite with a memory cache, and all of QUESTIONS in it."""
    return learn(Suite(machine, slapd).start(nss=MEMCACHE))


@pytest.mark.parametrize("client", CLIENTS)
def test_the_same_answers_without_any_process_of_ours(remembering, client):
    asked = answers(remembering, client, memory_cache=False)
    assert all(asked)
    with Asleep(remembering):
        assert answers(remembering, client) == asked
        assert answers(remembering, client, memory_cache=False) == [""] * len(QUESTIONS)


def test_the_values_are_those_of_the_directory(remembering):
    with Asleep(remembering):
        assert remembering.passwd("alice") == (
            "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
        )
        assert remembering.group("devs") == ("devs", 20002, {"alice", "bob"})
        assert remembering.initgroups("alice") == {20002, 20004}


def test_a_hit_asks_nobody(remembering):
    learn(remembering)
    for question in QUESTIONS:
        assert traced(remembering.c, "getent", *question)[1] == []


@pytest.mark.parametrize("database", ("passwd", "group"))
def test_a_second_question_for_an_unknown_id_reaches_nobody(remembering, database):
    c = remembering.c
    ask = f"getent {database} 54321; echo $?"
    for asks in (True, False):
        done, calls = traced(c, "sh", "-c", ask)
        assert (done, bool(calls)) == ("2\n", asks)
    assert traced(c, "env", "SSS_NSS_USE_MEMCACHE=NO", "sh", "-c", ask)[1]


def test_groups_of_a_local_user_are_asked_for_once(remembering):
    first, _ = traced(remembering.c, "id", "daemon")
    second, calls = traced(remembering.c, "id", "daemon")
    assert (second, calls) == (first, []) and "daemon" in first


def test_nobody_can_read_which_unknown_names_were_asked_for(remembering):
    """Some of them are passwords."""
    for database in "passwd", "group", "initgroups":
        remembering.getent(database, "hunter2-typed-for-a-name")
    assert remembering.passwd("54321") is None
    files = "/var/lib/sss/mc/unknown", "/var/lib/sss/mc"
    assert remembering.c.run(["grep", "-q", "U54321", files[0]], check=False).rc == 0
    assert remembering.c.run(["grep", "-rq", "hunter2", files[1]], check=False).rc == 1


def test_an_id_that_was_unknown_is_found_when_its_user_is(slapd, remembering):
    assert remembering.passwd("54777") is None
    user = f"""dn: uid=newcomer,ou=people,{BASE}
objectClass: inetOrgPerson
objectClass: posixAccount
uid: newcomer
cn: Newcomer
sn: Newcomer
uidNumber: 54777
gidNumber: 20001
homeDirectory: /home/newcomer
"""
    slapd.add(user)
    try:
        assert remembering.passwd("newcomer")
        assert remembering.passwd("54777") == remembering.passwd("newcomer")
    finally:
        slapd.delete(f"uid=newcomer,ou=people,{BASE}")


# ---- SIDs, which have a reader of their own ----

ASK_FOR_SIDS = """
import ctypes
library = ctypes.CDLL("/root/libsss_nss_idmap.so.0")
text, number, kind = ctypes.c_char_p(), ctypes.c_uint32(), ctypes.c_int()
sid = b"S-1-5-21-1-2-3-10001"
for _ in range(2):
    print(
        library.sss_nss_getsidbyname(b"alice", ctypes.byref(text), ctypes.byref(kind)),
        library.sss_nss_getsidbyid(10001, ctypes.byref(text), ctypes.byref(kind)),
        library.sss_nss_getsidbyuid(10001, ctypes.byref(text), ctypes.byref(kind)),
        library.sss_nss_getsidbygid(20001, ctypes.byref(text), ctypes.byref(kind)),
        library.sss_nss_getnamebysid(sid, ctypes.byref(text), ctypes.byref(kind)),
        library.sss_nss_getidbysid(sid, ctypes.byref(number), ctypes.byref(kind)),
    )
"""
NO_SIDS = f"{' '.join(['2'] * 6)}\n" * 2  # ENOENT, each time


@pytest.fixture(scope="module")
def asking_for_sids(remembering):
    """With Debian's library, out of the image that has it."""
    c, name = remembering.c, "libsss_nss_idmap.so.0"
    with Container(image="debian-sssd") as theirs:
        library = pathlib.Path(f"/proc/{theirs.pid}/root/usr/lib/x86_64-linux-gnu/{name}").read_bytes()
    pathlib.Path(f"/proc/{c.pid}/root/root/{name}").write_bytes(library)
    c.write("/root/sids.py", ASK_FOR_SIDS)
    return remembering


def ask_for_sids(c):
    """What the library said, and the files of SIDs that it opened."""
    done = c.run(
        ["strace", "-o", "/tmp/trace", "-e", "trace=openat", "/usr/bin/python3", "/root/sids.py"],
        check=False,
    )
    return done.out, re.findall(r'"/var/lib/sss/mc/sid".* = (-?\d+)', c.read("/tmp/trace"))


SID_FILES = {
    "ours": "true",
    "none": "rm sid",
    # Where the header is left, their library gets SIGBUS, as from the other files.
    "cut": "truncate -s 0 sid",
    "garbage behind the header": "dd if=/dev/urandom of=sid bs=56 seek=1 count=40000 conv=notrunc",
    "garbage": "dd if=/dev/urandom of=sid bs=1M count=7 conv=notrunc",
    "a directory": "rm sid; mkdir sid",
}


@pytest.mark.parametrize("harm", SID_FILES)
def test_nobody_has_a_sid_whatever_the_file_says(asking_for_sids, harm):
    """And it is soon one of ours again."""
    c = learn(asking_for_sids).c
    c.sh(f"cd /var/lib/sss/mc && {SID_FILES[harm]}")
    out, opened = ask_for_sids(c)
    assert out == NO_SIDS
    assert opened and (int(opened[0]) >= 0) == (harm != "none")
    time.sleep(1.1)  # the responder looks at its files once a second, when it is asked
    answers(asking_for_sids, "ours", memory_cache=False)
    assert c.sh("stat -c '%s %A %U:%G' /var/lib/sss/mc/sid").out == "6940392 -rw-r--r-- sssd:sssd\n"
    assert ask_for_sids(c)[0] == NO_SIDS


@pytest.mark.parametrize("client", CLIENTS)
def test_kept_across_restarts_and_kills(remembering, client):
    c = learn(remembering).c
    before = inodes(c)
    c.systemctl("restart", "sssd-nss.service")
    killed = c.main_pid("sssd-nss.service")
    c.run(["kill", "-9", str(killed)])
    c.wait_for("the next responder", lambda: c.main_pid("sssd-nss.service") not in (0, killed))
    assert remembering.passwd("carol")  # it has taken over what was there
    assert inodes(c) == before
    with Asleep(remembering):
        assert all(answers(remembering, client))


# Locks of all kinds that somebody may have who may only read, got as soon as whoever is there leaves.
LOCKER = """
import fcntl, threading, time
def lock(how, path):
    file = open(path, "rb")
    how(file, fcntl.LOCK_SH)
    time.sleep(600)
for path in ("passwd", "group", "initgroups"):
    for how in (fcntl.flock, fcntl.lockf):
        threading.Thread(target=lock, args=(how, "/var/lib/sss/mc/" + path)).start()
"""


@pytest.mark.parametrize("client", CLIENTS)
def test_nobodys_lock_costs_others_the_cache(remembering, client):
    c = learn(remembering).c
    assert c.run(["cat", "/var/lib/sss/mc/.passwd.lock"], check=False, user="nobody").rc != 0
    c.run(["systemd-run", "--unit=locker", "--uid=nobody", "python3", "-c", LOCKER])
    try:
        before = inodes(c)
        c.wait_for("locks", lambda: c.read("/proc/locks").count("FLOCK") >= 3)
        for kill in (True, False):
            c.systemctl("kill" if kill else "stop", *(["-s", "KILL"] if kill else []), "sssd-nss.service")
            c.wait_for("locks", lambda: c.read("/proc/locks").count("READ") >= 6)
            assert all(without_socket(remembering))
            # Somebody has it started, and it goes on with what is there.
            assert remembering.getent("passwd", "carol", client=client).rc == 0
            assert inodes(c) == before and all(without_socket(remembering))
        assert in_files(remembering, "passwd", "carol", client=client)
    finally:
        c.systemctl("stop", "locker.service")


@pytest.mark.parametrize("responder", ("running", "stopped"))
def test_hup_clears(remembering, responder):
    c = remembering.c
    assert remembering.passwd("nobody-has-this-name") is None  # starts it
    learn(remembering)
    if responder == "stopped":
        c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service")
    assert all(without_socket(remembering))
    c.systemctl("kill", "--signal=HUP", "--kill-whom=main", "sssd.service")
    try:
        c.wait_for("an empty cache", lambda: not any(without_socket(remembering)))
    finally:
        c.systemctl("start", "sssd-nss.socket")


def test_reload_clears_what_the_new_configuration_would_say_differently(remembering):
    c = learn(remembering).c
    remembering.configure(nss={**MEMCACHE, "filter_users": "root, alice"})
    c.systemctl("reload", "sssd.service")
    try:
        for client in CLIENTS:
            assert remembering.passwd("alice", client=client) is None
    finally:
        remembering.configure(nss=MEMCACHE)
        c.systemctl("reload", "sssd.service")


def test_an_answer_of_an_old_configuration_is_not_kept_under_the_new_one(slapd, remembering):
    """It was asked for before the reload, and its server answers after it."""
    c = learn(remembering).c
    seed = "od -An -tu4 -j16 -N4 /var/lib/sss/mc/passwd"
    generation = c.sh(seed).out
    slapd.pause()
    asked = c.popen(["getent", "passwd", "dave.o-neill_1"])
    try:
        time.sleep(0.5)
        remembering.configure(nss={**MEMCACHE, "filter_users": "root, dave.o-neill_1"})
        c.systemctl("reload", "sssd.service")
        slapd.resume()
        assert asked.wait(timeout=10) == 0
        assert remembering.passwd("alice")
        assert c.sh(seed).out != generation
        with Asleep(remembering):
            for client in CLIENTS:
                assert remembering.getent("passwd", "alice", client=client).rc == 0
                assert remembering.getent("passwd", "dave.o-neill_1", client=client).rc != 0
    finally:
        slapd.resume()
        remembering.configure(nss=MEMCACHE)
        c.systemctl("reload", "sssd.service")


def test_what_has_gone_at_the_server_goes_here(machine, slapd, remembering):
    dn = f"uid=shortlived,ou=people,{BASE}"
    slapd.add(
        f"dn: {dn}\nobjectClass: account\nobjectClass: posixAccount\ncn: Short\n"
        "uid: shortlived\nuidNumber: 15555\ngidNumber: 20001\nhomeDirectory: /home/s\n"
    )
    remembering.configure(nss=MEMCACHE, entry_cache_timeout=3)
    machine.systemctl("reload", "sssd.service")
    try:
        assert remembering.passwd("shortlived")
        slapd.delete(dn)
        machine.wait_for("it to be gone", lambda: remembering.passwd("shortlived") is None)
        assert remembering.passwd(15555) is None
        with Asleep(remembering):
            assert remembering.getent("passwd", "shortlived").rc != 0
    finally:
        remembering.configure(nss=MEMCACHE)
        machine.systemctl("reload", "sssd.service")


# ---- what nobody asked for ----

ENUMERATE = {
    "enumerate": "true",
    "ldap_enumeration_refresh_timeout": 1,
    "ldap_enumeration_refresh_offset": 0,
}


@pytest.fixture
def changing(slapd):
    """A user, and a way to change what the directory says of them."""
    slapd.add(user_ldif(User("changing", 15556, 20001, "One", "/home/c", "/bin/sh")))

    def change(text):
        slapd.modify(
            f"dn: {user_dn('changing')}\nchangetype: modify\nreplace: gecos\ngecos: {text}\n"
        )

    yield change
    slapd._admin("ldapdelete", user_dn("changing"), check=False)


def test_a_change_that_another_question_finds(machine, slapd, changing):
    suite = Suite(machine, slapd)
    suite.stop()
    suite.start(nss=MEMCACHE)
    assert ":One:" in suite.passwd("changing") and ":One:" in in_files(suite, "passwd", 15556)
    assert suite.passwd("bob")
    changing("Two")
    time.sleep(2.5)  # a user who was found just now is not searched for again
    assert suite.initgroups("changing") is not None
    assert in_files(suite, "passwd", "changing") == in_files(suite, "passwd", 15556) == ""
    assert in_files(suite, "passwd", "bob")
    assert ":Two:" in suite.passwd("changing")


@pytest.mark.parametrize("responder", ("running", "stopped"))
def test_a_change_that_an_enumeration_finds(machine, slapd, changing, responder):
    suite = Suite(machine, slapd)
    suite.stop()
    suite.start(nss=MEMCACHE, **ENUMERATE)
    for text in ("One", "Two"):
        changing(text)
        machine.wait_for(text, lambda: f":{text}:" in suite.passwd("changing"))
        machine.wait_for("the file", lambda: suite.passwd("changing") and in_files(suite, "passwd", 15556))
        assert suite.passwd("bob") and in_files(suite, "passwd", "bob")
        if responder == "stopped":
            machine.systemctl("stop", "sssd-nss.socket", "sssd-nss.service")
        if text == "Two":
            slapd.delete(user_dn("changing"))
        else:
            changing("Other")
        machine.wait_for("it to be taken back", lambda: not in_files(suite, "passwd", "changing"))
        assert in_files(suite, "passwd", "bob")
        machine.systemctl("start", "sssd-nss.socket")
        if text == "Two":
            assert suite.passwd("changing") is None
        else:
            assert ":Other:" in suite.passwd("changing")


def test_a_change_that_the_background_refresh_finds(machine, slapd, changing):
    """Of the half of an entry's life that ageing leaves the files hear nothing; without ageing the
    refresh comes while they have it."""
    suite = Suite(machine, slapd)
    suite.stop()
    suite.start(
        nss={**MEMCACHE, "entry_cache_nowait_percentage": 0},
        entry_cache_timeout=15,
        refresh_expired_interval=1,
        refresh_expired_interval_offset=0,
    )
    assert ":One:" in suite.passwd("changing") and ":One:" in in_files(suite, "passwd", 15556)
    changing("Two")
    time.sleep(2)
    assert ":One:" in in_files(suite, "passwd", 15556)
    machine.wait_for("it to be taken back", lambda: not in_files(suite, "passwd", "changing"), timeout=11)
    assert ":Two:" in suite.passwd("changing") and ":Two:" in in_files(suite, "passwd", 15556)


def test_no_longer_than_memcache_timeout(remembering):
    remembering.configure(nss={"memcache_timeout": 2})
    remembering.c.systemctl("reload", "sssd.service")
    try:
        learn(remembering)
        with Asleep(remembering):
            time.sleep(3.1)
            assert not any(answers(remembering, "ours"))
            assert not any(answers(remembering, "debian"))
    finally:
        remembering.configure(nss=MEMCACHE)
        remembering.c.systemctl("reload", "sssd.service")


def test_zero_is_none(remembering):
    c = remembering.c
    remembering.configure(nss={**MEMCACHE, "memcache_size_group": 0})
    c.systemctl("reload", "sssd.service")
    assert remembering.group("devs") and not c.exists("/var/lib/sss/mc/group")
    assert c.exists("/var/lib/sss/mc/passwd")
    remembering.configure(nss={"memcache_timeout": 0})
    c.systemctl("reload", "sssd.service")
    assert c.sh("ls /var/lib/sss/mc").out == ""
    assert all(answers(remembering, "ours")) and all(answers(remembering, "debian"))
    remembering.configure(nss=MEMCACHE)
    c.systemctl("reload", "sssd.service")


def test_qualified_names_are_the_keys(remembering):
    c = remembering.c
    remembering.configure(nss=MEMCACHE, use_fully_qualified_names="true")
    c.systemctl("reload", "sssd.service")
    try:
        for client in CLIENTS:
            assert remembering.passwd("alice@LDAP", client=client).startswith("alice@LDAP:")
            assert remembering.passwd("alice", client=client) is None
        with Asleep(remembering):
            for client in CLIENTS:
                assert remembering.passwd("alice@LDAP", client=client).startswith("alice@LDAP:")
                assert remembering.getent("passwd", "alice", client=client).rc != 0
    finally:
        remembering.configure(nss=MEMCACHE)
        c.systemctl("reload", "sssd.service")
