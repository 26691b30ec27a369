#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests: ./test hands over to this program once the packages are there.

    ./test                          all, as CI does
    ./test --only unit              one part, or several: lint, unit, fuzz, system
    ./test --only system -k idle    what follows goes to pytest
    ./test --fuzz-seconds 600       a longer run of each fuzzer

The last line counts everything: a check of check(3), a fuzzer's corpus, a fuzzer's run and a
pytest case are one each. What could not be run at all counts as failed, never as skipped.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "system"))

import build  # noqa: E402
import container  # noqa: E402

ROOT = build.ROOT


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def one(self, name, ok, why=""):
        """A single test; why is printed when it failed."""
        self.add(passed=int(ok), failed=int(not ok))
        if not ok:
            print(f"FAILED {name}\n{why}", flush=True)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def lint(tally, _):
    """What a machine can see: the include table, style, man pages against option tables."""
    build.release()
    _meson_test(tally, build.RELEASE, "lint")


def unit(tally, _):
    """check(3) programs and the corpora of the fuzzers, under ASan and UBSan; threads under TSan."""
    build.sanitized()
    _meson_test(tally, build.SANITIZED, "unit", "fuzz")
    build.optimized()
    _meson_test(tally, build.OPTIMIZED, "unit", "fuzz")
    build.threads()
    followed = {"CK_EXCLUDE_TAGS": "not-for-tsan one-thread", "CK_TIMEOUT_MULTIPLIER": "3"}
    _meson_test(tally, build.THREADS, "threads", **followed)


def _meson_test(tally, directory, *suites, **more):
    """Runs the suites, with more in their environment.

    A check(3) program counts as many tests as it has, any other as one."""
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        # Children of programs with threads go on, and may have threads of their own.
        "TSAN_OPTIONS": f"die_after_fork=0:suppressions={ROOT}/tests/unit/threads.supp",
        **more,
    }
    log = directory / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    subprocess.run(
        ["meson", "test", "-C", directory, "--no-rebuild", *(f"--suite={name}" for name in suites)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if not log.exists():
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        out = test.get("stdout", "") + test.get("stderr", "")
        counts = re.findall(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)", out)
        checks = sum(int(count[0]) for count in counts)
        bad = sum(int(count[1]) + int(count[2]) for count in counts)
        if test["result"] == "OK":
            tally.add(passed=max(checks, 1))
        elif test["result"] == "SKIP":
            tally.add(skipped=1)
        else:
            tally.add(passed=max(checks - bad, 0), failed=max(bad - 1, 0))
            tally.one(f"{test['name']} ({directory.name})", False, f"{test['result']}\n{out[-6000:]}")


def fuzz(tally, args):
    """Each fuzzer, as many at a time as there are processors; what it finds is kept in build/."""
    waiting = build.fuzzers()
    running = []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            running.append(_start_fuzzer(waiting.pop(0), args.fuzz_seconds))
        time.sleep(0.1)
        for run in [run for run in running if run[1].poll() is not None]:
            running.remove(run)
            name, process, work, out = run
            out.seek(0)
            tally.one(name, process.returncode == 0, out.read()[-6000:])
            work.cleanup()


def _start_fuzzer(path, seconds):
    name = path.name
    work = tempfile.TemporaryDirectory(prefix="sssd-tests-fuzz-")
    out = tempfile.TemporaryFile("w+", errors="replace")
    corpus = ROOT / "tests/fuzz/corpus" / name.removeprefix("fuzz_")
    process = subprocess.Popen(
        [
            path,
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            f"-artifact_prefix={build.FUZZ}/{name}-",
            work.name,
            corpus,
        ],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
    )
    return name, process, work, out


def system(tally, args):
    """pytest, against the release build in containers."""
    build.release()
    with tempfile.TemporaryDirectory(prefix="sssd-tests-pytest-") as work:
        report = pathlib.Path(work, "report.xml")
        places = [
            str(place)
            for place in (ROOT / "tests/system", ROOT / "tests/fault")
            if any(place.glob("test_*.py"))
        ]
        process = subprocess.Popen(
            [
                "/usr/bin/python3",
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "--no-header",
                "--tb=short",
                "--durations=8",
                f"--junitxml={report}",
                *(args.pytest or places),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        process.wait()
        if not report.exists():
            return tally.one("pytest", False, f"it ended with {process.returncode} and no report")
        for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
            count = {
                name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")
            }
            bad = count["failures"] + count["errors"]
            # A test whose teardown fails too is counted twice by pytest: passed and an error.
            tally.add(
                passed=max(count["tests"] - bad - count["skipped"], 0),
                failed=bad,
                skipped=count["skipped"],
            )
    tally.one("nothing is left behind", not (left := _left_behind(process.pid)), "\n".join(left))
    return None


def _left_behind(pid):
    """What is still there of the containers that process pid has started."""
    name = f"sssd-tests-{pid}-"
    mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    left = [f"mount: {line}" for line in mounts if name in line]
    for paths in container.left_behind().values():
        left += [str(path) for path in paths if path.name.startswith(name)]
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if name in (entry / "cgroup").read_text():
                    left.append(f"process {entry.name}: {(entry / 'comm').read_text().strip()}")
            except OSError:
                pass
    return left


PARTS = {"lint": lint, "unit": unit, "fuzz": fuzz, "system": system}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART[,PART]")
    parser.add_argument("--fuzz-seconds", type=int, default=15, metavar="N")
    args, args.pytest = parser.parse_known_args()
    parts = args.only.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}, only {', '.join(PARTS)}")

    tally = Tally()
    for part in parts:
        begin, before = time.monotonic(), str(tally)
        print(f"== {part}", flush=True)
        try:
            PARTS[part](tally, args)
        except build.BuildError as problem:
            tally.one(f"{part}: it does not build", False, str(problem))
        if str(tally) == before:
            tally.one(part, False, "no test was run")
        print(f"   {tally} so far; {part} took {time.monotonic() - begin:.0f} s", flush=True)
    print(tally)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
