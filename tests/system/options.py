# SPDX-License-Identifier: LGPL-2.1-or-later
"""What options there are: the tables of the suite, as `sssd_conf --list-options` prints them."""
import collections
import subprocess

from suite import build_dir

Option = collections.namedtuple("Option", "section name type unit default state flags help values")
NUMBERS = ("number", "signed", "span")


def options():
    """Every one, in the order of the tables, which is the order in which they are looked up."""
    program = build_dir() / "monitor/sssd_conf"
    listing = subprocess.check_output([program, "--list-options"], text=True)
    return [Option(*line.split("\t")) for line in listing.splitlines()]


def range_of(option):
    """(the least, the largest number it may have)"""
    return tuple(map(int, option.values.split("..")))
