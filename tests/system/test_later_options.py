# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options that are known and not built, and those that have no effect: all of them (design section 5,
"Known but not built"). Each is named in one line by config-check and at the start, and nothing else
comes of it; a value that its type cannot have is refused, as if it were built."""
import re

import pytest

from options import NUMBERS, options, range_of
from slapd import Slapd
from suite import Suite, sssd_conf
from watch import Log

MAIN = "/etc/sssd/sssd.conf"
ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
# Where an option of a table is written; all that are for domains stand in [domain/LDAP].
SECTIONS = {
    "*": "sssd",
    "service": "nss",
    "subdomain": "domain/LDAP/trusted.test",
    "application": "application/APP",
    "certmap": "certmap/LDAP/rule",
}
GOOD = {"bool": "TRUE", "text": "something", "list": "one, two", "level": "0x0010", "any": "whatever"}
BAD = {"bool": "perhaps", "number": "many", "signed": "many", "word": "nonsense", "level": "loud"}
# Known, heeded in another way or only said to the reader of the file: nothing is told of them.
SILENT = {"debug", "description", "user", "config_file_version"}


def section_of(option):
    section = "domain/LDAP" if option.section.startswith("domain") else option.section
    return SECTIONS.get(option.section, section)


def good(option):
    if option.type in NUMBERS:
        least, most = range_of(option)
        return str(min(max(least, 7), most))
    return option.values.split(",")[0] if option.values != "-" else GOOD[option.type]


def bad(option):
    """None: it takes anything."""
    if option.type == "list":
        return "nonsense" if option.values != "-" else None
    return BAD.get(option.type)


def unbuilt(*states):
    """{(section, name): the row}. One that is built elsewhere for the same section is not among them:
    the first row counts."""
    first = {}
    for option in options():
        first.setdefault((section_of(option), option.name), option)
    return {key: option for key, option in first.items() if option.state in states}


def written(rows, value_of):
    """A sssd.conf with these options, and {(section, name): the number of its line}."""
    text, sections, lines = sssd_conf(), {}, {}
    for (section, name), option in rows.items():
        if value_of(option) is not None:
            sections.setdefault(section, []).append((name, value_of(option)))
    for section, values in sections.items():
        text += f"[{section}]\n"
        for name, value in values:
            text += f"{name} = {value}\n"
            lines[section, name] = text.count("\n")
    return text, lines


@pytest.fixture
def suite(container):
    """Not started, without a configuration."""
    with container() as c:
        suite = Suite(c, Slapd(c).start())
        c.systemctl("enable", "--now", "sssd-nss.socket")
        yield suite


def begin(suite, text):
    """The exit status of a start, and the lines of it about places in the configuration."""
    suite.configure(text)
    log = Log(suite.c)
    rc = suite.c.systemctl("start", "sssd.service", check=False).rc
    return rc, [line for line in log.lines("sssd_conf") if f"{MAIN}:" in line]


def test_what_is_not_built_is_named_in_one_line_each(suite):
    rows = unbuilt("later")
    assert len(rows) > 400
    text, lines = written(rows, good)
    suite.configure(text)
    check = suite.c.run(["sssctl", "config-check"], check=False)
    rc, told = begin(suite, text)
    assert check.rc == 1 and rc == 0
    for (section, name), line in lines.items():
        words = f"Attribute '{name}' in section '{section}' is not implemented: it has no effect."
        assert check.out.count(words) == 1, words
        assert [words in one for one in told if f"{MAIN}:{line}: " in one] == [True], (words, line)
    assert f"Issues identified by validators: {len(lines)}\n" in check.out
    assert "Notes:" not in check.out
    assert len(told) == len(lines)
    suite.c.wait_for("online", lambda: suite.passwd("alice") == ALICE)
    assert suite.c.failed_units() == []


def test_what_has_no_effect_is_noted_or_silent(suite):
    rows = unbuilt("ignored")
    assert SILENT < {name for _, name in rows} and len(rows) > 12
    text, lines = written(rows, good)
    suite.configure(text)
    check = suite.c.run(["sssctl", "config-check"], check=False)
    rc, told = begin(suite, text)
    assert check.rc == 0 and rc == 0
    noted = {key: line for key, line in lines.items() if key[1] not in SILENT}
    for (section, name), line in noted.items():
        words = rf"Attribute '{name}' in section '{section}' (is no longer needed: it )?has no effect"
        assert len(re.findall(words, check.out)) == 1, words
        assert len([one for one in told if f"{MAIN}:{line}: " in one and re.search(words, one)]) == 1
    assert "Issues identified by validators: 0\n" in check.out
    assert f"Notes: {len(noted)}\n" in check.out and len(told) == len(noted)
    suite.c.wait_for("online", lambda: suite.passwd("alice") == ALICE)


def test_bad_values_of_what_is_not_built_are_refused(suite):
    """Of those that have a type, with the place; the domain does not start, and so nothing does."""
    rows = unbuilt("later", "ignored")
    text, lines = written(rows, bad)
    assert len(lines) > 130
    suite.configure(text)
    check = suite.c.run(["sssctl", "config-check"], check=False)
    rc, told = begin(suite, text)
    assert check.rc == 1 and rc != 0
    for (section, name), line in lines.items():
        words = f"Attribute '{name}' in section '{section}' has an invalid value: "
        value = f"'{bad(rows[section, name])}' is not "
        assert check.out.count(words + value) == 1, words
        assert [one for one in check.out.splitlines() if words in one and f"{MAIN}:{line}" in one], words
        assert [one for one in told if f"{MAIN}:{line}: {words}{value}" in one], (words, line)


@pytest.mark.parametrize("kind", ["bool", "number", "word", "list"])
def test_a_bad_value_alone_stops_its_domain(suite, kind):
    rows = unbuilt("later")
    option = next(
        option
        for (section, _), option in rows.items()
        if section == "domain/LDAP" and option.type == kind and bad(option)
    )
    text, _ = written({("domain/LDAP", option.name): option}, bad)
    rc, told = begin(suite, text)
    assert rc != 0 and any("does not start" in line for line in told), told
