#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes fold_table.inc from CaseFolding.txt (Debian: package unicode-data).

    python3 fold_table.py /usr/share/unicode/CaseFolding.txt > fold_table.inc

Takes the statuses C and S, simple folding, and joins neighbours that move by the same distance.
"""
import re
import sys

LINE = re.compile(r"^([0-9A-F]+); [CS]; ([0-9A-F]+);", re.M)


def ranges(pairs):
    """[first, last, step, distance]; step 2 where upper and lower case alternate."""
    runs = []
    for code, folded in pairs:
        move = folded - code
        run = runs[-1] if runs else None
        if run and run[3] == move and (
            code - run[1] == run[2] or (run[0] == run[1] and code - run[1] == 2)
        ):
            run[2] = code - run[1]
            run[1] = code
        else:
            runs.append([code, code, 1, move])
    return runs


text = open(sys.argv[1], encoding="utf-8").read()
version = re.search(r"CaseFolding-([0-9.]+)\.txt", text).group(1)
pairs = [(int(code, 16), int(folded, 16)) for code, folded in LINE.findall(text)]

print("/* SPDX-License-Identifier: LGPL-2.1-or-later")
print(" *")
print(f" * Made by fold_table.py from CaseFolding.txt of Unicode {version}: change that, not this.")
print(" *")
print(" * first, last, step, distance to the folded code point")
print(" */")
for first, last, step, move in ranges(pairs):
    print(f"{{ 0x{first:04x}, 0x{last:04x}, {step}, {move} }},")
