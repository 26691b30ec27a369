# SPDX-License-Identifier: LGPL-2.1-or-later
"""responder_idle_timeout and client_idle_timeout, each value as it is documented
(internal-interfaces.md 2.4, client-protocol.md 2.3): all of them at the same time, by the clock, and
where a run is too short for that by the time at which the responder says it wants to be woken up."""
import json
import subprocess
import time

import pytest

from length import by_length
from suite import Suite, sssd_conf
from watch import wakes_in
from wire import GETPWNAM, Closed, Wire, frame, name

DIR = "/run/waits"
WATCHED = by_length(18, 306)  # seconds
SLACK, DAY = 2.0, 86400
MINUTE = by_length(6, 60)  # of those whose own end is to be seen, whatever the least is

# What [nss] says, or services=; after how many seconds the responder leaves, None = it stays.
CASES = {
    "unset": ({}, None, 300),
    "never": ({"responder_idle_timeout": 0}, None, None),
    "1": ({"responder_idle_timeout": 1}, None, 60),
    "59": ({"responder_idle_timeout": 59}, None, 60),
    "60": ({"responder_idle_timeout": 60}, None, 60),
    "62": ({"responder_idle_timeout": 62}, None, 62),
    "named": ({"responder_idle_timeout": 60}, "nss", None),
    # Somebody is connected, but asks nothing.
    "connected": ({"responder_idle_timeout": 60, "client_idle_timeout": 600}, None, MINUTE),
    # Somebody asks at the second 3.
    "asked": ({"responder_idle_timeout": 60}, None, MINUTE + 3),
    # Not about the responder's own end.
    "clients": ({"responder_idle_timeout": 0, "client_idle_timeout": 1}, None, None),
    "clients-15": ({"responder_idle_timeout": 0, "client_idle_timeout": 15}, None, None),
}

# They are told it on the command line (hidden option): less than the least of the configuration.
HURRIED = {case: [f"--idle-exit-ms={MINUTE}000"] for case in by_length(["connected", "asked"], [])}

# Runs in the container: a responder per case, each with a listening socket that outlives it. First a
# line of JSON with the time and their pids, then one for each end; the end of standard input is the
# end of all.
HOLDER = """
import json, os, select, socket, sys, time
begin, running, sockets = time.monotonic(), {}, []
for case, *more in json.loads(sys.argv[1]):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"DIR/{case}/nss.socket")
    os.chmod(f"DIR/{case}/nss.socket", 0o666)
    listener.listen(64)
    listener.set_inheritable(True)
    sockets.append(listener)
    command = ["/usr/libexec/sssd/sssd_nss", f"--fd=nss={listener.fileno()}",
               f"--conf-dir=DIR/{case}", "--logger=stderr", *more]
    running[os.posix_spawn(command[0], command, {"_SSS_LOOPS": "NO"})] = case
    listener.set_inheritable(False)
print(json.dumps([begin, {case: pid for pid, case in running.items()}]), flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    pid, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
    if pid:
        print(json.dumps([running.pop(pid), time.monotonic() - begin, status]), flush=True)
for pid in running:
    os.kill(pid, 15)
for pid in running:
    os.waitpid(pid, 0)
""".replace(
    "DIR", DIR
)


def configure(c, case):
    nss, services, _ = CASES[case]
    c.write(f"{DIR}/{case}.conf", sssd_conf(services=services, nss=nss), 0o600)
    c.sh(
        f"mkdir {DIR}/{case}; /usr/libexec/sssd/sssd_conf --write --config {DIR}/{case}.conf "
        f"--out {DIR}/{case}; chmod -R a+rX {DIR}/{case}"
    )


class Quiet:
    """A connection that is watched until the other side closes it."""

    def __init__(self, path, **how):
        self.wire, self.begin, self.closed_after = Wire(path, **how), time.monotonic(), None

    def look(self):
        if self.closed_after is None and self.wire.is_closed(within=0.001):
            self.closed_after = time.monotonic() - self.begin


def busy(connection):
    """It asks, and is answered; from then on it counts as quiet again."""
    connection.wire.socket.settimeout(5)
    try:
        connection.wire.ask(GETPWNAM, name("."))
    except Closed:
        connection.closed_after = time.monotonic() - connection.begin
    connection.wire.socket.setblocking(True)


def woken_after(c, pid, begin):
    """Seconds from begin; None = never, or it has left."""
    left = wakes_in(c, pid) if c.exists(f"/proc/{pid}") else None
    return None if left is None else time.monotonic() - begin + left


@pytest.fixture(scope="module")
def seen(machine):
    """What had happened after WATCHED seconds: the ends of responders, the ends of connections, and
    when those who were left wanted to be woken up."""
    c = machine
    # They look for a monitor again and again while there is none; nothing else shall wake them up.
    Suite(c).configure()
    c.systemctl("start", "sssd.service")
    for case in CASES:
        configure(c, case)
    holder = c.popen(
        ["python3", "-c", HOLDER, json.dumps([(case, *HURRIED.get(case, [])) for case in CASES])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    begin, pids = json.loads(holder.stdout.readline())
    paths = {case: f"/proc/{c.pid}/root{DIR}/{case}/nss.socket" for case in CASES}

    connected = Wire(paths["connected"])
    quiet = {}
    for case in ("clients", "clients-15"):
        quiet[case, "silent"] = Quiet(paths[case], greet=False)
        quiet[case, "greeted"] = Quiet(paths[case])
        quiet[case, "half"] = Quiet(paths[case])
        quiet[case, "half"].wire.send(frame(GETPWNAM, name("alice"))[:17])
        quiet[case, "asking"] = Quiet(paths[case])

    time.sleep(max(begin + 3 - time.monotonic(), 0))
    with Wire(paths["asked"]) as asked:
        asked.ask(GETPWNAM, name("."))

    asked_at = time.monotonic()
    while time.monotonic() < begin + WATCHED:
        for connection in quiet.values():
            connection.look()
        if time.monotonic() > asked_at + 5:
            asked_at = time.monotonic()
            for (_, kind), connection in quiet.items():
                if kind == "asking" and connection.closed_after is None:
                    busy(connection)
        time.sleep(0.05)
    woken = {case: woken_after(c, pid, begin) for case, pid in pids.items()}
    out, _ = holder.communicate(timeout=30)
    connected.close()
    ends = {case: (after, status) for case, after, status in map(json.loads, out.splitlines())}
    return ends, {key: connection.closed_after for key, connection in quiet.items()}, woken


@pytest.mark.parametrize("case", CASES)
def test_responder_leaves_when_it_was_idle_for_so_long(seen, case):
    after = CASES[case][2]
    end = seen[0].get(case)
    if after is None or after > WATCHED:
        assert end is None
        if not case.startswith("clients"):  # of whose connections it takes care, too
            woken = seen[2][case] or DAY
            assert woken >= DAY if after is None else after <= woken < after + SLACK
    else:
        assert end is not None, "it stays"
        assert end[1] == 0
        assert after <= end[0] < after + SLACK


@pytest.mark.parametrize("kind", ["silent", "greeted", "half"])
@pytest.mark.parametrize("case, seconds", [("clients", 10), ("clients-15", 15)])
def test_quiet_client_is_disconnected(seen, case, seconds, kind):
    """Less than 10 s count as 10."""
    closed_after = seen[1][case, kind]
    assert closed_after is not None, "it stays connected"
    assert seconds <= closed_after < seconds + SLACK


@pytest.mark.parametrize("case", ["clients", "clients-15"])
def test_client_that_goes_on_asking_stays(seen, case):
    assert seen[1][case, "asking"] is None
