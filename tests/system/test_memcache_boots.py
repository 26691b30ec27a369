# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache from one boot to the next: after an orderly shutdown its files answer before anything of
ours runs; after a crash, when their pages may be of many moments, no path leads to them.

A reboot that is not orderly kills all at once. The kernel goes on, so no page is lost: whatever a client could
find after a power cut it could find here, too."""
import pathlib
import re
import struct
import time

import pytest

from memcache import (
    CLIENTS,
    QUESTIONS,
    UNITS,
    answers,
    in_files,
    inodes,
    learn,
    traced,
    without_socket,
)
from slapd import Slapd
from suite import MEMCACHE, Suite

ALL_UNITS = (*UNITS, "sssd-memcache.service")
WRITTEN_MAX_KIB = 64
CLOSED_AT = 44  # common/wire/memcache.h
OPEN, CLOSE = (["/usr/libexec/sssd/sssd_memcache", word] for word in ("open", "close"))

# As early as can be, and before sssd-memcache.service.
EARLY = """
[Unit]
DefaultDependencies=no
Before=sssd-memcache.service systemd-sysusers.service systemd-tmpfiles-setup.service sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'getent passwd alice; getent group 20006; \
    LD_LIBRARY_PATH=/opt/debian-client getent passwd 10002; true'
StandardOutput=file:/var/early
[Install]
WantedBy=sysinit.target
"""
EARLY_ANSWERS = [
    "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash",
    "with space:*:20006:bob,carol",
    "bob:*:10002:20001:Bob Example:/home/bob:/bin/sh",
]


@pytest.fixture
def suite(container):
    """All of QUESTIONS are in the files; the server is gone after the first reboot."""
    with container() as c:
        c.write("/etc/systemd/system/early.service", EARLY)
        c.systemctl("enable", "early.service")
        yield learn(Suite(c, Slapd(c).start()).start(nss=MEMCACHE))
        assert c.failed_units() == []


def mask(c, masked=True):
    """From the next boot on; what runs goes on."""
    for unit in ALL_UNITS:
        path = f"/etc/systemd/system/{unit}"
        c.run(["ln", "-sf", "/dev/null", path] if masked else ["rm", "-f", path])
    c.run(["rm", "-f", "/var/early"])


def assert_nothing_runs(c):
    assert c.failed_units() == []
    assert c.run(["pidof", "sssd", "sssd_nss", "sssd_be"], check=False).out == ""


def early(c):
    return c.read("/var/early").splitlines()


def test_files_that_were_closed_answer_before_any_unit_of_ours(suite):
    want = answers(suite, "ours", memory_cache=False)
    mask(suite.c)
    suite.c.reboot(orderly=True)
    assert_nothing_runs(suite.c)
    assert early(suite.c) == EARLY_ANSWERS
    for client in CLIENTS:
        assert answers(suite, client) == want
        assert answers(suite, client, memory_cache=False) == [""] * len(QUESTIONS)


def test_a_question_before_any_unit_of_ours_is_a_hit(suite):
    """Also in the boots after the next, and while our units are there and nothing has started."""
    for _ in range(2):
        suite.c.run(["rm", "-f", "/var/early"])
        before = inodes(suite.c)
        suite.c.reboot(orderly=True)
        assert early(suite.c) == EARLY_ANSWERS
        assert suite.c.failed_units() == []
        assert inodes(suite.c) == before


def test_the_responder_goes_on_with_them(suite):
    """Nobody stores them again, for there is no server."""
    c, before, want = suite.c, inodes(suite.c), without_socket(suite)
    assert all(want)
    c.reboot(orderly=True)
    assert suite.passwd("nobody-has-this-name") is None  # it runs
    assert (inodes(c), without_socket(suite)) == (before, want)
    for question in QUESTIONS:
        assert traced(c, "getent", *question)[1] == []
    assert c.sh("readlink /var/lib/sss/mc /run/sss/mc").out.split() == [
        "/run/sss/mc",
        "/var/lib/sss/mc.files",
    ]


def test_nobody_is_told_what_has_expired(suite):
    suite.configure(nss={"memcache_timeout": 10})
    suite.c.systemctl("reload", "sssd.service")
    learn(suite)
    begin = time.monotonic()
    mask(suite.c)
    suite.c.reboot(orderly=True)
    assert time.monotonic() - begin < 9, "this machine is too slow for the test"
    assert answers(suite, "ours")[0] == answers(suite, "debian")[0] != ""
    time.sleep(max(0, begin + 12 - time.monotonic()))
    for client in CLIENTS:
        assert answers(suite, client) == [""] * len(QUESTIONS)


@pytest.mark.parametrize("boots_before", (0, 1))
def test_after_a_crash_no_client_finds_them(suite, boots_before):
    """Whether they were begun in the boot that crashed, or came from the one before it."""
    c = suite.c
    for _ in range(boots_before):
        c.reboot(orderly=True)
        assert c.show("sssd-memcache.service", "ActiveState") == "active"
    mask(c)
    c.reboot()
    assert_nothing_runs(c)
    assert early(c) == []
    for client in CLIENTS:
        assert answers(suite, client) == [""] * len(QUESTIONS)
    assert c.run(["ls", "/var/lib/sss/mc/"], check=False).rc != 0

    # Nor when our units are there.
    mask(c, False)
    c.reboot()
    assert c.failed_units() == []
    assert c.sh("cd /var/lib/sss/mc.files && ls passwd group initgroups", check=False).rc != 0
    assert suite.passwd("alice") and suite.passwd("alice", client="debian")
    # Begun anew; a responder that was asked before they were there looks again within a second.
    c.wait_for("a file", lambda: suite.passwd("alice") and without_socket(suite)[0])


def test_what_is_given_up_before_our_units_run_is_so_in_the_next_boot(suite):
    c = suite.c
    mask(c)
    c.reboot(orderly=True)
    c.run(["sss_cache", "-u", "alice"])
    for client in CLIENTS:
        passwd, _, group, *_ = answers(suite, client)
        assert not passwd and group
    calls = c.sh("strace -f -e trace=fdatasync,fsync sss_cache -g devs 2>&1").out
    assert calls.count("sync(") == 1
    c.reboot()
    for client in CLIENTS:
        assert answers(suite, client) == [""] * len(QUESTIONS)


def test_a_clock_that_goes_wrong(suite):
    """Earlier than the files were closed: what has expired would hold again."""
    c = suite.c
    mask(c)
    c.reboot(orderly=True)
    in_an_hour = struct.pack("<I", int(time.time()) + 3600)
    for file in c.sh("ls /var/lib/sss/mc.files").out.split():
        with open(f"/proc/{c.pid}/root/var/lib/sss/mc.files/{file}", "r+b") as header:
            header.seek(CLOSED_AT)
            header.write(in_an_hour)
    assert answers(suite, "ours") == [""] * len(QUESTIONS)
    c.run(OPEN)
    assert c.sh("ls /var/lib/sss/mc/").out == ""
    assert answers(suite, "debian") == [""] * len(QUESTIONS)


def test_a_writer_that_does_not_leave_keeps_them_from_being_closed(suite):
    c = suite.c
    began = time.monotonic()
    c.run(CLOSE)
    assert 4.5 < time.monotonic() - began < 8
    assert "not kept for the next boot" in c.journal("-t", "sssd_memcache")
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "/run/sss/mc\n"
    assert all(without_socket(suite))


def test_stopped_and_started_in_one_boot(suite):
    c, before = suite.c, inodes(suite.c)
    c.systemctl("stop", "sssd-nss.service", "sssd-nss.socket")
    c.systemctl("stop", "sssd-memcache.service")
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "mc.files\n"
    assert all(without_socket(suite))
    c.systemctl("start", "sssd-nss.socket")
    assert suite.passwd("nobody-has-this-name") is None
    c.wait_for("files in use", lambda: c.run(["readlink", "/var/lib/sss/mc"]).out != "mc.files\n")
    assert all(without_socket(suite))
    assert suite.passwd("nobody-has-this-name-either") is None
    assert inodes(c) == before


def test_a_lock_of_any_user_delays_nothing(suite):
    """flock(1) on a directory that he may read: neither a start nor the end of a boot."""
    c = suite.c
    for path in "/var/lib/sss", "/run/sss":
        c.popen(["flock", "-s", path, "sleep", "infinity"], user="nobody")
        c.wait_for("his lock", lambda path=path: c.run(["flock", "-n", path, "true"], check=False).rc)
    assert c.run(["cat", "/run/sss/mc.lock"], check=False, user="nobody").rc != 0
    began = time.monotonic()
    c.systemctl("restart", "sssd.service")
    assert time.monotonic() - began < 5
    c.systemctl("stop", "sssd-nss.service", "sssd-nss.socket", "sssd-memcache.service")
    assert time.monotonic() - began < 10
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "mc.files\n"
    c.systemctl("start", "sssd-memcache.service", "sssd-nss.socket")
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "/run/sss/mc\n"
    assert all(without_socket(suite))


# What `podman run -v /var/lib/sss/mc:/var/lib/sss/mc` and the like do, with a /run of its own.
MOUNTS = """
    mkdir -p /tmp/mc /tmp/pipes
    mount --bind /var/lib/sss/mc /tmp/mc
    mount --bind /var/lib/sss/pipes /tmp/pipes
    mount -t tmpfs tmpfs /run
    mount -t tmpfs tmpfs /var/lib/sss
    mkdir /var/lib/sss/mc /var/lib/sss/pipes
    mount --move /tmp/mc /var/lib/sss/mc
    {pipes} mount --move /tmp/pipes /var/lib/sss/pipes
    touch /var/lib/mounted-$1
    sleep 1
    until test -e /var/lib/go-$1; do sleep 0.1; done
    getent passwd alice
    LD_LIBRARY_PATH=/opt/debian-client getent passwd alice
"""


@pytest.mark.parametrize("pipes", (False, True))
def test_a_container_that_mounts_them_sees_each_new_file(suite, pipes):
    c = suite.c
    script = MOUNTS.format(pipes="" if pipes else "true")
    inside = c.popen(["unshare", "-m", "sh", "-euc", script, "sh", str(pipes)], stdout=-1, text=True)
    c.wait_for("its mounts", lambda: c.exists(f"/var/lib/mounted-{pipes}"))
    before = inodes(c)
    c.run(["sss_cache", "-E"])
    time.sleep(1.1)
    learn(suite)
    assert inodes(c) != before
    c.run(["touch", f"/var/lib/go-{pipes}"])
    assert inside.communicate(timeout=20)[0].splitlines() == EARLY_ANSWERS[:1] * 2


def test_a_directory_of_another_kind_is_replaced(suite):
    """As Debian's sssd has it, or a backup."""
    c = suite.c
    c.systemctl("stop", "sssd.service", "sssd-nss.socket", "sssd-nss.service")
    c.sh("cp -r /var/lib/sss/mc/ /root/mc; rm /var/lib/sss/mc; cp -r /root/mc /var/lib/sss/mc")
    c.systemctl("start", "sssd-nss.socket", "sssd.service")
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "/run/sss/mc\n"
    assert not any(without_socket(suite))
    learn(suite)
    c.wait_for("files", lambda: suite.passwd("alice") and all(without_socket(suite)))


def test_a_mount_is_left_alone(suite):
    """A container with the host's files mounted, and a package of its own: files without links."""
    c = suite.c
    c.systemctl("stop", "sssd.service", "sssd-nss.socket", "sssd-nss.service", "sssd-memcache.service")
    c.sh(
        "rm /var/lib/sss/mc; install -d -o sssd -g sssd /root/mc /var/lib/sss/mc; chmod 711 /root;"
        "touch /root/mc/theirs; mount --bind /root/mc /var/lib/sss/mc"
    )
    try:
        c.systemctl("start", "sssd-memcache.service", "sssd-nss.socket", "sssd.service")
        assert "mc is a mount point" in c.run(["journalctl", "-u", "sssd-memcache.service"]).out
        assert learn(suite).passwd("alice") and all(without_socket(suite))
        c.systemctl("stop", "sssd.service", "sssd-nss.socket", "sssd-nss.service")
        c.systemctl("stop", "sssd-memcache.service")
        assert c.exists("/root/mc/theirs") and c.exists("/root/mc/passwd")
    finally:
        c.run(["umount", "/var/lib/sss/mc"])
    c.systemctl("start", "sssd-memcache.service", "sssd-nss.socket", "sssd.service")
    assert c.run(["readlink", "/var/lib/sss/mc"]).out == "/run/sss/mc\n"
    assert learn(suite).passwd("alice") and all(without_socket(suite))


def test_a_start_writes_little(container):
    """As ext4 counts it, with its journal: in files that were there, and in new ones."""
    files = "/var/lib/sss/mc.files"
    with container(ext4_mib=64) as c:
        suite = learn(Suite(c, Slapd(c).start()).start(nss=MEMCACHE))
        c.systemctl("stop", "sssd-nss.service")
        c.sh(f"d=/var/lib/sss/db/mc; mkdir -m 755 $d; chown sssd: $d; mount --bind $d {files}")
        (disk,) = re.findall(r"/dev/(\w+)", c.run(["findmnt", "-no", "SOURCE", files]).out)

        def written_kib():
            c.run(["sync", "-f", files])
            return int(pathlib.Path("/sys/fs/ext4", disk, "session_write_kbytes").read_text())

        for begin_anew in (True, False, True):
            c.systemctl("stop", "sssd-nss.service")
            if begin_anew:
                c.sh(f"rm -f {files}/*")
            before = written_kib()
            for question in ("passwd", "alice"), ("group", "devs"), ("initgroups", "alice"):
                c.run(["env", "SSS_NSS_USE_MEMCACHE=NO", "getent", *question])
                assert in_files(suite, *question)
            assert written_kib() - before < WRITTEN_MAX_KIB
            assert c.exists(f"{files}/sid")
