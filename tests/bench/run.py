#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our suite beside Debian's own sssd, in one run: two containers, the same directory in each.

    tests/bench/run.py                    everything, five rounds: some minutes
    tests/bench/run.py --rounds 1 warm    what has "warm" in its name, once

10,000 users, 2,000 groups of 20, one group of 5,000, one user in 300 groups; ldaps; each side with
its own client library, memory cache off. Times are not portable, ratios are: such a line is met
when we are as many times better than Debian's as the target was than its figure of that day. Counts
and sizes are met as they are. Medians of the rounds; in each round both sides begin with an empty
cache, one after the other, so that they never compete for the processors."""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import build  # noqa: E402
from container import Container  # noqa: E402
from slapd import Slapd, big  # noqa: E402
from suite import Suite, ours  # noqa: E402

TOOLS = "usr/libexec/sssd-tests"
MEASURES = []


def measure(what, unit, target, debian=None, higher=False):
    """Registers a function side → number or None. target is the number; with debian, which is
    Debian's figure on the machine where targets were set, only their ratio. higher: more is better.
    """

    def register(function):
        MEASURES.append((function, what, unit, target, debian, higher))
        return function

    return register


class Side:
    """One of the two containers."""

    def __init__(self, name, c):
        self.name, self.c = name, c
        self.suite = Suite(c, Slapd(c, entries=big()).start())

    def fresh(self):
        """Everything stopped, the cache empty, started again, online."""
        self.suite.stop()
        self.suite.start()
        self.c.wait_for("an answer", lambda: self.suite.passwd("user10000"), timeout=30)

    def call(self, *words):
        """Runs nsscall; every call must have been answered, and rightly."""
        out = self.c.run(
            [f"/{TOOLS}/nsscall", *words], env={"SSS_NSS_USE_MEMCACHE": "NO"}, timeout=300
        ).out
        result = json.loads(out.splitlines()[-1])
        bad = result["unavail"] + result["tryagain"] + result["wrong"]
        assert bad == 0, f"{self.name}: {words}: {out}"
        return result

    def pids(self):
        return [int(pid) for pid in self.c.sh("pidof sssd sssd_be || true").out.split()]

    def asleep(self):
        self.c.systemctl("stop", "sssd-nss.service")


# -- what is measured; the order is that of a round, which begins with an empty cache -------------


@measure("cold user", "µs", 250, debian=2100)
def cold_user(side):
    return side.call("passwd", "user%05u:1:500")["median_us"]


@measure("1,000 uids cold, 8 clients", "/s", 7000, debian=1360, higher=True)
def cold_uids(side):
    return side.call("--clients", "8", "--count", "125", "passwd", "%u:101001:102000")["per_second"]


@measure("initgroups of 300 groups, cold", "µs", 5000, debian=184000)
def initgroups_cold(side):
    return side.call("initgroups", "joiner")["first_us"]


@measure("initgroups of 300 groups, warm", "µs", 60, debian=2000)
def initgroups_warm(side):
    return side.call("--count", "300", "initgroups", "joiner")["median_us"]


@measure("group of 5,000, cold", "µs", 8000, debian=151000)
def group_cold(side):
    return side.call("group", "everyone")["first_us"]


@measure("group of 5,000, warm", "µs", 200, debian=4300)
def group_warm(side):
    return side.call("--count", "200", "group", "everyone")["median_us"]


@measure("unknown name, first", "µs", 250, debian=1580)
def unknown_first(side):
    return side.call("passwd", "unknown%03u:1:100")["median_us"]


@measure("unknown name, again", "µs", 15, debian=40)
def unknown_again(side):
    return side.call("--count", "10000", "passwd", "unknown001")["median_us"]


@measure("warm user, 1 client", "µs", 18, debian=83)
def warm(side):
    return side.call("--count", "20000", "passwd", "user00001")["median_us"]


@measure("warm users, 8 clients", "/s", 65000, debian=18600, higher=True)
def warm_eight(side):
    return side.call("--clients", "8", "--seconds", "1", "passwd", "user%05u:1:500")["per_second"]


@measure("system calls per warm request, responder", "", 4)
def calls_responder(side):
    pid = side.c.sh("pidof sssd_nss").out.split()[0]
    with tempfile.NamedTemporaryFile("w+") as log:
        strace = side.c.popen(["strace", "-f", "-c", "-p", pid, "-o", "/tmp/strace"], stderr=log)
        side.c.wait_for("strace", lambda: "attached" in open(log.name).read())
        side.call("--count", "2000", "passwd", "user00001")
        side.c.sh("kill -INT $(pidof strace)")
        strace.wait()
    return _strace_total(side) / 2000


@measure("system calls per warm request, client", "", 4)
def calls_client(side):
    totals = []
    for count in (100, 2100):
        command = ["strace", "-f", "-c", "-o", "/tmp/strace", f"/{TOOLS}/nsscall"]
        side.c.run(
            [*command, "--count", count, "passwd", "user00001"],
            env={"SSS_NSS_USE_MEMCACHE": "NO"},
        )
        totals.append(_strace_total(side))
    return (totals[1] - totals[0]) / 2000


def _strace_total(side):
    """% time, seconds, usecs/call, calls, errors when there were any, total"""
    words = side.c.read("/tmp/strace").splitlines()[-1].split()
    assert words[-1] == "total", words
    return int(words[3])


@measure("first answer through an idle socket", "µs", 20000, debian=70000)
def idle_first(side):
    side.asleep()
    return side.call("passwd", "user00001")["first_us"]


@measure("… over a service that does nothing", "µs", 5000)
def idle_over_nothing(side):
    """Only ours: in the same unit, a program that knows nobody (tests/fake/nothing.c)."""
    if side.name != "ours":
        return None
    drop_in = "/run/systemd/system/sssd-nss.service.d/nothing.conf"
    times = {True: [], False: []}
    for nothing in (True, False) * 3:
        if nothing:
            side.c.write(drop_in, f"[Service]\nExecStart=\nExecStart=/{TOOLS}/nothing\n")
        else:
            side.c.run(["rm", drop_in])
        side.c.systemctl("daemon-reload")
        times[nothing].append(idle_first(side))
    return statistics.median(times[False]) - statistics.median(times[True])


@measure("systemctl start to the first answer", "ms", 60, debian=171)
def start(side):
    side.c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
    out = side.c.run(
        [
            "bash",
            "-c",
            "a=$EPOCHREALTIME; systemctl start sssd.service sssd-nss.socket; "
            "until getent passwd user00001 >/dev/null; do :; done; b=$EPOCHREALTIME; "
            "echo $((${b/./} - ${a/./}))",
        ]
    ).out
    return int(out) / 1000


@measure("memory of monitor and backend, idle (PSS)", "MiB", 8)
def memory(side):
    side.asleep()
    pss = side.c.sh(
        "for p in $(pidof sssd sssd_be); do sed -n 's/^Pss: *//p' /proc/$p/smaps_rollup; done"
    ).out
    return sum(int(line.split()[0]) for line in pss.splitlines()) / 1024


@measure("context switches when idle", "/s", 0.1)
def wakeups(side):
    side.asleep()
    time.sleep(2)
    seconds, before = 20, _switches(side)
    time.sleep(seconds)
    return (_switches(side) - before) / seconds


def _switches(side):
    out = side.c.sh(
        "for p in $(pidof sssd sssd_be); do grep -h ctxt_switches /proc/$p/task/*/status; done"
    ).out
    return sum(int(line.split()[1]) for line in out.splitlines())


@measure("users stored per second, ext4", "/s", 4000, debian=277, higher=True)
def stored(side):
    """A container of its own, the cache on a file system with a journal on this machine's disk."""
    with Container(image=side.c.image, install=side.c.install, ext4_mib=1024) as c:
        other = Side(side.name, c)
        other.fresh()
        return other.call("--clients", "8", "--count", "125", "passwd", "%u:103001:104000")[
            "per_second"
        ]


@measure("cached answer, 100,000 users : 1,000 users", "", 1.3)
def growth(side):
    """Only ours: Debian's would take minutes to fetch them."""
    if side.name != "ours":
        return None
    with Container(install=side.c.install) as c:
        other = object.__new__(Side)
        other.name, other.c = side.name, c
        other.suite = Suite(c, Slapd(c, entries=big(100000, 1)).start())
        other.fresh()
        medians = []
        for n in (1000, 10000, 100000):
            keys = f"%u:100001:{100000 + n}"
            other.call("--clients", "8", "--count", str(n // 8), "passwd", keys)
            medians.append(other.call("--count", "100000", "passwd", keys)["median_us"])
        print("      1,000, 10,000, 100,000 users:", *(f"{us:.1f} µs" for us in medians))
        return medians[2] / medians[0]


ONCE = {"wakeups", "stored", "growth"}  # too slow for each round, and steady enough


# -- the run --------------------------------------------------------------------------------------


def rounds(sides, chosen, n_rounds):
    """name of the function → side → list of numbers"""
    found = {m[0].__name__: {side.name: [] for side in sides} for m in chosen}
    for number in range(n_rounds):
        for side in sides:
            print(f"   round {number + 1}, {side.name}", file=sys.stderr, flush=True)
            side.fresh()
            for function, *_ in chosen:
                if number == 0 or function.__name__ not in ONCE:
                    value = function(side)
                    if value is not None:
                        found[function.__name__][side.name].append(value)
    return found


def table(chosen, found):
    """Prints the table; returns how many targets were missed."""
    missed = 0
    print(f"{'what':44} {'Debian':>10} {'ours':>10} {'unit':5} {'ratio':>7} {'target':>9}")
    for function, what, unit, target, debian, higher in chosen:
        values = {name: statistics.median(v) for name, v in found[function.__name__].items() if v}
        mine, theirs = values["ours"], values.get("debian")
        if theirs is None:
            ratio = float("nan")
        else:
            ratio = mine / theirs if higher else theirs / (mine or 1e-9)
        if debian is None:
            met, wanted = mine <= target, f"≤ {target:g}"
        else:
            limit = target / debian if higher else debian / target
            met, wanted = ratio >= limit, f"{limit:.1f} ×"
        missed += not met
        shown = f"{theirs:10.1f}" if theirs is not None else f"{'-':>10}"
        times = f"{ratio:5.1f} ×" if theirs is not None else f"{'-':>7}"
        print(
            f"{what:44} {shown} {mine:10.1f} {unit:5} {times} {wanted:>9}",
            "" if met else "MISSED",
        )
    return missed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write every number to this file")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    chosen = [m for m in MEASURES if not args.words or any(w in m[0].__name__ for w in args.words)]

    build.release()
    with tempfile.TemporaryDirectory(prefix="sssd-tests-tools-") as tools:
        shutil.copytree(pathlib.Path(ours(), TOOLS), pathlib.Path(tools, TOOLS))
        with Container(image="debian-sssd", install=[tools]) as a, Container(install=[ours()]) as b:
            found = rounds([Side("debian", a), Side("ours", b)], chosen, args.rounds)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(found, indent=1) + "\n")
    missed = table(chosen, found)
    print(f"{len(chosen) - missed} of {len(chosen)} targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
