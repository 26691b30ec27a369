# SPDX-License-Identifier: LGPL-2.1-or-later
"""./demo: sssd's main job in front of a newcomer's eyes, in a throw-away container.

What is printed after "#" really happened; every step is checked; the last line is the verdict."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import build  # noqa: E402
from container import CommandError, Container, ContainerError  # noqa: E402
from image import ImageError  # noqa: E402
from slapd import Slapd  # noqa: E402
from suite import Suite, ours, sssd_conf  # noqa: E402

IDLE_MS = 1500

# Prints the command's output, then how long it took, start of the program included.
TIMED = """begin=$EPOCHREALTIME; "$@"; rc=$?; end=$EPOCHREALTIME
echo "$((${end/./} - ${begin/./})) $rc" >&2"""


class Demo:
    def __init__(self, c, suite, slapd):
        self.c, self.suite, self.slapd, self.problems = c, suite, slapd, []

    def check(self, what, ok):
        if not ok:
            self.problems.append(what)
            print(f"      ✗ expected: {what}")

    def show(self, *command, expect=None, rc=0):
        """Runs a command as a user would type it; prints it, its answer and its time."""
        result = self.c.run(["bash", "-c", TIMED, "bash", *command], check=False)
        us, status = map(int, result.err.split()[-2:])
        print(
            f"  $ {' '.join(command):44} # {us / 1000:.1f} ms"
            + ("" if status == 0 else f", exit {status}")
        )
        for line in result.out.splitlines():
            print(f"      {line}")
        self.check(
            f"{' '.join(command)} ends with {rc}" + (f" and says {expect!r}" if expect else ""),
            status == rc and (expect is None or expect in result.out),
        )

    def processes(self):
        found = [name for name in ("sssd", "sssd_be", "sssd_nss") for _ in self.suite.pids(name)]
        return ", ".join(found) or "none"

    def units(self):
        """What of ours runs now, and in which state the units are."""
        states = [
            f"{unit} {self.c.show(unit, 'ActiveState')}/{self.c.show(unit, 'SubState')}"
            for unit in ("sssd.service", "sssd-nss.socket", "sssd-nss.service")
        ]
        print(f"      units:      {', '.join(states)}")
        print(f"      processes:  {self.processes()}")
        print(f"      sssd says:  {self.c.show('sssd.service', 'StatusText') or '-'}")

    def run(self):
        print("\nThe administrator writes /etc/sssd/sssd.conf, and enables one socket:")
        text = sssd_conf()
        print("".join(f"      {line}\n" for line in text.splitlines()), end="")
        self.suite.configure(text)
        self.suite.idle_exit(IDLE_MS)  # instead of five minutes
        self.show("systemctl", "enable", "--now", "sssd-nss.socket")
        self.show("systemctl", "start", "sssd.service")
        self.units()
        self.check("no responder runs yet", not self.suite.pids("sssd_nss"))

        print(
            "\nThe first question wakes the responder; the directory answers, over TLS:"
        )
        self.show(
            "getent",
            "passwd",
            "alice",
            expect="alice:*:10001:20001:Alice Example:/home/alice:/bin/bash",
        )
        self.check("the responder runs", len(self.suite.pids("sssd_nss")) == 1)
        self.units()

        print("\nFrom here on the cache answers; the server is asked only for what is new:")
        before = self.slapd.searches()
        self.show("getent", "passwd", "alice", expect="Alice Example")
        self.check("a cached answer costs the server nothing", self.slapd.searches() == before)
        self.show(
            "id",
            "alice",
            expect="gid=20001(workers) groups=20001(workers),20002(devs),20004(admins)",
        )
        self.show("getent", "group", "devs", expect="devs:*:20002:")
        self.show("getent", "passwd", "nobody-of-this-name", rc=2)
        print(f"      searches at the server so far: {self.slapd.searches()}")

        print(
            f"\nNobody asks for {IDLE_MS / 1000:g} s (shipped: five minutes): the responder goes:"
        )
        self.c.wait_for(
            "the responder leaves when idle", lambda: not self.suite.pids("sssd_nss"), timeout=10
        )
        self.units()
        print("  and the next question wakes it again:")
        self.show("getent", "passwd", "alice", expect="Alice Example")

        print(
            "\nThe directory server goes away; what was known is still answered:"
        )
        self.slapd.down()
        self.show("getent", "passwd", "alice", expect="Alice Example")
        self.show("id", "alice", expect="groups=20001(workers),20002(devs),20004(admins)")
        self.show("getent", "group", "devs", expect="devs:*:20002:")
        self.show("getent", "passwd", "bob-was-never-seen", rc=2)
        self.units()
        self.check("no unit has failed", not self.c.failed_units())


def main():
    try:
        print("building …", flush=True)
        build.release()
        print(
            "booting a throw-away container: a systemd of its own, a network of its own …",
            flush=True,
        )
        with Container(install=[ours()]) as c:
            print(
                f"      up in {c.boot_ms:.0f} ms; starting slapd with TLS and a sample directory …",
                flush=True,
            )
            slapd = Slapd(c).start()
            demo = Demo(c, Suite(c, slapd), slapd)
            demo.run()
    except build.BuildError as problem:
        print(f"{problem}\ndemo: FAILED (it does not build)")
        return 1
    except (CommandError, ContainerError, ImageError) as problem:
        print(f"{problem}\ndemo: FAILED")
        return 1
    print("\nThe container is gone, and with it everything it did.")
    if demo.problems:
        print(f"demo: FAILED ({len(demo.problems)}: {'; '.join(demo.problems)})")
        return 1
    print("demo: OK")
    return 0


if __name__ == "__main__":
    sys.exit(main())
