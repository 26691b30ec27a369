# SPDX-License-Identifier: LGPL-2.1-or-later
"""sss_cache(8), and sssctl cache-expire: what they say is Debian's, what they do is seen from outside."""
import re

import pytest

from length import by_length
from load import Load
from memcache import CLIENTS, QUESTIONS, answers, in_files, inodes, learn, without_socket
from slapd import User, user_dn, user_ldif
from suite import MEMCACHE, Suite

NOT_FOUND = "No cache object matched the specified search\n"
NO_DOMAIN = (
    "Could not open domain {}. If the domain is a subdomain (trusted domain), "
    "use fully qualified name instead of --domain/-d parameter.\n"
)
SELECT = "Please select at least one object to invalidate\n"
UNEXPECTED = (
    "Unexpected argument(s) provided, options that invalidate a single object only accept a "
    "single provided argument.\n"
)


@pytest.fixture
def suite(machine, slapd):
    """With a memory cache; answers that would otherwise hold for hours."""
    slapd.up()
    suite = Suite(machine, slapd)
    suite.stop()
    return suite.start(nss=MEMCACHE, ldap_user_email="host")


def sss_cache(c, *words, user=None):
    return c.run(["sss_cache", *words], check=False, user=user)


def silent(c, *words):
    result = sss_cache(c, *words)
    assert (result.rc or 0, result.out, result.err) == (0, "", ""), result


def gecos(suite, text, name="alice"):
    suite.slapd.modify(f"dn: {user_dn(name)}\nchangetype: modify\nreplace: gecos\ngecos: {text}\n")


def address(slapd, text):
    """What stands for a mail address: the sample directory's classes have none."""
    slapd.modify(f"dn: {user_dn('alice')}\nchangetype: modify\nreplace: host\nhost: {text}\n")


def seen(suite, name="alice", client="ours"):
    return suite.passwd(name, client=client).split(":")[4]


def expired(suite, what, name):
    """Does the cache say so of the user or group?"""
    out = suite.c.run(["sssctl", f"{what}-show", name]).out
    return "Cache entry expiration time: Expired\n" in out


# ---- effect ----


@pytest.mark.parametrize("words", (["-E"], ["-U"], ["-u", "alice"], ["-u", "alice@LDAP"],
                                   ["-u", "alice@example.com"], ["-d", "LDAP", "-U"]))
def test_a_user_is_asked_for_again(suite, words):
    address(suite.slapd, "alice@example.com")
    for client in CLIENTS:
        gecos(suite, "One")
        silent(suite.c, "-E")
        assert seen(suite, client=client) == "One"
        gecos(suite, "Two")
        assert seen(suite, client=client) == "One"
        silent(suite.c, *words)
        assert seen(suite, client=client) == "Two", client


def test_what_it_touches_and_what_not(suite):
    def state():
        learn(suite)
        assert suite.passwd("bob") and suite.initgroups("bob")

        def now():
            names = [("user", "alice"), ("user", "bob"), ("group", "devs")]
            lists = "Initgroups expiration time: Expired\n" in suite.c.run(
                ["sssctl", "user-show", "alice"]
            ).out
            return [expired(suite, *name) for name in names] + [lists]

        return now

    for words, want in (
        (["-u", "alice"], [True, False, False, True]),
        (["-U"], [True, True, False, True]),
        (["-g", "devs"], [False, False, True, False]),
        (["-G"], [False, False, True, False]),
        (["-U", "-G"], [True, True, True, True]),
        (["-u", "bob", "-g", "devs"], [False, True, True, False]),
        (["-N", "-S", "-A", "-H", "-R"], [False, False, False, False]),
        (["-E"], [True, True, True, True]),
    ):
        now = state()
        assert now() == [False] * 4, words
        silent(suite.c, *words)
        assert now() == want, words


@pytest.mark.parametrize("running", ("all", "no responder", "no backend", "nothing"))
def test_clients_lose_what_they_could_find_by_themselves(suite, running):
    c = learn(suite).c
    if running in ("no responder", "nothing"):
        c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service")
    if running in ("no backend", "nothing"):
        c.systemctl("stop", "sssd.service")
    assert all(without_socket(suite))
    silent(c, "-U", "-G")
    assert not any(without_socket(suite))
    assert suite.pids("sssd_nss") == [] or running in ("all", "no backend")
    c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert all(answers(suite, "ours"))


def test_other_files_of_the_clients_stay(suite):
    c = learn(suite).c
    silent(c, "-G")
    left = without_socket(suite)
    assert [bool(line) for line in left] == [True, True, False, False, True]
    # The responder looks at its files once a second.
    c.wait_for("new files", lambda: all(without_socket(learn(suite))))
    silent(c, "-U")
    left = without_socket(suite)
    assert [bool(line) for line in left] == [False, False, True, True, False]


def test_it_holds_when_nothing_ran_and_the_server_is_away(suite):
    """Said with nothing there to hear it; afterwards the old answer does until there is a new one."""
    gecos(suite, "One")
    silent(suite.c, "-E")
    learn(suite)
    assert seen(suite) == "One"
    gecos(suite, "Two")
    suite.c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
    silent(suite.c, "-U")
    suite.slapd.down()
    suite.c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert seen(suite) == "One"
    suite.slapd.up()
    suite.c.wait_for("the new one", lambda: seen(suite) == "Two")


def test_what_was_not_there_is_asked_for_again(suite):
    for words in (["-U"], ["-u", "newone"]):
        assert suite.passwd("newone") is None
        suite.slapd.add(user_ldif(User("newone", 10700, 20001, "New", "/home/newone", "/bin/sh")))
        assert suite.passwd("newone") is None  # as it was said a moment ago
        assert sss_cache(suite.c, *words).rc == (0 if words == ["-U"] else 2)
        assert suite.passwd("newone").startswith("newone:")
        suite.slapd.delete(user_dn("newone"))
        silent(suite.c, "-u", "newone")
        assert suite.passwd("newone") is None
        silent(suite.c, "-U")


# Has the lock of changes of each file, as who stands still in the middle of one.
IN_A_CHANGE = """
import fcntl, os, struct, time
files = [open(f"/var/lib/sss/mc/.{name}.lock", "r+b") for name in ("passwd", "group", "initgroups")]
for file in files:
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 1, 1, 0))
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("words", (["-E"], ["-U", "-G"], ["-u", "alice", "-g", "devs"]), ids=" ".join)
def test_nobody_is_waited_for(suite, words):
    """With all of ours stopped in mid-flight, even of a change of the files."""
    c = learn(suite).c
    pids = [str(pid) for name in ("sssd", "sssd_be", "sssd_nss") for pid in suite.pids(name)]
    assert len(pids) == 3
    c.run(["kill", "-STOP", *pids])
    holder = c.popen(["python3", "-c", IN_A_CHANGE], stdout=-1, text=True)
    holder_pid = holder.stdout.readline().strip()
    try:
        silent(c, *words)
        assert not any(without_socket(suite))
    finally:
        c.run(["kill", holder_pid])
        holder.communicate()
        c.run(["kill", "-CONT", *pids])
    assert all(answers(suite, "ours"))


@pytest.mark.parametrize("words", (["-U", "-G"], ["-u", "alice"]), ids=" ".join)
def test_it_is_quick(suite, words):
    """5 ms, its start included, are what it may work; and it waits for nothing. (How long that takes
    a machine that has other things to do is no matter of ours.)"""
    c = learn(suite).c
    loop = f"for i in $(seq 100); do sss_cache {' '.join(words)}; done"
    spent = c.run(["bash", "-c", f"TIMEFORMAT='%U %S'; time {{ {loop}; }}"]).err.split()
    assert sum(map(float, spent)) / 100 <= 0.005, spent
    waits = (
        "fsync,fdatasync,msync,sync,syncfs,connect,poll,ppoll,select,pselect6,epoll_wait,futex,"
        "nanosleep,clock_nanosleep,flock,wait4"
    )
    c.run(["strace", "-f", "-o", "/tmp/trace", f"-e{waits}", "sss_cache", *words])
    assert c.sh("grep -v '+++' /tmp/trace || true").out == ""


def test_one_entry_costs_that_entry_only(suite):
    """Whoever is named goes from the files, under all keys, and everybody else stays in them."""
    c = learn(suite).c
    assert suite.initgroups("bob")
    before = inodes(c)
    for words, gone in (
        (["-u", "alice"], [("passwd", "alice"), ("passwd", 10001), ("initgroups", "alice")]),
        (["-g", "devs"], [("group", "devs"), ("group", 20002)]),
    ):
        learn(suite)
        kept = [
            question
            for question in [*QUESTIONS, ("passwd", "bob"), ("initgroups", "bob")]
            if question not in gone
        ]
        assert all(in_files(suite, *question) for question in [*gone, *kept])
        silent(c, *words)
        for client in CLIENTS:
            assert not any(in_files(suite, *question, client=client) for question in gone)
            assert all(in_files(suite, *question, client=client) for question in kept)
    assert inodes(c) == before


# ---- words ----


def said(c, *words, user=None):
    result = sss_cache(c, *words, user=user)
    assert result.out == "", result
    return result.rc, result.err


def test_what_it_says(suite):
    c = learn(suite).c
    assert said(c, "-u", "nosuch") == (2, NOT_FOUND)
    assert said(c, "-u", "alice", "-g", "nosuch") == (0, "")
    assert said(c, "-u", "nosuch", "-g", "devs") == (0, "")
    assert said(c, "-u", "ALICE") == (2, NOT_FOUND)
    assert said(c, "-u", "alice@NOWHERE") == (2, NOT_FOUND)
    assert said(c, "-u", "alice", "-d", "X") == (2, NO_DOMAIN.format("X"))
    assert said(c, "-U", "-d", "X") == (2, NO_DOMAIN.format("X"))
    assert said(c, "-U", "-d", "ldap") == (0, "")
    for letter in "nsahr":
        assert said(c, f"-{letter}", "x") == (2, NOT_FOUND)
    for word in ("-E", "-N", "-S", "-A", "-H", "-R", "--everything", "--users", "--groups"):
        assert said(c, word) == (0, "")
    # The form for all wins.
    assert said(c, "-U", "-u", "nosuch") == (0, "")
    assert said(c, "-E", "--sudo-rule=x") == (0, "")

    for words, why in (
        ([], SELECT),
        (["-d", "LDAP"], SELECT),
        (["-U", "foo"], UNEXPECTED),
        (["-u", "alice", "bob"], UNEXPECTED),
    ):
        rc, err = said(c, *words)
        assert rc == 1 and err.startswith("Usage: sss_cache ") and err.endswith(why), err
    for words, why in (
        (["-u"], "-u: missing argument"),
        (["--bogus"], "--bogus: unknown option"),
        (["-Ex"], "-x: unknown option"),
        (["--usage=x"], "--usage=x: takes no argument"),
    ):
        rc, err = said(c, *words)
        assert rc == 1 and err.startswith(f"{why}\nUsage: sss_cache "), err
    assert said(c, "--debug", "9", "-U") == (0, "")
    for word in ("--help", "-?", "--usage"):
        result = sss_cache(c, word)
        assert (result.rc, result.err) == (0, "") and result.out.startswith("Usage: sss_cache ")


def test_a_cache_that_cannot_be_read(suite):
    """Who is named cannot be found there, by an alias for one: so everybody is asked for again."""
    c = learn(suite).c
    seen(suite)
    seen(suite, "bob")
    data = "/var/lib/sss/db/cache_LDAP.mdb"
    mode = c.run(["stat", "-c", "%a", data]).out.strip()
    c.run(["chmod", "0", data])
    try:
        rc, err = said(c, "-u", "alice")
    finally:
        c.run(["chmod", mode, data])
    assert rc == 5 and "LDAP: the cache cannot be read, so all users are asked for again\n" in err, err
    assert expired(suite, "user", "alice") and expired(suite, "user", "bob")
    assert not expired(suite, "group", "devs")


@pytest.mark.parametrize(
    "words", (["-E"], ["-U", "-G"], ["-u", "alice", "-g", "devs"], ["-E", "-d", "LDAP"]), ids=" ".join
)
def test_a_configuration_of_another_format(suite, words):
    """As after an update: which caches there are is not known, what clients have goes all the same."""
    c = learn(suite).c
    current = "/var/lib/sss/conf/sssd/current"
    text = c.read(current)
    assert all(without_socket(suite))
    for other in re.sub("format *=.*", "format = 4711", text), "no configuration":
        learn(suite)
        c.write(current, other)
        try:
            rc, err = said(c, *words)
        finally:
            c.write(current, text)
        assert rc == 5 and err.startswith(f"{current}: "), (rc, err)
        assert not any(without_socket(suite))
        c.wait_for("new files", lambda: all(without_socket(learn(suite))))


def test_only_root_may(suite):
    learn(suite)
    for user in ("nobody", "sssd"):
        assert said(suite.c, "-E", user=user) == (1, "sss_cache must be run as root\n")
    assert all(without_socket(suite))


def test_nothing_cached_or_configured_is_silent(suite):
    c = suite.c
    suite.stop()
    for words in (["-E"], ["-U", "-G"], ["-u", "alice"], ["-n", "x"]):
        silent(c, *words)
    assert said(c, "-U", "-d", "LDAP") == (2, NO_DOMAIN.format("LDAP"))
    suite.configure(nss=MEMCACHE)
    c.run(["/usr/libexec/sssd/sssd_conf", "--write"])
    for words in (["-E"], ["-U", "-G"], ["-u", "alice"], ["-U", "-d", "LDAP"]):
        silent(c, *words)
    assert c.sh("ls /var/lib/sss/db").out == ""


def test_sssctl_cache_expire(suite):
    c = learn(suite).c
    result = c.run(["sssctl", "cache-expire", "-u", "alice"])
    assert (result.out, result.err) == ("", "")
    assert expired(suite, "user", "alice")
    result = c.run(["sssctl", "cache-expire", "-u", "nosuch"], check=False)
    assert (result.rc, result.err) == (1, NOT_FOUND + "Command 'sss_cache' failed with [2]\n")
    result = c.run(["sssctl", "cache-expire", "-E"], check=False, user="nobody")
    assert (result.rc, result.err) == (
        1, "sss_cache must be run as root\nCommand 'sss_cache' failed with [1]\n"
    )


def test_whoever_owns_the_files_leads_root_nowhere(suite):
    """Our own user's directories may hold links of all kinds; what they lead to is not written."""
    c = learn(suite).c
    c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
    links = {"passwd": "mc/passwd", "touched": "db/cache_LDAP.mdb-touched"}
    for name, path in links.items():
        # One that each of them would write to.
        c.sh(
            f"cd /var/lib/sss; cp {path} /root/{name}; chown 0:0 /root/{name};"
            f"chmod 600 /root/{name}; rm {path}; ln -s /root/{name} {path}"
        )
    c.sh("ln -f /root/passwd /var/lib/sss/mc/group")
    sums = [c.sh(f"sha256sum /root/{name}").out for name in links]
    sss_cache(c, "-E")
    assert [c.sh(f"sha256sum /root/{name}").out for name in links] == sums
    suite.stop()


def test_no_old_answer_after_it_returned(suite):
    """With others asking for the same all the time, so that questions are under way at any moment."""
    gecos(suite, "Round0")
    silent(suite.c, "-E")
    learn(suite)
    load = Load(
        suite.c, "passwd", "alice", 10001, clients=4, pause_us=100, memory_cache=True,
        until_eof=True, unread=True,
    )
    try:
        for n in range(1, by_length(40, 2000)):
            gecos(suite, f"Round{n}")
            silent(suite.c, *(["-u", "alice"] if n % 2 else ["-U", "-G"]))
            assert seen(suite, client=CLIENTS[n % 2]) == f"Round{n}"
    finally:
        load.stop()


def test_useradd_runs_it(suite):
    c = learn(suite).c
    assert all(without_socket(suite))
    for command in (["useradd", "-M", "fresh"], ["userdel", "fresh"]):
        result = c.run(command)
        assert "sss" not in result.out + result.err, result
    left = without_socket(suite)
    assert [bool(line) for line in left] == [False] * len(left), left
