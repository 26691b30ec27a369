# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options that say how long something is waited for, and options that switch off what would shorten
a wait: what is seen of them from outside, at values that are good and at their edges."""
import json
import re
import subprocess
import time

import pytest

from relay import Relay
from slapd import BASE, CA, Slapd
from suite import Suite
from watch import Log

ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"
SLACK_MS = 1500  # a machine may be busy


@pytest.fixture(scope="module")
def c(container):
    """One good server; one behind a line that can be held; an address whose packets are dropped."""
    with container() as c:
        c.slapd = Slapd(c, names=["ldap.test", "held.test"]).start()
        c.write("/etc/hosts", "127.0.0.1 localhost ldap.test\n127.0.0.2 held.test\n10.66.0.2 lost.test\n")
        c.held = Relay(c, "127.0.0.2")
        c.sh(
            "ip link add near0 type veth peer name far0; "
            "for link in near0 far0; do ip link set $link addrgenmode none up; done; "
            "ip addr add 10.66.0.1/24 dev near0; "
            "ip neigh add 10.66.0.2 lladdr 02:00:00:00:00:01 dev near0 nud permanent"
        )
        c.systemctl("enable", "--now", "sssd-nss.socket")
        yield c


def begin(c, domains, sssd=()):
    """Starts anew, with nothing cached. domains: {name: its options}."""
    text = "".join(f"{line}\n" for line in ["[sssd]", f"domains = {', '.join(domains)}", *sssd])
    text += "[nss]\nmemcache_timeout = 0\nentry_negative_timeout = 0\nentry_cache_nowait_percentage = 0\n"
    for name, options in domains.items():
        values = {
            "id_provider": "ldap",
            "ldap_uri": "ldaps://ldap.test",
            "ldap_search_base": BASE,
            "ldap_tls_cacert": CA,
            **options,
        }
        text += f"[domain/{name}]\n" + "".join(f"{option} = {value}\n" for option, value in values.items())
    suite = Suite(c, c.slapd)
    c.systemctl("stop", "sssd.service", "sssd-nss.service")
    c.sh("rm -rf /var/lib/sss/db/*")
    suite.configure(text)
    c.systemctl("start", "sssd.service")
    return suite


def state(c, domain):
    """online or offline, or None before it is known."""
    for word in ("online", "offline"):
        if f"{domain}: {word}" in c.show("sssd.service", "StatusText"):
            return word
    return None


# ---- one connection ------------------------------------------------------------------------------------


def is_told_offline_after(c, uri, seconds, **options):
    """Who asks first has the domain connect, and hears no sooner and no later that this is in vain."""
    suite = begin(c, {"SITE": {"ldap_uri": uri, **options}})
    c.wait_for("it was tried", lambda: state(c, "SITE") == "offline", timeout=15)
    c.sh("sleep 0.5")
    log = Log(c)
    c.systemctl("restart", "sssd.service")
    result = suite.getent("passwd", "alice")
    assert result.rc != 0, result
    assert seconds * 1000 - 700 <= result.ms <= seconds * 1000 + SLACK_MS, result
    return log


@pytest.mark.parametrize("seconds", [1, 3])
def test_network_timeout(c, seconds):
    """Packets to the server are dropped."""
    is_told_offline_after(c, "ldaps://lost.test", seconds, ldap_network_timeout=seconds, ldap_opt_timeout=20)
    assert "no answer to connecting (ldap_network_timeout)" in c.show("sssd.service", "StatusText")


@pytest.mark.parametrize("seconds", [1, 3])
@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_opt_timeout(c, scheme, seconds):
    """The server accepts and says nothing: to a TLS handshake, to StartTLS."""
    c.held.set("hold")
    try:
        is_told_offline_after(
            c, f"{scheme}://held.test", seconds, ldap_opt_timeout=seconds, ldap_network_timeout=20
        )
        assert f"within {seconds} s (ldap_opt_timeout)" in c.show("sssd.service", "StatusText")
    finally:
        c.held.set("pass")


NO_LIMIT = {
    "ldap_network_timeout": 0,
    "ldap_opt_timeout": 0,
    "ldap_search_timeout": 0,
    "ldap_enumeration_search_timeout": 0,
}


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_0_is_no_limit(c, scheme):
    """Each answer comes late, and is waited for."""
    c.held.set("delay", 0.4)
    try:
        suite = begin(c, {"SITE": {"ldap_uri": f"{scheme}://held.test", "enumerate": "true", **NO_LIMIT}})
        c.wait_for("online", lambda: state(c, "SITE") == "online", timeout=15)
        assert suite.passwd("alice") == ALICE
        assert suite.group("devs") == ("devs", 20002, {"alice", "bob"})
        c.wait_for("the list", lambda: "alice:" in suite.getent("passwd").out)
    finally:
        c.held.set("pass")


@pytest.mark.parametrize("uri", ["ldaps://lost.test", "ldaps://held.test", "ldap://held.test"])
def test_who_asks_has_a_limit_all_the_same(c, uri):
    """4 s of silence are enough for them. The server is used when it speaks."""
    c.held.set("hold")
    try:
        is_told_offline_after(c, uri, 4, **NO_LIMIT)
    finally:
        c.held.set("pass")
    if "held" in uri:
        c.wait_for("online", lambda: state(c, "SITE") == "online", timeout=25)


@pytest.mark.parametrize("age, offset, kept", [(1, 0, False), (1, 4294967295, True), (0, 1, True)])
def test_connection_expire_offset(c, age, offset, kept):
    """A day among 136 years is drawn rarely; of 0 there is nothing to draw; and nothing is added to never."""
    suite = begin(
        c,
        {"SITE": {"ldap_connection_expire_timeout": age, "ldap_connection_expire_offset": offset}},
    )
    c.wait_for("online", lambda: suite.passwd("alice"))
    ports = c.sh("ss -Htn state established").out
    for _ in range(4):
        time.sleep(1)
        assert suite.passwd("nobody-here") is None
    assert (c.sh("ss -Htn state established").out == ports) == kept


@pytest.mark.parametrize("seconds", [1, 4])
def test_enumeration_search_timeout(c, seconds):
    """The server hangs in the middle of a list: the page is given up, and with it the list."""
    suite = begin(
        c,
        {
            "SITE": {
                "enumerate": "true",
                "ldap_enumeration_search_timeout": seconds,
                "ldap_enumeration_refresh_timeout": 1,
                "ldap_enumeration_refresh_offset": 0,
                "ldap_search_timeout": 20,
            }
        },
    )
    c.wait_for("the list", lambda: "alice:" in suite.getent("passwd").out)
    log = Log(c)
    words = f"no end of it within {seconds} s (ldap_enumeration_search_timeout)"
    # A silent server is lost after 4 s, and before that nothing else ends a page.
    c.slapd.pause()
    try:
        if seconds < 4:
            c.wait_for("it is given up", lambda: words in log.text(), timeout=6)
        else:
            time.sleep(3)
            assert "ldap_enumeration_search_timeout" not in log.text()
    finally:
        c.slapd.resume()
    assert "alice:" in suite.getent("passwd").out


# ---- offline, and back ---------------------------------------------------------------------------------

LOST = {"offline_timeout": 20, "offline_timeout_random_offset": 0}
EVENTS = {
    "disable_netlink": "ip addr add 10.9.8.7/32 dev lo; ip addr del 10.9.8.7/32 dev lo",
    "monitor_resolv_conf": "echo '# touched' >>/etc/resolv.conf",
    "try_inotify": "echo '# touched' >>/etc/resolv.conf",
}


def watches(c, path):
    """Does the monitor watch this directory by inotify?"""
    inode = int(c.run(["stat", "-c", "%i", path]).out)
    info = c.sh("cat /proc/$(pidof -s sssd)/fdinfo/*").out
    return re.search(rf"^inotify wd:\w+ ino:{inode:x} ", info, re.M) is not None


@pytest.mark.parametrize(
    "option, value, heard",
    [
        ("disable_netlink", "false", True),
        ("disable_netlink", "TRUE", False),
        ("monitor_resolv_conf", "TRUE", True),
        ("monitor_resolv_conf", "false", False),
        ("try_inotify", "TRUE", True),
        ("try_inotify", "false", True),
        ("try_inotify", "false\nmonitor_resolv_conf = false", False),
    ],
)
def test_what_is_an_event(c, option, value, heard):
    """A domain that would wait for 20 s is back at once, or is not."""
    begin(c, {"SITE": LOST}, sssd=[f"{option} = {value}"])
    if option == "try_inotify":
        assert watches(c, "/etc") == (value == "TRUE")
    c.wait_for("online", lambda: state(c, "SITE") == "online")
    c.sh("sleep 1")
    suite = Suite(c)
    c.slapd.down()
    try:
        c.wait_for("it is lost", lambda: suite.passwd("bob") is None and state(c, "SITE") == "offline")
    finally:
        c.slapd.up()
    c.sh(EVENTS[option])
    deadline = time.monotonic() + (9 if option == "try_inotify" else 5)
    while time.monotonic() < deadline and state(c, "SITE") != "online":
        time.sleep(0.1)
    assert (state(c, "SITE") == "online") == heard


# Counts the SYNs (RFC 9293 section 3.1) that arrive at port 636 of each address.
KNOCKS = """
import json, selectors, socket, sys
count, lines = dict.fromkeys(sys.argv[1:], 0), selectors.DefaultSelector()
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
for source in packets, sys.stdin:
    lines.register(source, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in lines.select():
        if key.fileobj is packets:
            data = packets.recv(128)
            to, tcp = socket.inet_ntoa(data[16:20]), data[(data[0] & 15) * 4:]
            if to in count and data[9] == socket.IPPROTO_TCP:
                count[to] += tcp[2:4] == bytes([2, 124]) and tcp[13] & 0x12 == 2
        elif sys.stdin.readline():
            print(json.dumps(count), flush=True)
        else:
            sys.exit()
"""


class Knocks:
    """For a block; attempts() tells {address: how often somebody wanted to connect}."""

    def __init__(self, c, addresses):
        self._process = c.popen(
            ["/usr/bin/python3", "-c", KNOCKS, *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "ready\n"

    def attempts(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate()


# offline_timeout, offline_timeout_random_offset: attempts within 12 s, at least and at most. Of the
# random part 5 s are taken at most, of the wait 20.
ATTEMPTS = {
    (1, 0): (9, 13),
    (4, 0): (2, 4),
    (0, 0): (9, 13),
    (1, 5): (1, 7),
    (1, 4294967295): (1, 7),
    (4294967295, 0): (0, 0),
}


def test_offline_timeout_and_its_random_part(c):
    """A domain for each."""
    address = {times: f"127.0.1.{n}" for n, times in enumerate(ATTEMPTS, 1)}
    with Knocks(c, address.values()) as knocks:
        begin(
            c,
            {
                f"SITE{n}": {
                    "ldap_uri": f"ldaps://{address[wait, more]}",
                    "offline_timeout": wait,
                    "offline_timeout_max": 0,
                    "offline_timeout_random_offset": more,
                }
                for n, (wait, more) in enumerate(ATTEMPTS)
            },
        )
        for n in range(len(ATTEMPTS)):
            c.wait_for("it was tried", lambda: state(c, f"SITE{n}") == "offline")
        before = knocks.attempts()
        time.sleep(12)
        after = knocks.attempts()
    for times, (least, most) in ATTEMPTS.items():
        assert least <= after[address[times]] - before[address[times]] <= most, (times, before, after)


def test_questions_start_a_probe_every_5_s(c):
    """Of each server; and of no more than one that comes by itself there is time for meanwhile."""
    dead = ["127.0.1.21", "127.0.1.22"]
    with Knocks(c, dead) as knocks:
        suite = begin(
            c,
            {
                "SITE": {
                    "ldap_uri": ", ".join(f"ldaps://{address}" for address in dead),
                    "offline_timeout": 4294967295,
                    "offline_timeout_random_offset": 0,
                }
            },
        )
        c.wait_for("it was tried", lambda: state(c, "SITE") == "offline")
        before, began, asked = knocks.attempts(), time.monotonic(), 0
        while time.monotonic() < began + 12:
            assert suite.passwd(f"cold{asked}") is None
            asked += 1
            time.sleep(max(0, began + asked * 0.2 - time.monotonic()))
        after = knocks.attempts()
    assert asked >= 30
    for address in dead:
        assert 2 <= after[address] - before[address] <= 3, (address, before, after, asked)


# ---- a minute in which two waits are seen ---------------------------------------------------------------

BACKED = {"ldap_uri": "ldaps://held.test", "ldap_backup_uri": "ldaps://ldap.test"}
MINUTE = {
    "LEAST": {**BACKED, "failover_primary_timeout": 0},
    "LONGER": {**BACKED, "failover_primary_timeout": 47},
    "STOPPED": {"timeout": 1},
    "STOPPED-LONGER": {"timeout": 60},
}
PEERS = {f"PEER{n}": MINUTE["LEAST"] for n in range(8)}


def server_of(c, domain, text=None):
    part = (text or c.show("sssd.service", "StatusText")).split(f"{domain}: ")[1].split(";")[0]
    return "held" if "held.test" in part else "ldap" if "ldap.test" in part else part


@pytest.fixture(scope="module")
def minute(c):
    """Two domains have a backup server, and their primary one comes back; so have the eight peers;
    processes of two are stopped. {domain: after how many seconds something was seen of it}"""
    c.held.set("close")
    suite = begin(c, {**MINUTE, **PEERS})
    for domain in {**MINUTE, **PEERS}:
        c.wait_for(f"{domain} has a server", lambda: server_of(c, domain) == "ldap", timeout=15)
    pids = c.run(["pgrep", "-f", "sssd_be .*STOPPED"]).out.split()
    assert len(pids) == 2
    log, began, seen = Log(c), time.monotonic(), {}
    c.held.set("pass")
    c.run(["kill", "-STOP", *pids])
    try:
        # The backup server serves on until the primary one is proven to work.
        assert suite.passwd("bob@LEAST") and server_of(c, "LEAST") == "ldap"
        awaited = {"LEAST", "LONGER", "STOPPED", *PEERS}
        while not awaited <= seen.keys() and time.monotonic() < began + 80:
            now, said = time.monotonic() - began, log.text("sssd")
            text = c.show("sssd.service", "StatusText")
            for domain in ("LEAST", "LONGER", *PEERS):
                if server_of(c, domain, text) == "held":
                    seen.setdefault(domain, now)
            for line in said.splitlines():
                if "does not answer: it is stopped" in line:
                    seen.setdefault("STOPPED-LONGER" if "LONGER" in line else "STOPPED", now)
            time.sleep(0.5)
        assert suite.passwd("carol@LEAST") and server_of(c, "LEAST") == "held"
    finally:
        c.run(["kill", "-CONT", *pids])
    return seen


def test_failover_primary_timeout(minute):
    """Less than 31 s is 31 s, and up to a third of it is added."""
    assert 24 < minute["LEAST"] < 49
    assert 43 < minute["LONGER"] < 79


def test_not_all_return_at_once(minute):
    """They began within a second or two; the lot of eight is that close together once in 10,000 times."""
    returned = sorted(minute[peer] for peer in PEERS)
    assert 24 < returned[0] and returned[-1] < 49, returned
    assert returned[-1] - returned[0] > 2, returned


def test_timeout(minute):
    """The monitor wonders after one interval of silence and another one without an answer; less than
    20 s is 20 s."""
    assert 18 < minute["STOPPED"] < 58
    assert minute["STOPPED"] < minute.get("STOPPED-LONGER", 80)


# ---- the cache -----------------------------------------------------------------------------------------


def shows(c, name):
    return "not present" not in c.run(["sssctl", "user-show", name]).out


def test_purge_cache_offset(c):
    """Of 0 s, and of a year."""
    life = {"entry_cache_timeout": 1, "ldap_purge_cache_timeout": 1}
    offsets = {"PURGED": 0, "KEPT": 31536000}
    suite = begin(
        c, {name: {**life, "ldap_purge_cache_offset": offset} for name, offset in offsets.items()}
    )
    for name in offsets:
        c.wait_for("online", lambda: suite.passwd(f"bob@{name}"))
        assert shows(c, f"bob@{name}")
    time.sleep(6)
    assert not shows(c, "bob@PURGED") and shows(c, "bob@KEPT")


@pytest.mark.parametrize(
    "offset, words", [(0, None), (7, None), (8, "7 s, and up to 0 s more"), (31536000, "7 s, and up to 0 s more")]
)
def test_refresh_expired_interval_offset(c, offset, words):
    """With it the interval must not be longer than entries live, or less is taken."""
    log = Log(c)
    suite = begin(
        c,
        {
            "SITE": {
                "entry_cache_timeout": 10,
                "refresh_expired_interval": 3,
                "refresh_expired_interval_offset": offset,
            }
        },
    )
    c.wait_for("online", lambda: suite.passwd("bob"))
    said = [line for line in log.lines() if "refresh_expired_interval is longer than entries live" in line]
    assert len(said) == (words is not None)
    assert not words or words in said[0]


def hears_of_links(c):
    """Has the monitor a socket of rtnetlink(7)?"""
    sockets = re.findall(r"socket:\[(\d+)\]", c.sh("ls -l /proc/$(pidof -s sssd)/fd").out)
    netlink = c.read("/proc/net/netlink").splitlines()[1:]
    return any(line.split()[-1] in sockets for line in netlink)


def watches_etc(c):
    return watches(c, "/etc")


@pytest.mark.parametrize(
    "option, default, is_watched",
    [
        ("try_inotify", "true", watches_etc),
        ("monitor_resolv_conf", "true", watches_etc),
        ("disable_netlink", "false", hears_of_links),
    ],
)
def test_what_is_watched_changes_with_a_reload(c, option, default, is_watched):
    other = {"true": "false", "false": "true"}[default]
    begin(c, {"SITE": {}}, sssd=[f"{option} = {default}"])
    assert is_watched(c)
    for before, now in (default, other), (other, default):
        c.sh(f"sed -i 's/^{option} = {before}/{option} = {now}/' /etc/sssd/sssd.conf")
        c.systemctl("reload", "sssd.service")
        c.wait_for("the other way", lambda now=now: is_watched(c) == (now == default))
