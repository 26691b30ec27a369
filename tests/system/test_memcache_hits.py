# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many of the questions reach nobody: the memory cache when it is too small for all, and across the
ends of its writer. What reached the responder is in its metrics, which outlive it.

At the long length these are the figures of the issue, with the sizes as shipped; the short one has an
eighth of the users in an eighth of the file."""
import itertools
import pathlib

import pytest

from length import by_length
from load import Load, Processes
from memcache import CLIENTS
from metrics import metrics
from slapd import Slapd, big
from suite import MEMCACHE, Suite

HOT = by_length(6250, 50000)
COLD = HOT  # with those in use, more than there is room for
SIZE_MIB = by_length(1, 8)  # 8: the default
ASKS = 10 * HOT
PAUSE_US = 20  # a call takes three times as long; so ten hot ones for a cold one

KEPT = by_length(2000, 10000)
START_UP_MAX = 64 << 10
DISK_MAX = 6 << 20


def users(first, last):
    return f"user%05u:{first}:{last}"


def asked_for(c):
    return metrics(c).of("nss", "sssd_requests_total").get(("user_by_name", "ok"), 0)


def ask_all(c, keys, **options):
    calls = Load(c, "passwd", keys, **options).end(patience=400)
    assert calls.were_all_right(), calls


def hit_rate(c, client, first, last, asks):
    """Of questions at random, with both libraries the same."""
    before = asked_for(c)
    calls = Load(
        c, "passwd", users(first, last), client=client, memory_cache=True, random=True,
        clients=2, count=asks // 2, pause_us=PAUSE_US,
    ).end(patience=600)  # fmt: skip
    assert calls.were_all_right(asks), calls
    return 1 - (asked_for(c) - before) / calls.calls


@pytest.fixture(scope="module")
def crowded(container):
    """A cache with the hot users in it; the directory has as many cold ones."""
    with container() as c:
        slapd = Slapd(c, entries=big(HOT + 2 * COLD, 1, 1)).start()
        nss = {"memcache_size_passwd": SIZE_MIB if SIZE_MIB != 8 else None}
        suite = Suite(c, slapd).start(nss={**MEMCACHE, **nss})
        ask_all(c, users(1, HOT), clients=4, count=HOT // 4)
        yield suite


@pytest.mark.parametrize("client", CLIENTS)
def test_those_in_use_fit_in(crowded, client):
    rate = hit_rate(crowded.c, client, 1, HOT, ASKS)
    print(f"{HOT} hot users in {SIZE_MIB} MiB: {rate:.2%} hits")
    assert rate >= 0.98


@pytest.mark.parametrize("client, part", [(client, n) for n, client in enumerate(CLIENTS)])
def test_those_in_use_stay_while_cold_ones_pass_by(crowded, client, part):
    c = crowded.c
    first = HOT + part * COLD + 1
    evicted = metrics(c)["sssd_memory_cache_records_total", "nss", "evicted"]
    before = asked_for(c)
    hot = Load(
        c, "passwd", users(1, HOT), client=client, memory_cache=True, random=True,
        clients=2, seconds=600, until_eof=True, pause_us=PAUSE_US,
    )  # fmt: skip
    ask_all(c, users(first, first + COLD - 1), clients=2, count=COLD // 2)
    calls = hot.stop()
    rate = 1 - (asked_for(c) - before - COLD) / calls.calls
    evicted = metrics(c)["sssd_memory_cache_records_total", "nss", "evicted"] - evicted
    print(f"{calls.calls} hot questions, {COLD} cold ones, {evicted:.0f} evicted: {rate:.2%} hits")
    assert calls.were_all_right() and evicted > COLD / 4
    assert rate >= 0.9


# ---- across the ends of its writer ----


@pytest.fixture(scope="module")
def kept(container):
    with container() as c:
        suite = Suite(c, Slapd(c, entries=big(KEPT + 100, 1, 1)).start()).start(nss=MEMCACHE)
        ask_all(c, users(1, KEPT), clients=4, count=KEPT // 4)
        yield suite


def restart(suite):
    suite.c.systemctl("restart", "sssd-nss.service")


def idle_exit(suite):
    """It goes after a moment without work."""
    c = suite.c
    suite.idle_exit(1000)
    try:
        c.systemctl("restart", "sssd-nss.service")
        c.wait_for("it to be gone", lambda: not suite.pids("sssd_nss"))
    finally:
        suite.idle_exit(None)


def kill(suite):
    assert Processes(suite.c).kill("sssd_nss") == 1


strangers = itertools.count(KEPT + 1)
ENDS = {"restart": restart, "idle exit": idle_exit, "kill -9": kill}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("client", CLIENTS)
def test_hits_across_the_end_of_the_writer(kept, client, end):
    c = kept.c
    before = Processes(c).pids("sssd_nss")
    ENDS[end](kept)
    # One who is not in there yet starts the next writer, and it has to open the file.
    assert kept.passwd(f"user{next(strangers):05}")
    (pid,) = Processes(c).pids("sssd_nss")
    assert pid not in before
    written = int(pathlib.Path(f"/proc/{pid}/io").read_text().split("wchar: ")[1].split()[0])
    rate = hit_rate(c, client, 1, KEPT, 2 * KEPT)
    print(f"{rate:.2%} hits, {written} bytes written at the start")
    assert written < START_UP_MAX
    assert rate >= 0.95


def test_what_the_files_take_of_the_disk(kept):
    """They are holes where there is no record."""
    blocks = int(kept.c.sh("cd /var/lib/sss/mc && du -sk .").out.split()[0]) << 10
    apparent = int(kept.c.sh("cd /var/lib/sss/mc && du -sk --apparent-size .").out.split()[0]) << 10
    print(f"{KEPT} users: {blocks} bytes of disk, {apparent} of files")
    assert blocks < DISK_MAX < apparent
