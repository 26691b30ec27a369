# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes on while something is done to the suite: lookups that continue, lines that are written.

    with Load(suite, "alice", "bob") as load:
        c.systemctl("reload", "sssd.service")
    load.all_answered()

    log = Log(c)
    c.systemctl("restart", "sssd.service", check=False)
    assert "sssd.conf:7" in log.text()
"""
import json
import subprocess

NSSCALL = "/usr/libexec/sssd-tests/nsscall"
LIBRARY = {"ours": "libnss_sss.so.2", "debian": "/opt/debian-client/libnss_sss.so.2"}
LONGEST = 600  # seconds; a Load that outlives its block ends by itself


class Load:
    """Lookups from `clients` processes, `rate` a second together, until the block ends.

    Afterwards `counts` has nsscall's figures: calls, success, notfound, unavail, tryagain, wrong,
    median_us, p99_us, max_us."""

    def __init__(self, suite, *keys, map="passwd", client="ours", clients=4, rate=200, fresh=False):
        self.c, self.keys, self.counts = suite.c, keys, None
        self.command = [NSSCALL, "--library", LIBRARY[client], "--clients", clients]
        self.command += ["--every-us", clients * 1000000 // rate, "--seconds", LONGEST]
        self.command += ["--until-eof", "--failures"] + (["--fresh"] if fresh else []) + [map]

    def __enter__(self):
        self.process = self.c.popen(
            [*self.command, *self.keys],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind, *_):
        out, err = self.process.communicate(timeout=60)
        if self.process.returncode == 0:
            self.counts = json.loads(out.splitlines()[-1])
        elif kind is None:
            raise AssertionError(f"nsscall: exit {self.process.returncode}\n{out[-2000:]}{err}")

    def all_answered(self, at_least=1):
        """Every question was answered rightly, and there were that many."""
        counts = self.counts
        assert counts["calls"] >= at_least, counts
        assert (counts["success"], counts["wrong"]) == (counts["calls"], 0), counts

    def never_wrong(self):
        """What got no answer got an error: never a wrong one, never "there is no such user"."""
        counts = self.counts
        assert (counts["wrong"], counts["notfound"]) == (0, 0), counts


def ask(suite, key, map="passwd", client="ours", count=1, fresh=False):
    """nsscall's counts for one key: unlike getent(1) it tells "not found" from "cannot tell"."""
    words = [NSSCALL, "--library", LIBRARY[client], "--count", count]
    words += ["--fresh"] if fresh else []
    return json.loads(suite.c.run([*words, map, key]).out.splitlines()[-1])


class Log:
    """The journal from now on."""

    def __init__(self, c):
        self.c = c
        out = c.run(["journalctl", "-q", "-n", "1", "-o", "cat", "--show-cursor"]).out
        self.cursor = out.rsplit("-- cursor: ", 1)[1].strip()

    def lines(self, *programs):
        """Those of these programs ("sssd_conf"), or all, each as "PROGRAM: MESSAGE"."""
        self.c.run(["journalctl", "--sync"])
        # journalctl 252 loses a line when --after-cursor meets a filter: ours comes after it.
        out = self.c.run(
            ["journalctl", "-q", "--no-pager", "-o", "json", "--after-cursor", self.cursor]
        ).out
        entries = [json.loads(line) for line in out.splitlines()]
        found = [(_text(e, "SYSLOG_IDENTIFIER"), _text(e, "MESSAGE")) for e in entries]
        return [f"{name}: {text}" for name, text in found if not programs or name in programs]

    def text(self, *programs):
        return "\n".join(self.lines(*programs))


def _text(entry, field):
    """A field that is not plain text comes as a list of bytes."""
    value = entry.get(field) or ""
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")
