# SPDX-License-Identifier: LGPL-2.1-or-later
"""The builds the two commands use, in build/ of the tree: made, or brought up to date."""
import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build/release"  # gcc, -O2 -g -flto: what runs in the containers
SANITIZED = ROOT / "build/sanitized"  # clang, ASan and UBSan: the unit tests
OPTIMIZED = ROOT / "build/optimized"  # gcc, -O2, ASan and UBSan: the same, as the release has them
THREADS = ROOT / "build/threads"  # clang, ThreadSanitizer: unit tests of what runs in threads
FUZZ = ROOT / "build/fuzz"  # clang, libFuzzer: the fuzzers


class BuildError(Exception):
    """The text is the end of what the compiler said."""


def release():
    # What link-time optimisation finds, the linker's run of the compiler says.
    _setup(RELEASE, "gcc", "-Dunit_tests=false", "-Dc_link_args=-Werror")
    _run("ninja", "-C", RELEASE)


def sanitized():
    _setup(SANITIZED, "clang", "-Dbuildtype=debug", "-Db_lto=false", "-Db_sanitize=address,undefined")
    _run("ninja", "-C", SANITIZED)


def optimized():
    """What C leaves open, such as the order of arguments, is the compiler's choice: the one of the
    release is tested, too. Its warnings come from there; with sanitizers it has false ones."""
    sanitize = "-Db_sanitize=address,undefined"
    _setup(OPTIMIZED, "gcc", "-Db_lto=false", "-Dwerror=false", "-Dtest_client=false", sanitize)
    _run("ninja", "-C", OPTIMIZED)


def threads():
    """Builds the tests of the suite "threads" and no others."""
    _setup(
        THREADS,
        "clang",
        "-Dbuildtype=debug",
        "-Doptimization=1",
        "-Db_lto=false",
        "-Db_sanitize=thread",
    )
    tests = json.loads(_run("meson", "introspect", "--tests", THREADS))
    paths = [
        pathlib.Path(test["cmd"][0]).relative_to(THREADS)
        for test in tests
        if any(suite.endswith("threads") for suite in test["suite"])
    ]
    _run("ninja", "-C", THREADS, *paths)


def fuzzers():
    """Builds the fuzzers and what they need; returns their paths."""
    _setup(
        FUZZ,
        "clang",
        "-Db_lto=false",
        "-Db_sanitize=address,undefined",
        "-Dfuzzers=true",
        "-Dunit_tests=false",
        "-Dc_args=-fsanitize=fuzzer-no-link",
    )
    targets = json.loads(_run("meson", "introspect", "--targets", FUZZ))
    paths = [
        pathlib.Path(target["filename"][0])
        for target in targets
        if target["name"].startswith("fuzz_")
    ]
    _run("ninja", "-C", FUZZ, *(path.relative_to(FUZZ) for path in paths))
    return paths


def _setup(directory, compiler, *options):
    """Another meson, compiler or option since the last time: from the beginning."""
    wanted = " ".join([compiler, *options, _run("meson", "--version"), _run(compiler, "--version")])
    mark = directory / "made-with"
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        _run("meson", "setup", directory, ROOT, *options, env={**os.environ, "CC": compiler})
        mark.write_text(wanted)


def _run(*command, env=None):
    done = subprocess.run(
        list(map(str, command)),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        # Of a long build only what went wrong is of interest.
        lines = [
            line
            for line in done.stdout.splitlines()
            if not line.startswith("[") or "FAILED" in line
        ]
        raise BuildError("\n".join([" ".join(map(str, command)), *lines[-60:]]))
    return done.stdout
