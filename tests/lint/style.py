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
    ("ldap.h", ("backend/ldap", "common/ldap/dn.c")),
    ("lber.h", ("backend/ldap",)),
    ("sasl/", ("backend/ldap",)),
    ("krb5", ("backend/krb5", "backend/ldap/child_ticket.c", "clientlibs/krb5", "responders/kcm")),
    ("gcrypt.h", ("common/base/gcrypt.h",)),
)
INCLUDE = re.compile(r"\s*#\s*include\s+<([^>]+)>")

# Written so that they do not find themselves.
# What takes bytes from a reader, what tells how that went, and what puts both in an order.
TOKEN = re.compile(
    r"\bread(?:er_(?:u|be|bytes|part|str|strs|text)\d*|_\w+)\(|->err\b|\.err\b|[(){};,?:]|&&|\|\|"
)
CONTROL = re.compile(r"\b(if|while|for|switch)$")
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


class Operand:
    """Between two places where C says what comes first."""

    def __init__(self):
        self.reads = self.looks = 0

    def is_unclear(self):
        return self.reads > 0 and self.reads + self.looks > 1


class Group:
    """What stands in parentheses or braces: operands, those of a block in their order."""

    def __init__(self, begin, is_block=True, is_call=False, is_control=False):
        self.begin, self.is_block, self.is_call, self.is_control = begin, is_block, is_call, is_control
        self.operand = self.all = Operand()

    def next(self):
        self.operand = Operand()

    def add(self, reads, looks):
        for operand in {self.operand, self.all}:
            operand.reads += reads
            operand.looks += looks

    def is_unclear(self):
        return self.operand.is_unclear() or (not self.is_block and self.all.is_unclear())

    def close(self, outer):
        """What it is for the one that it stands in."""
        if self.is_block or self.is_control:
            outer.next()
        elif self.is_call or self.all.reads:
            outer.add(1, 0)
        elif self.all.looks:
            outer.add(0, 1)


def open_group(text, token, at):
    before = text[:at].rstrip()
    if token == "{":
        return Group(at, is_block=before[-1:] not in ("=", ",") and text[at - 1] != ")")
    return Group(at, False, is_call=token != "(", is_control=token == "(" and CONTROL.search(before))


def order(text):
    """Bytes that are read twice where C does not say which comes first: gcc and clang differ."""
    text = code_only(text)
    groups = [Group(0)]
    for match in TOKEN.finditer(text):
        token, group = match[0], groups[-1]
        unclear_at = None
        if token[-1] in "({":
            groups.append(open_group(text, token, match.start()))
        elif token in ")}" and len(groups) > 1:
            unclear_at = group.begin if group.is_unclear() else None
            groups.pop().close(groups[-1])
        elif token in (";", "&&", "||", "?", ":") or (token == "," and group.is_block):
            unclear_at = match.start() if group.operand.is_unclear() else None
            group.next()
        elif token in ("->err", ".err"):
            group.add(0, 1)
        if unclear_at is not None:
            yield text.count("\n", 0, unclear_at) + 1, "read more than once, in no order"


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
        yield from order(text)
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
