# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table: one line for each row, medians with the least and the most that was measured."""
import statistics

HEAD = (
    ("what", 46),
    ("unit", 4),
    ("limit", 8),
    ("Debian's", 26),
    ("nslcd", 8),
    ("nscd", 8),
    ("ours", 26),
    ("ours : D.", 9),
    ("target", 17),
    ("verdict", 0),
)


def judge(row, values):
    """What the numbers of a row come to; None where something is missing.

    ratio         ours : Debian's, medians
    target_ratio  target : what Debian's sssd needed when it was set
    met           is the ratio (or, for an absolute row, our median) as good as the target's
    factor        how far: 1 = just met, 2 = half as good as wanted
    figure_met    the ratio is not, but the time or rate is within the target itself, on this machine"""
    median = {side: statistics.median(v) for side, v in values.items() if v}
    ours, debian = median.get("ours"), median.get("debian")
    ratio = ours / debian if ours is not None and debian else None
    target_ratio = row.target / row.then if row.target and row.then else None
    got, wanted = (ours, row.target) if row.absolute else (ratio, target_ratio)
    factor = None
    if got is not None and wanted is not None:
        factor = (wanted / got if got else float("inf")) if row.more else got / wanted
    met = None if factor is None else factor <= 1
    return {
        "ratio": ratio,
        "target_ratio": target_ratio,
        "met": met,
        "factor": factor,
        "figure_met": met is False
        and not row.absolute
        and (ours >= row.target if row.more else ours <= row.target),
    }


def line(row, values):
    found = judge(row, values)
    cells = (
        row.what,
        row.unit,
        _median(values.get("limit")),
        _spread(values.get("debian")),
        _median(values.get("nslcd")),
        _median(values.get("nscd")),
        _spread(values.get("ours")),
        _ratio(found["ratio"]),
        _target(row, found["target_ratio"]),
        _verdict(found),
    )
    return _line(cells)


def head():
    return _line(name for name, _ in HEAD)


def _line(cells):
    texts = []
    for cell, (name, width) in zip(cells, HEAD):
        left = name in ("what", "unit", "verdict")
        texts.append(cell.ljust(width) if left else cell.rjust(width))
    return "  ".join(texts).rstrip()


def _number(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def _median(numbers):
    return _number(statistics.median(numbers)) if numbers else ""


def _spread(numbers):
    if not numbers:
        return ""
    text = _median(numbers)
    if len(numbers) > 1:
        text += f" ({_number(min(numbers))} – {_number(max(numbers))})"
    return text


def _ratio(x):
    return "" if x is None else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"


def _target(row, ratio):
    if row.target is None:
        return ""
    text = f"{'≥' if row.more else '≤'} {row.target:,}"
    # What is not compared stands in brackets.
    if ratio is not None:
        text = f"({_ratio(ratio)}) {text}" if row.absolute else f"{_ratio(ratio)} ({text})"
    return text


def _verdict(found):
    if found["met"] is None:
        return ""
    if found["met"]:
        return "met"
    by = f"by {found['factor']:.2f}×"
    return f"figure met, ratio missed {by}" if found["figure_met"] else f"MISSED {by}"
