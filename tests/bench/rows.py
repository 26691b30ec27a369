# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: one function for each row of the table, in the order of a round.

A function is given a side and returns a number, or several of the same kind. A round begins with an
empty cache on both sides; cold rows ask for who was not asked for before in that round."""
import statistics
import time

from sides import DEBIAN_CLIENT, NO_MEMORY_CACHE, TOOLS

ROWS = []

PASSWD = "(&(objectClass=posixAccount)(uid={}))"
WAKEUP_SECONDS = 60


class Row:
    """One line of the table.

    then      what Debian's sssd needed when the targets were set (targets.md; the middle of a range)
    target    what ours shall need on that machine. Times are not portable: what counts is the
              ratio target : then. absolute: counts and sizes are portable, target itself counts
    more      more is better
    limit     a function of a side: what the machine itself needs
    place     where the cache lies: "tmpfs", "ext4"; or "bis", and of ours only "list", "growth": see sides.py
    once      the same in every round, so only the first has it
    nslcd     can be asked of nslcd too
    nscd      and of nscd
    together  measured on both sides at the same time: function(sides) returns {side's name: number}
    """

    def __init__(self, function, what, unit, then=None, target=None, **more):
        self.name, self.function = function.__name__, function
        self.what, self.unit, self.then, self.target = what, unit, then, target
        self.absolute = self.more = self.once = self.together = False
        self.nslcd = self.nscd = False
        self.limit, self.place = None, "tmpfs"
        assert set(more) <= set(vars(self)), more
        vars(self).update(more)


def row(*words, **more):
    def register(function):
        ROWS.append(Row(function, *words, **more))
        return function

    return register


# -- limits ----------------------------------------------------------------------------------------


def one_round_trip(side):
    return side.limit("socket", 1, 0.5)["median_us"]


def round_trips_of(n_clients):
    return lambda side: side.limit("socket", n_clients, 0.5)["per_second"]


def search(*filters, last=100):
    return lambda side: side.limit_ldap(1, 1, last, *filters)["median_us"]


def searches_of(n_clients):
    return lambda side: side.limit_ldap(
        n_clients, 1001, 2000, "(&(objectClass=posixAccount)(uidNumber=10####))"
    )["per_second"]


def glibc_alone(side):
    """getgrouplist(3) where there is no module: it looks whether nsswitch.conf has changed."""
    words = ["--unread", "--count", 100000, "initgroups", "joiner"]
    return side.call(*words, **side.through_libc("initgroups: none"))["median_us"]


def nothing(side):
    """What idle_first() has just measured beside the responder."""
    return [nothing for _, nothing in side.first_answers]


# -- one client after the other --------------------------------------------------------------------


def again(ask, count, *words, **how):
    """The median of five processes. Whether the kernel runs client and responder on one processor
    or on two mostly holds as long as they live, and makes several microseconds of difference."""
    each = ("--count", count // 5, *words)
    return statistics.median(ask(*each, **how)["median_us"] for _ in range(5))


# -- nothing was asked yet -------------------------------------------------------------------------


@row("memory (PSS): monitor and connected backend", "MiB", 19, 8, absolute=True, nslcd=True)
def memory_idle(side):
    side.asleep()
    mib = side.pss_mib()
    side.found("passwd", "user10000")  # awake again: what follows does not wait for that
    return mib


# -- questions to the server -----------------------------------------------------------------------


@row(
    "group of 5,000, cold",
    "ms",
    151,
    8,
    limit=lambda s: search("(cn=everyone)", last=5)(s) / 1e3,
    nslcd=True,
)
def group_cold(side):
    return side.found("group", "everyone")["first_us"] / 1000


@row("group of 5,000, warm", "µs", 4300, 200)
def group_warm(side):
    # 5,000 names: looking at each would take a third of what is measured.
    return again(side.found, 200, "--unread", "group", "everyone")


@row(
    "initgroups of 300 groups, cold",
    "ms",
    184,
    5,
    nslcd=True,
    limit=lambda s: search(PASSWD.format("joiner"), "(memberUid=joiner)", last=5)(s) / 1e3,
)
def initgroups_cold(side):
    return side.found("initgroups", "joiner")["first_us"] / 1000


@row("initgroups of 300 groups, warm", "µs", 2000, 60)
def initgroups_warm(side):
    return again(side.found, 1000, "initgroups", "joiner")


@row("cold user", "µs", 2100, 250, limit=search(PASSWD.format("user0####")), nslcd=True)
def cold_user(side):
    return side.found("passwd", "user%05u:1:300")["median_us"]


@row("unknown name, first", "µs", 1580, 250, limit=search(PASSWD.format("unknown###")), nslcd=True)
def unknown_first(side):
    return side.call("passwd", "unknown%03u:1:100")["median_us"]


@row("unknown name, again", "µs", 40, 15, nslcd=True)
def unknown_again(side):
    return again(side.call, 20000, "passwd", "unknown001")


@row("1,000 uids cold, 8 clients", "/s", 1360, 7000, more=True, limit=searches_of(8), nslcd=True)
def cold_uids(side):
    return side.found("--clients", 8, "--count", 125, "passwd", "%u:101001:102000")["per_second"]


# -- answers of the responder alone ----------------------------------------------------------------


@row("warm user, 1 client", "µs", 83, 18, limit=one_round_trip)
def warm(side):
    return again(side.found, 30000, "passwd", "user10000")


@row("… with Debian's client library", "µs", 83, 18, limit=one_round_trip)
def warm_debian_client(side):
    return again(side.found, 30000, "passwd", "user10000", library=DEBIAN_CLIENT)


@row("warm users, 8 clients", "/s", 18600, 65000, more=True, limit=round_trips_of(8))
def warm_8(side):
    return side.found("--clients", 8, "--seconds", 1, "passwd", "user%05u:1:300")["per_second"]


@row("warm users, 64 clients", "/s", 18600, 65000, more=True, limit=round_trips_of(64))
def warm_64(side):
    return side.found("--clients", 64, "--seconds", 1, "passwd", "user%05u:1:300")["per_second"]


@row("… the slowest of them : the average", "", None, 0.5, absolute=True, more=True)
def slowest_of_64(side):
    got = side.found("--clients", 64, "--seconds", 1, "passwd", "user%05u:1:300")
    return got["least_calls"] * 64 / got["calls"]


@row("system calls of a warm request, responder", "", 30, 4, absolute=True)
def system_calls_responder(side):
    return side.system_calls(1000)[0]


@row("… client", "", 17, 4, absolute=True)
def system_calls_client(side):
    return side.system_calls(1000)[1]


@row("instructions of a warm request, responder", "", once=True)
def instructions_responder(side):
    return side.instructions(1000)[0]


@row("… client", "", once=True)
def instructions_client(side):
    return side.instructions(1000)[1]


# -- answers of nobody: the memory cache; nscd is always asked through the C library ------------------

UNKNOWN_UID = "%u:54321:54321"


def hit(side, *words, **how):
    """The median of a question whose answer was stored just before."""
    side.found(*words, memory_cache=True, **how)
    return side.found("--unread", "--count", 100000, *words, memory_cache=True, **how)["median_us"]


def no_hit(side, *words, **how):
    """The same about who is unknown."""
    side.call(*words, memory_cache=True, **how)
    return side.call("--unread", "--count", 50000, *words, memory_cache=True, **how)["median_us"]


@row("memory cache: a user", "µs", 0.57, 0.3, nscd=True)
def memcache_user(side):
    return hit(side, "passwd", "user10000")


@row("… by uid", "µs", 0.57, 0.3, nscd=True)
def memcache_uid(side):
    return hit(side, "passwd", "110000")


# The module's part of what may take 1.5 µs through the C library.
@row("… initgroups of 300 groups", "µs", None, 1.5, absolute=True, nscd=True)
def memcache_initgroups(side):
    return hit(side, "initgroups", "joiner")


@row("… group of 5,000", "µs", 24, 10, nscd=True)
def memcache_group(side):
    return hit(side, "group", "everyone")


@row("… an unknown uid", "µs", None, 0.3, absolute=True, nscd=True)
def memcache_unknown(side):
    return no_hit(side, "passwd", UNKNOWN_UID)


# No target: a name that is nobody's may be a password, so ours keeps none where all can read it.
@row("… an unknown name", "µs", nscd=True)
def memcache_unknown_name(side):
    return no_hit(side, "passwd", "unknown%03u:1:1")


@row("through the C library, sss first: a user", "µs", nscd=True)
def libc_user(side):
    return hit(side, "passwd", "user10000", **side.through_libc())


# glibc looks at each question whether nsswitch.conf has changed: that is most of what a user costs here, and
# all of the target for initgroups. Without a line for initgroups it also goes on to the next word of "group",
# whoever has answered, and reads /etc/group.
@row("… initgroups of 300 groups", "µs", nscd=True)
def libc_initgroups(side):
    return hit(side, "initgroups", "joiner", **side.through_libc())


@row(
    "… where there is 'initgroups: sss files'",
    "µs",
    None,
    1.5,
    absolute=True,
    nscd=True,
    limit=glibc_alone,
)
def libc_initgroups_line(side):
    return hit(side, "initgroups", "joiner", **side.through_libc("initgroups: sss files"))


@row("… group of 5,000", "µs", 24, 10, nscd=True)
def libc_group(side):
    return hit(side, "group", "everyone", **side.through_libc())


@row("memory cache: system calls of a hit", "", 0, 0.01, absolute=True, nscd=True)
def memcache_system_calls(side):
    return side.hit_system_calls(20000)


@row("… instructions of a hit: a user", "", once=True, nscd=True)
def memcache_instructions(side):
    return side.hit_instructions(10000, "passwd", "user10000")


@row("… by uid", "", once=True, nscd=True)
def memcache_instructions_uid(side):
    return side.hit_instructions(10000, "passwd", "110000")


@row("… initgroups of 300 groups", "", once=True, nscd=True)
def memcache_instructions_initgroups(side):
    return side.hit_instructions(2000, "initgroups", "joiner")


@row("… group of 5,000", "", once=True, nscd=True)
def memcache_instructions_group(side):
    return side.hit_instructions(500, "group", "everyone")


@row("… an unknown uid", "", once=True, nscd=True)
def memcache_instructions_unknown(side):
    return side.hit_instructions(2000, "passwd", UNKNOWN_UID)


@row("memory cache: written at a responder's start", "KiB", None, 64, absolute=True)
def memcache_written(side):
    return side.written_at_start_kib()


@row("… disk for 10,000 users", "MiB", 33, 6, absolute=True, once=True)
def memcache_disk(side):
    side.found("--clients", 8, "passwd", "user%05u:1:10000")
    return int(side.c.run(["du", "-sk", "/var/lib/sss/mc"]).out.split()[0]) / 1024


# -- processes that come and go --------------------------------------------------------------------


@row("first answer through an idle socket", "ms", 61.5, 20, limit=nothing)
def idle_first(side):
    side.first_answers = side.first_answers_ms(5)
    return [mine for mine, _ in side.first_answers]


@row("… over a service that does nothing", "ms", None, 5, absolute=True)
def idle_over_nothing(side):
    return [mine - nothing for mine, nothing in side.first_answers_ms(5)]


@row("systemctl start to the first answer", "ms", 204, 60)
def start_cached(side):
    return _start(side, "user10000")[0]


@row("… about a user who is not in the cache", "ms")
def start_cold(side):
    return _start(side, "user04000")[0]


@row("systemctl start until it comes back", "ms")
def start_returns(side):
    return _start(side, "user10000")[1]


def _start(side, name):
    """(ms to the first answer, ms until systemctl comes back): a client asks all the time."""
    units = "sssd.service sssd-nss.socket"
    side.c.systemctl("stop", "sssd-nss.service", *units.split())
    script = f"""
        begin=$EPOCHREALTIME
        (systemctl start {units}; echo $EPOCHREALTIME >/tmp/returned) &
        {TOOLS}/nsscall --until-success --seconds 30 --pause-us 500 passwd {name} >/tmp/answered
        answered=$EPOCHREALTIME
        wait
        grep -q '"success": 1,' /tmp/answered
        echo $begin $answered $(cat /tmp/returned)
    """
    out = side.c.run(["bash", "-euc", script], env=NO_MEMORY_CACHE).out
    begin, answered, returned = map(float, out.split())
    return (answered - begin) * 1000, (returned - begin) * 1000


# -- a full cache ----------------------------------------------------------------------------------


@row("memory (PSS) after 10,000 users, responder too", "MiB", 94, 20, absolute=True, nslcd=True)
def memory_full(side):
    side.found("--clients", 8, "--count", 1250, "passwd", "user%05u:1:10000")
    return side.pss_mib()


@row("disk for 10,000 users", "MiB", 38, 8, absolute=True)
def disk(side):
    return side.disk_mib()


@row("wake-ups of an idle host", "/s", 1.2, 0.1, absolute=True, together=True, nslcd=True)
def wakeups(sides):
    for side in sides:
        side.asleep()
    time.sleep(2)
    before = [side.wakeups() for side in sides]
    time.sleep(WAKEUP_SECONDS)
    return {
        side.name: (side.wakeups() - then) / WAKEUP_SECONDS for side, then in zip(sides, before)
    }


# -- groups that list DNs ---------------------------------------------------------------------------


@row("rfc2307bis: initgroups of 300 groups, cold", "ms", 347, 25, place="bis")
def bis_initgroups_cold(side):
    return initgroups_cold(side)


@row("rfc2307bis: group of 5,000, names in the DNs, cold", "ms", 864, 30, place="bis")
def bis_group_cold(side):
    return group_cold(side)


@row("rfc2307bis: group of 5,000, each looked up, cold", "ms", 864, 250, place="bis")
def bis_group_looked_up(side):
    return side.found("group", "everyone-else")["first_us"] / 1000


@row("rfc2307bis: initgroups, ten groups in each other, cold", "ms", 8.5, 3, place="bis")
def bis_nested_cold(side):
    return side.found("initgroups", "nester")["first_us"] / 1000


# -- a cache on a disk -----------------------------------------------------------------------------


# No target: the answer waits for its commit, which is two thirds of this by itself.
@row("ext4: cold user", "µs", place="ext4")
def ext4_cold_user(side):
    return cold_user(side)


@row("ext4: 1,000 uids cold, 8 clients", "/s", 344, 4000, more=True, place="ext4")
def ext4_cold_uids(side):
    return cold_uids(side)


@row("ext4: users stored per second, 64 clients", "/s", 277, 4000, more=True, place="ext4")
def ext4_stored(side):
    """Every user of the range once, by whichever client: a question each."""
    return side.found("--clients", 64, "--count", 40, "passwd", "user%05u:3001:5560")["per_second"]


# -- all users -------------------------------------------------------------------------------------


# Debian's sssd needs minutes for this, or is ended by its own watchdog (targets.md).
@row("enumerate 10,000 users, from the start", "s", None, 3, absolute=True, place="list")
def enumerate_cold(side):
    return side.first_list_s()


@row("memory (most, RSS) of the backend then", "MiB", None, 60, absolute=True, place="list")
def enumerate_memory(side):
    return side.backend_peak_mib()


@row("p99 of others meanwhile, cached", "ms", None, 20, absolute=True, place="list")
def enumerate_others_cached(side):
    return side.others_p99_ms("user%05u:1:10")


@row("… not cached", "ms", None, 20, absolute=True, place="list")
def enumerate_others_asked(side):
    return side.others_p99_ms("ghost%05u:1:99999")


# -- a larger cache --------------------------------------------------------------------------------


@row("cached answer: 10,000 users : 1,000", "", None, 1.3, absolute=True, place="growth")
def growth_10000(side):
    return side.cached_answer_us(10000) / side.cached_answer_us(1000)


@row("cached answer: 100,000 users : 1,000", "", None, 1.3, absolute=True, place="growth")
def growth_100000(side):
    return side.cached_answer_us(100000) / side.cached_answer_us(1000)


def id_of_root(side):
    return side.id_ms("root")


@row("id(1) of a cached user, of 1,000", "ms", None, 5, absolute=True, place="growth", limit=id_of_root)
def id_1000(side):
    return side.id_ms("user00500", 1000)


@row("… of 100,000", "ms", None, 5, absolute=True, place="growth", limit=id_of_root)
def id_100000(side):
    return side.id_ms("user00500", 100000)


# -- Kerberos credential caches; the limit is a file -----------------------------------------------

FILE = "FILE:/tmp/cc"


def in_file(*words):
    return lambda side: side.times_us(*words, cache=FILE)


@row("KCM: store a ticket", "µs", 735, 60, place="kcm", limit=in_file("store", 200))
def kcm_store(side):
    return side.times_us("store", 200)


@row("KCM: fetch one of 200", "µs", 1170, 60, place="kcm", limit=in_file("fetch", 200, 300))
def kcm_fetch(side):
    return side.times_us("fetch", 200, 300)


@row("KCM: list 200", "µs", 1020, 400, place="kcm", limit=in_file("list", 50))
def kcm_list(side):
    return side.times_us("list", 50)


@row("KCM: memory (PSS) for each round of 200 tickets more", "MiB", 34, 0.1, absolute=True, place="kcm")
def kcm_growth(side):
    before = side.pss_mib()
    for _ in range(5):
        side.times_us("store", 200)
    return (side.pss_mib() - before) / 5


@row("KCM: fetch one of 1,000 : of 200", "", None, 1.3, absolute=True, place="kcm")
def kcm_fetch_growth(side):
    few = side.times_us("fetch", 200, 500)
    side.times_us("store", 1000)
    return side.times_us("fetch", 1000, 500) / few


@row("KCM: store one behind 800 : behind none", "", None, 1.3, absolute=True, place="kcm")
def kcm_store_growth(side):
    return side.times_us("store", 1000, 800) / side.times_us("store", 200)


@row("KCM: list 1,000", "ms", None, 20, absolute=True, place="kcm")
def kcm_list_1000(side):
    side.times_us("store", 1000)
    return side.times_us("list", 20) / 1000


@row("KCM: 200 new tickets by kvno", "ms", 1124, 320, place="kcm", limit=lambda s: s.kvno_ms(FILE))
def kcm_kvno(side):
    return side.kvno_ms()


@row("KCM: first kinit through the idle socket", "ms", 73, 20, place="kcm", limit=lambda s: s.kinit_ms(FILE))
def kcm_first(side):
    times = []
    for _ in range(5):
        side.asleep()
        times.append(side.kinit_ms())
    return times


@row("KCM: store a ticket, ext4", "µs", 2400, 60, place="kcm-ext4")
def kcm_ext4_store(side):
    return side.times_us("store", 200)


# Debian's has no such thing, and stores what everybody can read.
@row("KCM: store a ticket, with a key", "µs", 735, 60, place="kcm-key")
def kcm_key_store(side):
    return side.times_us("store", 200)


@row("KCM: fetch one of 200, with a key", "µs", 1170, 60, place="kcm-key")
def kcm_key_fetch(side):
    return side.times_us("fetch", 200, 300)


@row("KCM: list 200, with a key", "µs", 1020, 400, place="kcm-key")
def kcm_key_list(side):
    return side.times_us("list", 50)
