#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the manual pages with the option tables: usage: man.py SSSD_CONF SSSCTL MAN_DIR

Each list of a page stands behind a comment that names its table, as in '.\\" options: nss'. It
must hold every built option of that table, in its order, with its default, and nothing else; one
that is told on two pages is told by both together. The defaults of other schemas are those of
common/ldap/schema.c, and sssctl(8) tells of all commands and options that sssctl --help does.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

# Where each table is described, in the words of sssd_conf --list-options.
PAGES = {
    "sssd.conf.5": ("*", "sssd", "service", "nss", "domain"),
    "sssd-ldap.5": ("domain:ldap",),
    "sssd-ldap-attributes.5": ("domain:ldap",),
    "sssd-kcm.8": ("kcm",),
}
UNITS = {"s": "seconds", "%": "percent", "id": "id", "MiB": "MiB", "KiB": "KiB", "ms": "milliseconds"}
LIST = re.compile(r'^\.\\" options: (\S+)$')
ITEM = re.compile(r"^\.It Ic (\S+) Pq (.*?)(?:[,;] default (.*))?$")

faults = 0


def fault(text):
    global faults
    faults += 1
    print(text)


def read_tables(program):
    """{table: [(name, unit, default)]}, the built ones that are not hidden; and all others."""
    tables, later = {}, set()
    listing = subprocess.check_output([program, "--list-options"], text=True)
    for line in listing.splitlines():
        table, name, _, unit, default, state, flags, _, _ = line.split("\t")
        if state == "built" and "hidden" not in flags.split(","):
            tables.setdefault(table, []).append((name, unit, default))
        else:
            later.add(name)
    return tables, later


def read_page(path):
    """{table: [(name, type, default)]} as the page tells them."""
    lists, current = {}, None
    for line in path.read_text().splitlines():
        start, item = LIST.match(line), ITEM.match(line)
        if start:
            current = lists.setdefault(start[1], [])
        elif line == ".El":
            current = None
        elif item and current is not None:
            current.append((item[1], item[2], item[3] or "-"))
        elif line.startswith(".It Ic"):
            fault(f"{path.name}: not in a list of options: {line}")
    return lists


def compare(page, table, told, built):
    names = [name for name, _, _ in built]
    for name in [name for name, _, _ in told if name not in names]:
        fault(f"{page}: {name} is not built in table {table}")
    for name in [name for name in names if name not in [n for n, _, _ in told]]:
        fault(f"{page}: {name} of table {table} is not described")
    if not faults and [name for name, _, _ in told] != names:
        fault(f"{page}: the options of table {table} are not in its order")

    facts = {name: (unit, default) for name, unit, default in built}
    for name, kind, default in told:
        unit, real = facts.get(name, ("-", default))
        if default != real:
            fault(f"{page}: the default of {name} is {real}, not {default}")
        if unit in UNITS and kind != UNITS[unit]:
            fault(f"{page}: {name} is in {UNITS[unit]}, not in {kind}")


def check_pages(program, folder):
    tables, later = read_tables(program)
    if len(later) < 100:
        fault("the list of options that are not built looks wrong")
    for table in tables.keys() - {table for told in PAGES.values() for table in told}:
        fault(f"no page is responsible for table {table}")

    told = {}
    for page, responsible in PAGES.items():
        lists = read_page(folder / page)
        for table in responsible:
            pages, items = told.setdefault(table, ([], []))
            pages.append(page)
            items += lists.pop(table, [])
        for table in lists:
            fault(f"{page}: there is no table {table}")
        if "not implemented" not in " ".join((folder / page).read_text().split()):
            fault(f"{page}: does not say that other options are not implemented")
    for table, (pages, items) in told.items():
        compare(", ".join(pages), table, items, tables.get(table, []))


def check_metrics(page, source):
    """The list behind .\\" metrics names each family of the table, in its order."""
    told, families = page.read_text().partition('.\\" metrics\n')[2].partition("\n.El\n")[0], []
    for line in source.read_text().splitlines():
        family = re.match(r'\t\{ "(sssd_[a-z_]+)", METRICS_', line)
        if family:
            families.append(family[1])
    if not families or re.findall(r"^\.It Ic (\S+)$", told, re.M) != families:
        fault(f"{page.name}: the metrics are not those of {source.name}, in its order")


def check_schemas(page, source):
    """{schema: {option: default}} of the page, where it says "Default with", and of the table."""
    real, row = {"rfc2307bis": {}, "IPA": {}, "AD": {}}, re.compile(r'^\t\{ "(\w+)", +AT\(\w+\), +(.*?) \},$')
    for line in source.read_text().splitlines():
        found = row.match(line)
        for schema, value in zip(real, re.split(r", +", found[2])) if found else []:
            if value != "NULL":
                real[schema][found[1]] = value.strip('"')
    told = {schema: {} for schema in real}
    for item in page.read_text().split("\n.It Ic ")[1:]:
        name, text = item.split()[0], item.partition("\nDefault with")[2]
        for schema, value in re.findall(r"\n\.Cm (\w+) :\n\.Cm (\w+)", text):
            told.setdefault(schema, {})[name] = value
        if text.startswith(" these:\n.Cm "):  # all that list DNs
            for schema in told:
                told[schema][name] = text.split()[2]
    if not all(real.values()) or told != real:
        fault(f"{page.name}: the defaults of schemas are not those of {source.name}: {told} and {real}")


def help_of(sssctl, *command):
    """Each command is root's, its help too."""
    as_root = [] if os.geteuid() == 0 else ["unshare", "-r"]
    done = subprocess.run([*as_root, sssctl, *command, "--help"], capture_output=True, text=True)
    return done.stdout


def check_commands(page, sssctl):
    """Each is described, with each option it has, as "Fl c" and "-config"; cache-expire has those of
    sss_cache(8), and all have two that are told of once."""
    told = page.read_text().partition(".Sh DESCRIPTION")[2].partition(".Sh METRICS")[0]
    items = {item.split()[0]: item for item in told.split("\n.It Ic ")[1:]}
    commands = re.findall(r"^\* (\S+)", help_of(sssctl), re.M)
    if len(commands) < 10 or sorted(items) != sorted(commands):
        fault(f"{page.name}: the commands are {sorted(items)}, and not {sorted(commands)}")
    for command in set(items) & set(commands) - {"cache-expire"}:
        flags = [word for line in items[command].splitlines() if "Fl " in line for word in line.split()]
        options = re.findall(r"^ +(?:-(\w), )?--([\w-]+)", help_of(sssctl, command), re.M)
        if not options:
            fault(f"sssctl {command} --help prints no options")
        for short, name in options:
            if name != "usage" and (f"-{name}" not in flags or short and short not in flags):
                fault(f"{page.name}: {command} has the option {'-' + short + ', ' if short else ''}--{name}")


def check_syntax(folder):
    mandoc = shutil.which("mandoc")
    for page in sorted(folder.glob("*.[1-8]")) if mandoc else []:
        lint = subprocess.run(
            [mandoc, "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True
        )
        if lint.returncode != 0:
            fault(lint.stdout.strip())


folder = pathlib.Path(sys.argv[3])
check_pages(sys.argv[1], folder)
check_metrics(folder / "sssctl.8", folder / "../common/metrics/text.c")
check_commands(folder / "sssctl.8", sys.argv[2])
check_schemas(folder / "sssd-ldap-attributes.5", folder / "../common/ldap/schema.c")
check_syntax(folder)
sys.exit(1 if faults else 0)
