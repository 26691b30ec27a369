# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lines that are written while something is done to the suite.

    log = Log(c)
    c.systemctl("restart", "sssd.service", check=False)
    assert "sssd.conf:7" in log.text()

And what a daemon of ours waits for, long before it comes: wakes_in(c, pid).
"""
import json
import os
import pathlib
import re


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


def wakes_in(c, pid):
    """Seconds until the process, a number of the container's, is woken up by its timers (timerfd,
    common/event/timer.h); None = by none of them. It may be woken up for one that was cancelled."""
    proc = pathlib.Path(f"/proc/{c.pid}/root/proc/{pid}")
    fds = [fd.name for fd in (proc / "fd").iterdir() if os.readlink(fd) == "anon_inode:[timerfd]"]
    found = [
        re.search(r"it_value: \((\d+), (\d+)\)", (proc / "fdinfo" / fd).read_text()) for fd in fds
    ]
    times = [int(value[1]) + int(value[2]) / 1e9 for value in found]
    return min((s for s in times if s > 0), default=None)
