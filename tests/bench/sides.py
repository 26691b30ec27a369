# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machines that are compared: a container each, with the same slapd and the same sssd.conf.

    debian   Debian's own sssd, its own client library
    ours     our programs, our client library; Debian's stands beside it
    nslcd, nscd
             in the container of Debian's sssd, for the rows that both can be asked for

Both get our measuring programs, and have a memory cache; what is measured is the way through the
socket, unless a row asks for the other."""
import json
import pathlib
import re
import statistics
import tempfile
import time

from kdc import Kdc
from load import Load
from slapd import BASE, Slapd, big, big_bis
from suite import MEMCACHE, Suite

TOOLS = "/usr/libexec/sssd-tests"
DEBIAN_CLIENT = "/opt/debian-client/libnss_sss.so.2"
NO_MEMORY_CACHE = {"SSS_NSS_USE_MEMCACHE": "NO"}
SOCKET = "/var/lib/sss/pipes/nss"
NOTHING = "bench-nothing"  # a unit
URI = "ldap://127.0.0.1"
DB = "/var/lib/sss/db"
SWITCH = "/etc/nsswitch.bench"  # nsswitch.conf of those that ask through the C library
CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]


class Side:
    """One container with its directory server; entries as slapd.py takes them."""

    library = "libnss_sss.so.2"  # as this machine finds it
    programs = "sssd|sssd_[a-z_]+"

    options = {}  # of the domain, beside those that all have

    def __init__(self, name, c, **directory):
        self.name, self.c = name, c
        self.suite = Suite(c, Slapd(c, **(directory or {"entries": big()})).start())

    # -- its life --------------------------------------------------------------------------------

    def fresh(self):
        """Everything stopped, the cache empty, started again, online: one user is cached."""
        self.suite.stop()
        self.start()

    def start(self):
        # No TLS on either side: it would be the larger half of a search over loopback.
        self.suite.start(uri=URI, nss=MEMCACHE, ldap_id_use_start_tls="false", **self.options)
        self.c.wait_for("an answer", lambda: self.suite.passwd("user10000"), timeout=30)

    def asleep(self, name="sssd-nss"):
        """The nss responder has gone; its socket listens."""
        self.c.systemctl("stop", f"{name}.service")
        # Debian's units may start five times in ten seconds, then they have failed.
        self.c.systemctl("reset-failed", f"{name}.service", f"{name}.socket", "sssd.service")

    def _add_nothing(self):
        """A second pair of units like the responder's, with a program that does nothing."""
        for kind in "service", "socket":
            text = self.c.systemctl("cat", f"sssd-nss.{kind}").out.replace("sssd-nss", NOTHING)
            text = re.sub(r"(?m)^ExecStart=.*", f"ExecStart={TOOLS}/nothing", text)
            text = re.sub(r"(?m)^ListenStream=.*", f"ListenStream=/run/{NOTHING}", text)
            text = re.sub(r"(?m)^(ExecStartPre|RefuseManualStart)=.*", "", text)
            self.c.write(f"/run/systemd/system/{NOTHING}.{kind}", text)
        self.c.systemctl("daemon-reload")

    def first_answers_ms(self, n):
        """n times: (through the responder's idle socket, through that of the do-nothing)."""
        # The client knows one path: in a mount namespace of its own something else is there.
        bind = f'mount --bind /run/{NOTHING} {SOCKET} && exec "$@"'
        other = ["unshare", "--mount", "sh", "-c", bind, "sh"]
        if not self.c.exists(f"/run/systemd/system/{NOTHING}.socket"):
            self._add_nothing()
        self.c.systemctl("start", f"{NOTHING}.socket")
        answers = []
        for _ in range(n):
            self.asleep()
            mine = self.call("passwd", "user10000")["first_us"] / 1000
            self.asleep(NOTHING)
            answers.append((mine, self.call("passwd", "user10000", wrap=other)["first_us"] / 1000))
        return answers

    # -- questions -------------------------------------------------------------------------------

    def _command(self, *words, library=None, wrap=()):
        library = library or self.library
        return [*wrap, f"{TOOLS}/nsscall", "--library", library, *map(str, words)]

    def through_libc(self, *lines):
        """How to call() the C library, which asks sss first; lines: more of nsswitch.conf."""
        self.c.write(SWITCH, "\n".join(["passwd: sss files", "group: sss files", *lines, ""]))
        bind = f'mount --bind {SWITCH} /etc/nsswitch.conf && exec "$@"'
        return {"library": "libc", "wrap": ["unshare", "--mount", "sh", "-c", bind, "sh"]}

    def call(self, *words, memory_cache=False, **how):
        """What nsscall counted. Every call was answered, and no answer was wrong."""
        command = self._command(*words, **how)
        result = self._json(command, None if memory_cache else NO_MEMORY_CACHE)
        bad = result["unavail"] + result["tryagain"] + result["wrong"]
        assert bad == 0, f"{self.name}: {words}: {result}"
        return result

    def found(self, *words, **how):
        """The same, and nobody was unknown."""
        result = self.call(*words, **how)
        assert result["notfound"] == 0, f"{self.name}: {words}: {result}"
        return result

    def limit(self, *words):
        """What the machine itself needs (limit.c)."""
        return self._json([f"{TOOLS}/limit", *map(str, words)], None)

    def limit_ldap(self, n_clients, first, last, *filters):
        return self.limit("ldap", URI, BASE, n_clients, first, last, *filters)

    def _json(self, command, env):
        return json.loads(self.c.run(command, env=env, timeout=900).out.splitlines()[-1])

    # -- looks at its processes ------------------------------------------------------------------

    def pids(self):
        """All of the suite's, as the container counts."""
        found = self.c.run(["pgrep", "-x", self.programs], check=False)
        return [int(word) for word in found.out.split()]

    def pss_mib(self):
        files = [f"/proc/{pid}/smaps_rollup" for pid in self.pids()]
        text = self.c.run(["sed", "-n", "s/^Pss: *//p", *files]).out
        return sum(int(line.split()[0]) for line in text.splitlines()) / 1024

    def wakeups(self):
        """Of all threads, since they started: what they did not do, they were woken up for."""
        files = " ".join(f"/proc/{pid}/task/*/status" for pid in self.pids())
        text = self.c.sh(f"grep -h ^voluntary_ctxt_switches {files}").out
        return sum(int(line.split()[1]) for line in text.splitlines())

    def disk_mib(self):
        return int(self.c.run(["du", "-sk", DB]).out.split()[0]) / 1024

    def system_calls(self, count):
        """(the responder's, the client's) for one warm getpwnam: `count` more of them are counted."""
        pid = self.c.run(["pidof", "sssd_nss"]).out.split()[0]
        responder, client = [], []
        for n in (100, 100 + count):
            with tempfile.NamedTemporaryFile("w+") as log:
                strace = self.c.popen(
                    ["strace", "-f", "-c", "-p", pid, "-o", "/tmp/responder"], stderr=log
                )
                self.c.wait_for("strace", lambda: "attached" in open(log.name).read())
                words = ["--count", n, "passwd", "user10000"]
                self.found(*words, wrap=["strace", "-f", "-c", "-o", "/tmp/client"])
                self.c.sh("kill -INT $(pidof strace)")
                strace.wait()
            responder.append(self._traced("/tmp/responder"))
            client.append(self._traced("/tmp/client"))
        return (responder[1] - responder[0]) / count, (client[1] - client[0]) / count

    def _traced(self, path):
        """% time, seconds, usecs/call, calls, errors when there were any, "total" """
        words = self.c.read(path).splitlines()[-1].split()
        assert words[-1] == "total", words
        return int(words[3])

    def instructions(self, count):
        """The same in instructions, as callgrind(1) counts them; None where there is no valgrind."""
        if self.c.run(["sh", "-c", "command -v valgrind"], check=False).rc != 0:
            return None, None
        responder, client = [], []
        self.c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service")
        for n in (100, 100 + count):
            # What systemd does for the unit, outside its sandbox, which valgrind would not survive.
            listen = ["systemd-socket-activate", "--listen=/run/bench", "--fdname=nss"]
            with tempfile.TemporaryFile("w+") as log:
                process = self.c.popen([*listen, *CALLGRIND, *self._responder()], stderr=log)
                self.c.wait_for("the socket", lambda: self.c.exists("/run/bench"))
                self.c.sh(f"chmod 666 /run/bench; ln -sfT /run/bench {SOCKET}")
                words = [f"{TOOLS}/nsscall", "--count", n, "passwd", "user10000"]
                asked = self.c.run([*CALLGRIND, *words], env=NO_MEMORY_CACHE, timeout=300)
                client.append(_collected(asked.err)[-1])
                self.c.sh("kill -TERM $(pgrep -f '[/]sssd_nss '); rm /run/bench")
                process.wait()
                log.seek(0)
                responder.append(_collected(log.read())[0])
        self.start()
        return (responder[1] - responder[0]) / count, (client[1] - client[0]) / count

    def hit_instructions(self, count, *words):
        """Of the client and the loop around it, for an answer from the memory cache.

        None where there is no valgrind."""
        if self.c.run(["sh", "-c", "command -v valgrind"], check=False).rc != 0:
            return None
        totals = []
        self.call(*words, memory_cache=True)  # so that it is there
        for n in (100, 100 + count):
            command = self._command("--unread", "--count", n, *words, wrap=CALLGRIND)
            asked = self.c.run(command, timeout=300)
            totals.append(_collected(asked.err)[-1])
        return (totals[1] - totals[0]) / count

    def hit_system_calls(self, count):
        """The same in system calls."""
        totals = []
        for n in (1000, 1000 + count):
            words = ["--count", n, "passwd", "user10000"]
            self.found(*words, wrap=["strace", "-f", "-c", "-o", "/tmp/client"], memory_cache=True)
            totals.append(self._traced("/tmp/client"))
        return (totals[1] - totals[0]) / count

    def written_at_start_kib(self):
        """By the calls of a responder that a question wakes, and the blocks of files that it
        makes anew, which Debian's writes through mappings."""
        before = {line.split()[0] for line in self._memory_cache_files()}
        self.asleep()
        self.found("passwd", "user10000")
        written = int(self.c.sh("sed -n 's/^wchar: //p' /proc/$(pidof sssd_nss)/io").out)
        for line in self._memory_cache_files():
            inode, blocks = line.split()
            written += 0 if inode in before else int(blocks) * 512
        return written / 1024

    def _memory_cache_files(self):
        return self.c.sh("stat -c '%i %b' /var/lib/sss/mc/*").out.splitlines()

    def _responder(self):
        """The command of the responder's unit, in the foreground."""
        command = self.c.systemctl("cat", "sssd-nss.service").out
        words = re.search(r"(?m)^ExecStart=(.*)", command)[1].split()
        return [word for word in words if "DEBUG_LOGGER" not in word] + ["--logger=stderr"]


class Nslcd(Side):
    """nslcd in the container of Debian's sssd: it asks the same server, and stores nothing."""

    library = "libnss_ldap.so.2"
    programs = "nslcd"

    def __init__(self, beside):
        self.name, self.c, self.suite = "nslcd", beside.c, beside.suite
        self.c.write("/etc/nslcd.conf", f"uid nslcd\ngid nslcd\nuri {URI}\nbase {BASE}\n")
        self.c.sh("mkdir -p /run/nslcd; chown nslcd: /run/nslcd")

    def fresh(self):
        self.c.systemctl("stop", "bench-nslcd.service", check=False)
        self.c.run(["systemd-run", "--unit=bench-nslcd", "--collect", "nslcd", "--nofork"])
        self.c.wait_for(
            "nslcd", lambda: self.c.run(["test", "-S", "/run/nslcd/socket"], check=False).rc == 0
        )
        self.found("passwd", "user10000")

    def asleep(self, name=None):
        """It runs always."""


class Nscd(Side):
    """nscd as Debian has it set up, in front of nslcd.

    It answers for every program that sees its socket: so only those that are measured do, and
    have its nsswitch.conf."""

    programs = "nscd"
    UNIT = "bench-nscd.service"

    def __init__(self, beside):
        self.name, self.c, self.suite = "nscd", beside.c, beside.suite
        self.c.write("/etc/nsswitch.nscd", "passwd: files ldap\ngroup: files ldap\n")

    def fresh(self):
        properties = [
            "PrivateMounts=yes",
            "TemporaryFileSystem=/run/nscd /var/cache/nscd",
            "BindReadOnlyPaths=/etc/nsswitch.nscd:/etc/nsswitch.conf",
        ]
        self.c.systemctl("stop", self.UNIT, check=False)
        command = ["systemd-run", f"--unit={self.UNIT}", "--collect"]
        command += [f"--property={text}" for text in properties]
        nscd = "/opt/nscd/usr/sbin/nscd", "-F", "-f", "/opt/nscd/etc/nscd.conf"
        self.c.run([*command, *nscd])
        listens = self._inside("test", "-S", "/run/nscd/socket")
        self.c.wait_for("nscd", lambda: self.c.run(listens, check=False).rc == 0)
        self.found("passwd", "user10000")

    def _inside(self, *command):
        pid = self.c.main_pid(self.UNIT)
        return ["nsenter", "--mount", f"--target={pid}", *command]

    def _command(self, *words, library=None, wrap=()):
        return self._inside(*super()._command(*words, library="libc", wrap=wrap))

    def through_libc(self, *lines):
        return {}  # as always

    def asleep(self, name=None):
        """It runs always."""


class BisSide(Side):
    """Groups list DNs, and hold groups."""

    options = {
        "ldap_schema": "rfc2307bis",
        "ldap_group_nesting_level": 10,
        "ldap_user_search_base": f"ou=people,{BASE}",
        "ldap_group_search_base": f"ou=groups,{BASE}",
    }

    def __init__(self, name, c):
        super().__init__(name, c, bis=True, **big_bis())


class ListingSide(Side):
    """All users and groups are listed."""

    options = {"enumerate": "true"}

    def fresh(self):
        """Each row begins with an empty cache by itself."""

    def first_list_s(self):
        """From the start of everything until a program has got all users."""
        self.suite.stop()
        begin = time.monotonic()
        self.suite.start(uri=URI, ldap_id_use_start_tls="false", **self.options)
        lines = self.c.run(["getent", "passwd"], env=NO_MEMORY_CACHE, timeout=90).out.splitlines()
        assert len(lines) > 10000, f"{len(lines)} users"
        return time.monotonic() - begin

    def others_p99_ms(self, keys):
        """Of questions for keys, from a question for all users until its answer, which is the first."""
        self.suite.stop()
        self.suite.start(uri=URI, ldap_id_use_start_tls="false", **self.options)
        self.found("--count", 10, "passwd", "user%05u:1:10")
        with Load(self.c, "passwd", keys, seconds=120, until_eof=True, clients=4, pause_us=300) as load:
            self.c.run(["getent", "passwd"], env=NO_MEMORY_CACHE, timeout=90)
        calls = load.calls
        assert calls.calls > 50 and calls.wrong + calls.failed == 0, calls
        return calls.p99_us / 1000

    def backend_peak_mib(self):
        status = self.c.sh("cat /proc/$(pidof sssd_be)/status").out
        return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


class GrowingSide(Side):
    """100,000 users in the directory, and caches that hold the first 1,000, 10,000 and all."""

    SIZES = 1000, 10000, 100000

    def __init__(self, name, c):
        super().__init__(name, c, entries=big(100000, 1))
        super().fresh()
        for n in self.SIZES:
            self.found("--clients", 32, "--count", n // 32 + 1, "passwd", f"user%05u:1:{n}")
            self._halt()
            self.c.run(["cp", "-a", "--sparse=always", DB, f"{DB}-{n}"])
            self.start()

    def fresh(self):
        """What is compared here is never empty."""

    def _have_cached(self, n):
        self._halt()
        self.c.sh(f"rm -rf {DB}; cp -a --sparse=always {DB}-{n} {DB}")
        self.start()

    def id_ms(self, name, n=None):
        """The median of id(1), all of it, when the first n users are cached and this one's groups, too."""
        if n:
            self._have_cached(n)
        script = f"for i in {{0..100}}; do t=$EPOCHREALTIME; id {name} >/dev/null; echo $t $EPOCHREALTIME; done"
        lines = self.c.run(["bash", "-euc", script], env=NO_MEMORY_CACHE).out.splitlines()
        spans = [[float(word) for word in line.split()] for line in lines[1:]]
        return statistics.median(end - begin for begin, end in spans) * 1000

    def cached_answer_us(self, n):
        """The median of a warm answer about any of the first n users, when just they are cached."""
        self._have_cached(n)
        words = ["--random", "passwd", f"user%05u:1:{n}"]
        self.found("--count", 20000, *words)
        return self.found("--count", 50000, *words)["median_us"]

    def _halt(self):
        self.c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")


class KcmSide:
    """One container with a KDC and KCM caches of a user; no sssd runs."""

    TICKETS = 200
    USER = 4001
    SECRETS = "/var/lib/sss/secrets"
    PROGRAM = "/tmp/krb5call.py"

    def __init__(self, name, c, key=False):
        """key: ours encrypts what it stores."""
        self.name, self.c = name, c
        if key and name == "ours":
            c.sh("head -c32 /dev/urandom >/etc/kcm.key")
            c.write(
                "/etc/systemd/system/sssd-kcm.service.d/key.conf",
                "[Service]\nLoadCredential=kcm.key:/etc/kcm.key\n",
            )
            c.systemctl("daemon-reload")
        self.kdc = Kdc(c).start()
        self.kdc.add("alice")
        self.kdc.add(*(f"host/s{i}" for i in range(self.TICKETS)), password=None)
        c.write(self.PROGRAM, pathlib.Path(__file__).with_name("krb5call.py").read_text())
        if c.spec["ext4_mib"]:
            owner = "sssd" if name == "ours" else "root"  # Debian's refuses another
            c.sh(f"install -d -o {owner} -m 0700 {DB}/kcm {self.SECRETS}; chmod 0755 {DB}")
            c.sh(f"mount --bind {DB}/kcm {self.SECRETS}")

    def fresh(self):
        """No cache at all; the socket listens."""
        self.c.systemctl("stop", "sssd-kcm.service", "sssd-kcm.socket")
        self.c.sh(f"rm -rf {self.SECRETS}/*; rm -f /tmp/cc")
        self.asleep()
        self.c.systemctl("start", "sssd-kcm.socket")

    def asleep(self):
        self.c.systemctl("stop", "sssd-kcm.service")
        self.c.systemctl("reset-failed", "sssd-kcm.service", "sssd-kcm.socket", check=False)

    def times_us(self, *words, cache="KCM:4001"):
        """The median of what krb5call.py timed."""
        command = ["/usr/bin/python3", self.PROGRAM, cache, *map(str, words)]
        return json.loads(self.c.run(command, user=self.USER, timeout=300).out)["median_us"]

    def kinit_ms(self, cache="KCM:4001"):
        return self.kdc.kinit("alice", "-c", cache, user=self.USER).ms

    def kvno_ms(self, cache="KCM:4001"):
        """New tickets for all services, by one kvno(1)."""
        self.kinit_ms(cache)
        names = [f"host/s{i}" for i in range(self.TICKETS)]
        return self.c.run(["kvno", "-c", cache, *names], user=self.USER).ms

    def pss_mib(self):
        pid = self.c.main_pid("sssd-kcm.service")
        text = self.c.run(["sed", "-n", "s/^Pss: *//p", f"/proc/{pid}/smaps_rollup"]).out
        return int(text.split()[0]) / 1024


def _collected(text):
    """callgrind's totals, of the process it started and of those that one forked."""
    totals = dict(re.findall(r"==(\d+)== Collected : (\d+)", text))
    first = re.search(r"==(\d+)==", text)[1]
    return [int(totals.pop(first))] + [int(total) for total in totals.values()]
