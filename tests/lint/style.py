#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fails on what a machine can see of the house style: licence lines, calls we do without, foreign
libraries outside their folder, long lines, notes to ourselves, paths of one machine."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = (
    ".ci", "common", "responders", "backend", "monitor", "clientlibs", "units", "man", "tests",
)
CODE = (".c", ".h", ".inc")
LICENSED = CODE + (".py", ".sh")
COLUMNS = 100  # of C, as in .clang-format
SCRIPT_COLUMNS = 120
SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later"

# What a client program would do, and what shows that timer.h is right.
CLIENTS = ("tests/unit/clientlibs", "tests/fake", "tests/bench", "tests/system")
TIMERS = ("tests/unit/common/event", "common/event")

# What must not be called, why, and the folders where it may be.
CALLS = (
    (r"system|popen", "no shell", ()),
    (r"get(?:pw|gr(?!oups\b))\w+|initgroups", "may ask the process that calls it", CLIENTS),
    (r"ato[il]l?|strcpy|strcat|v?sprintf", "checks nothing", ("tests",)),
    (r"tevent_add_timer", "runs by the wall clock; common/event/timer.h", TIMERS),
    (r"tevent_req_set_endtime", "runs by the wall clock; common/event/timer.h", TIMERS),
)
CALLS = [
    (re.compile(r"(?<!->)(?<!\.)\b(%s)\s*\(" % name), why, where) for name, why, where in CALLS
]

# A library belongs to one folder, or to a file (layout.md); its tests may look over its shoulder.
LIBRARIES = (
    ("lmdb.h", ("common/cache", "responders/kcm")),
    ("dbus/", ("common/sbus",)),
    ("ldap.h", ("backend/ldap",)),
    ("lber.h", ("backend/ldap",)),
    ("sasl/", ("backend/ldap",)),
    ("krb5", ("backend/krb5", "backend/ldap/child_ticket.c", "clientlibs/krb5", "responders/kcm")),
    ("gcrypt.h", ("common/base/gcrypt.h",)),
)
INCLUDE = re.compile(r"\s*#\s*include\s+<([^>]+)>")

# Written so that they do not find themselves.
NOTE = re.compile(r"\b([T]ODO|[F]IXME|X{3})\b")
MACHINE = re.compile(r"(?<![\w.])/[w]ork/")

# Comments and literals of C; what stays of one is its line breaks.
SILENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def within(name, places):
    """Is it in one of the folders, or one of the files?"""
    return any(name == place or name.startswith(place + "/") for place in places)


def code_only(text):
    return SILENT.sub(lambda match: "\n" * match[0].count("\n"), text)


def calls(name, text):
    for number, line in enumerate(code_only(text).split("\n"), 1):
        for pattern, why, where in CALLS:
            match = pattern.search(line)
            if match and not within(name, where):
                yield number, f"{match[1]}(): {why}"


def libraries(name, lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        for library, folders in LIBRARIES if match else ():
            if match[1].startswith(library) and not within(name, folders + ("tests",)):
                yield number, f"<{match[1]}> belongs to {folders[0]}"


def columns(lines, limit):
    table = False  # keeps its columns, however many
    for number, line in enumerate(lines, 1):
        if "/* clang-format o" in line:
            table = "off" in line
        width = len(line.expandtabs(8))
        if width > limit and not table:
            yield number, f"{width} columns, {limit} are the limit"


def words(lines):
    for number, line in enumerate(lines, 1):
        for pattern in NOTE, MACHINE:
            match = pattern.search(line)
            if match:
                yield number, f"'{match[0]}' stays out of the tree"


def complaints(file, name):
    text = file.read_text(encoding="utf-8")
    lines = text.split("\n")

    if file.suffix in LICENSED or file.name == "meson.build":
        if not any(SPDX in line for line in lines[:3]):
            yield 1, f"no line '{SPDX}'"
    if file.suffix in LICENSED:
        yield from columns(lines, COLUMNS if file.suffix in CODE else SCRIPT_COLUMNS)
    if file.suffix in CODE:
        yield from calls(name, text)
        yield from libraries(name, lines)
    yield from words(lines)


def files():
    """Those of the tree, without what git would ignore: build folders stand beside, not inside."""
    yield from (file for file in ROOT.iterdir() if file.is_file() and file.name != "COPYING")
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            parts = file.relative_to(ROOT).parts
            if file.is_file() and "corpus" not in parts and "__pycache__" not in parts:
                yield file


def main():
    bad = 0
    for file in sorted(files()):
        name = str(file.relative_to(ROOT))
        for number, complaint in complaints(file, name):
            print(f"{name}:{number}: {complaint}")
            bad = 1
    return bad


sys.exit(main())
