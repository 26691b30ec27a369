# SPDX-License-Identifier: LGPL-2.1-or-later
"""sssctl metrics, read and checked.

    before = metrics(c)
    suite.passwd("alice")
    assert (metrics(c) - before)["sssd_answers_total", "nss", "fresh"] == 1
"""
import collections
import re

SAMPLE = re.compile(
    r'(sssd_[a-z_]+)\{process="((?:[^"\\]|\\.)*)"((?:,[a-z]+="[^"]*")*)\} (\d+(?:\.\d{6})?)'
)


class Metrics:
    """One reading. metrics["sssd_starts_total", "nss"] is a number, and so is
    metrics["sssd_answers_total", "nss", "fresh"]; subtracted, readings tell what was counted since."""

    def __init__(self, values):
        self.values = collections.Counter(values)

    def __getitem__(self, key):
        return self.values[key if isinstance(key, tuple) else (key,)]

    def __sub__(self, other):
        return Metrics({key: n - other.values[key] for key, n in self.values.items()})

    def of(self, process, family):
        """{labels: count}, what was not counted left out."""
        return {
            key[2:]: n for key, n in self.values.items() if key[:2] == (family, process) and n
        }


def parse(text):
    """Metrics; complains of what is no OpenMetrics text."""
    lines, values, families, family = text.split("\n"), {}, {}, None
    assert lines[-2:] == ["# EOF", ""]
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in families, "the samples of a family must stand together"
            families[family] = kind
            continue
        if line.startswith("# "):
            assert line.split(" ")[1] in ("HELP", "UNIT") and line.split(" ")[2] == family
            continue
        name, process, labels, value = SAMPLE.fullmatch(line).groups()
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}
        assert name in [family + suffix for suffix in suffixes[families[family]]], line
        key = (name, process, *re.findall(r'="([^"]*)"', labels))
        assert key not in values, line
        values[key] = float(value)
    for (name, process, *labels), value in values.items():
        if labels == ["+Inf"]:
            buckets = [n for key, n in values.items() if key[:2] == (name, process)]
            assert buckets == sorted(buckets) and len(buckets) == 12
            assert value == values[name.replace("_bucket", "_count"), process]
    return Metrics(values)


def metrics(c, status=0):
    result = c.run(["sssctl", "metrics"], check=False)
    assert result.rc == status, result
    return parse(result.out)
