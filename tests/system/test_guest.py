# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client library as a guest in programs that fork, close what they do not know, run with less than
a system, and the like (tests/fake/guest.c). Against the real suite, with its memory cache and past it."""
import pytest

from length import by_length
from memcache import NO_SOCKET, traced
from slapd import Group, group_ldif
from suite import Suite

GUEST = "/usr/libexec/sssd-tests/guest"
STATIC = "/usr/libexec/sssd-tests/static"
MEMBERS, GROUPS = 3000, 300
ARGUMENTS = ["alice", "10001", "crowd", str(MEMBERS), str(GROUPS + 2)]

# Scenarios, and their rounds.
SCENARIOS = {
    "descriptors": by_length(200, 5000),
    "vforks": by_length(200, 5000),
    "forks": by_length(100, 5000),
    "threads": by_length(100, 5000),
    "cancels": by_length(300, 10000),
    "signals": by_length(2000, 100000),
    "identities": by_length(150, 10000),
    "chroots": by_length(100, 1000),
    "seccomp": by_length(6, 60),
    "buffers": by_length(100, 2000),
    "reloads": by_length(50, 2000),
    "namespaces": by_length(20, 500),
}

# Those that memcheck(1) can follow: not a program without its system calls, and fewer of the rest.
FOLLOWED = {
    "descriptors": 20,
    "vforks": 10,
    "forks": 5,
    "threads": 3,
    "cancels": 5,
    "buffers": 20,
    "reloads": 5,
}

MEMCHECK = [
    "valgrind",
    "--quiet",
    "--error-exitcode=99",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,possible",
    "--show-leak-kinds=definite,possible",
    "--child-silent-after-fork=yes",
]


@pytest.fixture(scope="module")
def host(machine, slapd):
    """The suite; alice is in GROUPS groups beside those of the sample directory."""
    slapd.add(group_ldif(Group("crowd", 21000, [f"member{n:05}" for n in range(MEMBERS)])))
    slapd.add("\n".join(group_ldif(Group(f"of{n}", 22000 + n, ["alice"])) for n in range(GROUPS)))
    suite = Suite(machine, slapd).start(nss={"memcache_timeout": 3600})  # a long run lasts
    assert suite.passwd("alice") and suite.passwd(10001) and suite.initgroups("alice")
    assert len(suite.group("crowd")[2]) == MEMBERS
    return suite


def keep_in_files(suite):
    """What was asked for is given its full time again, unless that was a moment ago."""
    for question in (("passwd", "alice"), ("group", "crowd"), ("initgroups", "alice")):
        suite.c.run(["getent", *question], env={"SSS_NSS_USE_MEMCACHE": "NO"})


def be_guest(suite, scenario, rounds, memory_cache, before=(), timeout=60):
    if memory_cache:
        keep_in_files(suite)
    suite.c.run(
        [*(NO_SOCKET if memory_cache else []), *before, GUEST, scenario, str(rounds), *ARGUMENTS],
        env={"SSS_NSS_USE_MEMCACHE": "YES" if memory_cache else "NO"},
        timeout=timeout,
    )


@pytest.mark.parametrize("memory_cache", (True, False), ids=("file", "socket"))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_harms_nobody(host, scenario, memory_cache):
    be_guest(host, scenario, SCENARIOS[scenario], memory_cache, timeout=by_length(60, 1800))


@pytest.mark.parametrize("memory_cache", (True, False), ids=("file", "socket"))
@pytest.mark.parametrize("scenario", FOLLOWED)
def test_reads_and_frees_what_is_its_own(host, scenario, memory_cache):
    be_guest(host, scenario, FOLLOWED[scenario], memory_cache, before=MEMCHECK, timeout=120)


@pytest.mark.parametrize("memory_cache", (True, False), ids=("file", "socket"))
def test_a_statically_linked_program(host, memory_cache):
    """Its C library loads the module, with another C library."""
    env = {"SSS_NSS_USE_MEMCACHE": "YES" if memory_cache else "NO"}
    rounds = str(by_length(100, 10000))
    alone = NO_SOCKET if memory_cache else []
    keep_in_files(host)
    host.c.run([*alone, STATIC, rounds, *ARGUMENTS], env=env, timeout=by_length(60, 600))
    _, calls = traced(host.c, "env", *(f"{k}={v}" for k, v in env.items()), STATIC, "3", *ARGUMENTS)
    assert bool(calls) == (not memory_cache), calls
