#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A throw-away machine: a real systemd, booted as PID 1 over an overlay of this machine's "/".

    with Container(install=["/tmp/dest"]) as c:
        c.run(["systemctl", "enable", "--now", "sssd-nss.socket"])
        print(c.run(["getent", "passwd", "alice"], check=False).out)

    container.py shell [--image debian-sssd] [--install DIR]  a root shell in one
    container.py run   [the same] -- COMMAND…                 one command, its exit status
    container.py clean                                        remove what a killed run left

How it is built, and why nothing stays behind:

    this process
      └ setpriv --pdeathsig KILL unshare --mount --pid   ends when this process does
          └ container.py _boot (pid 1 of that pid namespace: its end is the end of all below)
              │   tmpfs, overlay, /etc of the container: mounts only this namespace sees
              └ systemd-nspawn --boot --private-network
                  └ systemd (pid 1 of the container)  ◀── nsenter, for every command of a test

After kill -9 of everything an empty directory and empty cgroups are left, which `clean` removes.
The container has only a loopback device, and CAP_SYS_TIME is not among its capabilities.
"""
import argparse
import json
import os
import pathlib
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import image as images  # noqa: E402

RUN = pathlib.Path("/run/sssd-tests")  # one directory per container, for `clean`
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class ContainerError(Exception):
    """The container itself failed, not the thing tested in it."""


class CommandError(AssertionError):
    """A command of run(check=True) failed."""


class Result:
    """What a command did: rc, out, err (text), ms (wall clock, including the 3 ms of nsenter)."""

    def __init__(self, command, rc, out, err, ms):
        self.command, self.rc, self.out, self.err, self.ms = command, rc, out, err, ms

    def __repr__(self):
        return f"{shlex.join(self.command)}: exit {self.rc}, {self.ms:.0f} ms\n{self.out}{self.err}"


class Container:
    """One container, from start() to stop(); a context manager.

    image     "base" or "debian-sssd" (image.py)
    install   directories laid over the image, as `meson install --destdir` leaves them
    files     path → text, written before the boot; modes are 0644
    before    commands run in a chroot before the boot, [["systemctl", "enable", "x.socket"]]
    binds     host directory → path in the container, writable
    ext4_mib  makes /var/lib/sss/db an ext4 file system of this size, on a loop device over
              the file at ext4_image (on this machine's disk); None = it is part of the tmpfs
    ext4_from the same, but the file system is a copy of this image, as it was left
    settle    seconds to wait for the end of the boot; 0 = come back as soon as pid 1 runs
    """

    def __init__(
        self,
        image="base",
        install=(),
        files=None,
        before=(),
        binds=None,
        ext4_mib=None,
        ext4_from=None,
        settle=60,
    ):
        self.image, self.install, self.settle = image, [str(d) for d in install], settle
        self.name = f"sssd-tests-{os.getpid()}-{random.randrange(1 << 24):06x}"
        self.spec = {
            "name": self.name,
            "install": self.install,
            "files": files or {},
            "before": [list(map(str, command)) for command in before],
            "binds": {str(a): str(b) for a, b in (binds or {}).items()},
            "ext4_mib": ext4_mib,
            "ext4_from": ext4_from and str(ext4_from),
        }
        self.pid = None  # of the container's pid 1, as this machine counts
        self.boot_ms = None
        self._stage = None

    # -- life --------------------------------------------------------------------------------

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Boots. Returns self."""
        if os.geteuid() != 0:
            raise ContainerError("a container needs root")
        begin = time.monotonic()
        self.spec["tars"] = [
            str(tar) for tar in images.ensure(self.image, lambda text: print(text, file=sys.stderr))
        ]
        RUN.mkdir(exist_ok=True)
        self.work = RUN / self.name
        self.work.mkdir()
        self.disk = None
        if self.spec["ext4_mib"] or self.spec["ext4_from"]:
            self.disk = tempfile.mkdtemp(prefix=self.name + "-", dir="/var/tmp")
            self.ext4_image = self.spec["ext4_image"] = self.disk + "/db.ext4"
        self.spec["work"] = str(self.work)
        self._log = tempfile.TemporaryFile()
        self._stage = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "/usr/bin/python3",
                str(pathlib.Path(__file__).resolve()),
                "_boot",
            ],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._stage.stdin.write(json.dumps(self.spec).encode())
        self._stage.stdin.close()
        self._wait_for_boot()
        self.boot_ms = (time.monotonic() - begin) * 1000
        return self

    def reboot(self, orderly=False):
        """Restarts the container's systemd; what was written stays, and init has another pid.
        orderly: units are stopped first; else it is a crash that loses no page."""
        old = self.pid
        self.run(["systemctl", *(() if orderly else ("--force", "--force")), "reboot"], check=False)
        deadline = time.monotonic() + (60 if orderly else 20)
        while self._find_init() in (None, old):
            self._must_live(deadline, "the container did not go down for its reboot")
        self._wait_for_boot()

    def stop(self):
        """Ends every process of the container at once and removes what was made for it."""
        stage, self._stage, self.pid = self._stage, None, None
        if stage is None:
            return
        # The stage is pid 1 of a pid namespace: the kernel ends all in it together with it. unshare
        # follows its child, and waiting for unshare is waiting for all of them.
        for pid in _children(stage.pid):
            _kill(pid)
        try:
            stage.wait(10)
        except subprocess.TimeoutExpired:
            stage.kill()
            stage.wait()
        self._log.close()
        _remove_cgroups(self.name)
        self.work.rmdir()
        if self.disk:
            _remove_disk(self.disk)

    def _wait_for_boot(self):
        deadline = time.monotonic() + max(self.settle, 20)
        while not (pid := self._find_init()) or not _exists(
            f"/proc/{pid}/root/run/systemd/private"
        ):
            self._must_live(deadline, "systemd did not start in the container")
        self.pid = pid
        while self.settle:
            state = self.run(
                ["systemctl", "is-system-running", "--wait"], check=False, timeout=self.settle
            ).out.strip()
            if state in ("running", "degraded", "maintenance"):
                break
            self._must_live(deadline, f"the container's boot did not end: {state}")

    def _must_live(self, deadline, what):
        if self._stage.poll() is not None or time.monotonic() > deadline:
            self._log.seek(0)
            raise ContainerError(f"{what}\n{self._log.read().decode(errors='replace')}")
        time.sleep(0.01)

    def _find_init(self):
        """The pid of the container's init: below stage and nspawn, three pid namespaces deep."""
        todo = _children(self._stage.pid)
        while todo:
            pid = todo.pop()
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                inside = next(
                    line for line in status.splitlines() if line.startswith("NSpid:")
                ).split()[1:]
            except (OSError, StopIteration):
                continue
            if len(inside) >= len(_own_nspid()) + 2 and inside[-1] == "1":
                # Until it has executed systemd it is still nspawn, on its way in.
                return pid if status.startswith("Name:\tsystemd\n") else None
            todo += _children(pid)
        return None

    # -- what tests do -----------------------------------------------------------------------

    def command(self, command, user=None, env=None, cwd="/"):
        """The command line that runs command in the container."""
        words = [
            "nsenter",
            "-a",
            f"--wd=/proc/{self.pid}/root",
            "-t",
            str(self.pid),
            "env",
            "-i",
            f"--chdir={cwd}",
        ]
        words += [f"{name}={value}" for name, value in {**ENVIRONMENT, **(env or {})}.items()]
        if user is not None:
            words += ["setpriv", f"--reuid={user}", "--regid=65534", "--clear-groups"]
        return words + [str(word) for word in command]

    def run(self, command, check=True, user=None, env=None, timeout=60, input=None, cwd="/"):
        """Runs command as root or user (a local name or a number; group nogroup): a Result.

        check    a non-zero exit is a CommandError with all output
        timeout  seconds; over it the command is killed, and this is a CommandError"""
        begin = time.monotonic()
        process = self.popen(
            command,
            user=user,
            env=env,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            out, err = process.communicate(input or "", timeout=timeout)
        except BaseException as problem:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            if isinstance(problem, subprocess.TimeoutExpired):
                raise CommandError(
                    f"{shlex.join(map(str, command))}: not done after {timeout} s\n{out}{err}"
                ) from None
            raise
        result = Result(
            list(map(str, command)), process.returncode, out, err, (time.monotonic() - begin) * 1000
        )
        if check and result.rc != 0:
            raise CommandError(repr(result))
        return result

    def popen(self, command, user=None, env=None, cwd="/", **more):
        """Starts command in the container; ends with the container at the latest."""
        return subprocess.Popen(
            self.command(command, user, env, cwd), start_new_session=True, **more
        )

    def sh(self, script, **more):
        """Runs a piece of shell."""
        return self.run(["sh", "-eu", "-c", script], **more)

    def systemctl(self, *words, **more):
        return self.run(["systemctl", *words], **more)

    def show(self, unit, name):
        """One property of a unit, as systemctl show prints it."""
        return self.systemctl("show", "--value", "-p", name, unit).out.strip()

    def main_pid(self, unit):
        """The pid of a service's main process as the container counts; 0 = it does not run."""
        return int(self.show(unit, "MainPID"))

    def failed_units(self):
        out = self.systemctl("--failed", "--plain", "--no-legend").out
        return [line.split()[0] for line in out.splitlines()]

    def journal(self, *words):
        """journalctl's short output; words select: "-u", "sssd.service"."""
        return self.run(["journalctl", "--no-pager", "-q", "-o", "short-monotonic", *words]).out

    def write(self, path, text, mode=0o644, owner=None):
        """Writes a file aside and renames it, as editors do. owner: "user:group"."""
        script = 'mkdir -p "$(dirname "$1")"; cat >"$1.new"; chmod "$2" "$1.new"; '
        script += '[ -z "$3" ] || chown "$3" "$1.new"; mv "$1.new" "$1"'
        self.run(["sh", "-eu", "-c", script, "sh", path, f"{mode:o}", owner or ""], input=text)

    def read(self, path):
        return self.run(["cat", path]).out

    def exists(self, path):
        return self.run(["test", "-e", path], check=False).rc == 0

    def wait_for(self, what, condition, timeout=10, step=0.02):
        """Asks condition() until it is true; returns what it said."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise CommandError(f"not within {timeout} s: {what}\n{self.journal('-n', '60')}")
            time.sleep(step)
        return value


# -- the stage: runs as pid 1 of its own pid namespace, with its own mounts --------------------


def _boot():
    spec = json.load(sys.stdin)
    work, root = spec["work"], spec["work"] + "/root"
    images.mount_overlay(work, spec["tars"], spec["install"])
    _prepare_etc(root)
    for path, text in spec["files"].items():
        target = pathlib.Path(root + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    # What the package's maintainer scripts do.
    for path, tool in (("sysusers.d", "systemd-sysusers"), ("tmpfiles.d", "systemd-tmpfiles")):
        if os.path.exists(f"{root}/usr/lib/{path}/sssd.conf"):
            images.run(
                tool, *(["--create"] if path == "tmpfiles.d" else []), f"--root={root}", "sssd.conf"
            )
    for command in spec["before"]:
        images.run("chroot", root, *command, env=ENVIRONMENT)
    if spec.get("ext4_image"):
        _mount_ext4(root, spec)
    for source, target in spec["binds"].items():
        os.makedirs(root + target, exist_ok=True)
        images.run("mount", "--bind", source, root + target)

    # nspawn keeps locks in /run and beside the directory: neither may be this machine's. Last,
    # because it hides work.
    images.run("mount", "--rbind", root, "/mnt")
    images.run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    os.mkdir("/run/root")
    images.run("mount", "--move", "/mnt", "/run/root")
    command = [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--boot",
        "--directory=/run/root",
        "--private-network",
        "--console=pipe",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--hostname=sssd-test",
        "--rlimit=RLIMIT_NOFILE=1024:524288",
        "--",
        "systemd.show_status=no",
    ]
    # As Debian 12 boots: with one hierarchy of cgroups. Where this machine has version 1 beside it,
    # nspawn would give the container both, with ten more mounts and a second move into a cgroup,
    # a grace period of RCU each, for every unit that starts.
    env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
    rebooted = 133  # systemd-nspawn(1), --keep-unit
    status = rebooted
    while status == rebooted:
        status = subprocess.call(
            command,
            stdin=subprocess.DEVNULL,
            env=env,
            preexec_fn=lambda: _enter_cgroups(spec["name"]),
        )
    sys.exit(status)


# Units of the base system that a test of ours never needs; what else was enabled goes with
# /etc/systemd/system.
MASKED = [
    "console-getty.service",
    "container-getty@.service",
    "getty.target",
    "systemd-ask-password-wall.path",
    "systemd-ask-password-console.path",
    "systemd-firstboot.service",
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-udevd.service",
    "systemd-hwdb-update.service",
    "ldconfig.service",
    "systemd-update-utmp.service",
    "systemd-journal-catalog-update.service",
    "slapd.service",
]


def _prepare_etc(root):
    """Takes out of /etc what this machine was set up for: each boot is the same, whatever it is."""
    system = pathlib.Path(root, "etc/systemd/system")
    for entry in list(system.iterdir()):
        images.run("rm", "-rf", entry)
    for unit in MASKED:
        (system / unit).symlink_to("/dev/null")
    for link, unit in (
        ("default.target", "multi-user.target"),
        ("dbus-org.freedesktop.login1.service", "systemd-logind.service"),
    ):
        (system / link).symlink_to(f"/lib/systemd/system/{unit}")
    generators = pathlib.Path(root, "etc/systemd/system-generators")
    generators.mkdir(exist_ok=True)
    for generator in pathlib.Path(root, "lib/systemd/system-generators").iterdir():
        images.run("ln", "-sf", "/dev/null", generators / generator.name)

    # Only users the distribution's packages made: a name or number of a test never meets a
    # person's.
    for name, field in (("passwd", 2), ("group", 2)):
        path = pathlib.Path(root, "etc", name)
        lines = path.read_text().splitlines(keepends=True)
        path.write_text(
            "".join(line for line in lines if int(line.split(":")[field]) in {*range(1000), 65534})
        )

    def write(path, text):
        path = pathlib.Path(root, "etc", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        images.run("rm", "-f", path)
        path.write_text(text)

    write("fstab", "")
    write("hostname", "sssd-test\n")
    write("hosts", "127.0.0.1 localhost ldap.test\n::1 localhost\n")
    write("resolv.conf", "nameserver 127.0.0.1\n")
    write("machine-id", f"{random.getrandbits(128) | 1 << 127:032x}\n")
    write(
        "nsswitch.conf",
        "passwd: files sss\ngroup: files sss\nshadow: files\nhosts: files\n"
        "services: files\nnetgroup: sss\nsudoers: files\n",
    )
    write(
        "systemd/journald.conf.d/tests.conf",
        "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nAudit=no\n",
    )
    write(
        "systemd/system.conf.d/tests.conf", "[Manager]\nShowStatus=no\nDefaultTimeoutStopSec=10s\n"
    )


def _mount_ext4(root, spec):
    target = root + "/var/lib/sss/db"
    if spec["ext4_from"]:
        images.run("cp", "--sparse=always", spec["ext4_from"], spec["ext4_image"])
        images.run("mount", "-o", "loop", spec["ext4_image"], target)
        return
    with open(spec["ext4_image"], "wb") as file:
        file.truncate(spec["ext4_mib"] << 20)
    images.run(
        "mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", spec["ext4_image"]
    )
    owner = os.stat(target)
    images.run("mount", "-o", "loop", spec["ext4_image"], target)
    os.rmdir(target + "/lost+found")
    os.chown(target, owner.st_uid, owner.st_gid)
    os.chmod(target, owner.st_mode & 0o7777)


# -- processes and cgroups ---------------------------------------------------------------------


def _exists(path):
    return os.path.lexists(path)


def _children(pid):
    try:
        return [
            int(word)
            for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _own_nspid():
    status = pathlib.Path("/proc/self/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]


def _cgroup_roots():
    """Where cgroup v2 is mounted, and v1's "systemd" hierarchy where there is one."""
    roots = []
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            roots.append(pathlib.Path(where))
    return roots


def _enter_cgroups(name):
    """Cgroups of its own: nspawn makes its "payload" below the one it was started in."""
    for root in _cgroup_roots():
        (root / name).mkdir(exist_ok=True)
        (root / name / "cgroup.procs").write_text(str(os.getpid()))


def _remove_cgroups(name):
    for root in _cgroup_roots():
        for _ in range(100):
            for directory, _, _ in os.walk(root / name, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            if not (root / name).exists():
                break
            time.sleep(0.02)


def _remove_disk(disk):
    pathlib.Path(disk, "db.ext4").unlink(missing_ok=True)
    os.rmdir(disk)


def left_behind():
    """Directories, cgroups and image files of containers whose starter is gone."""
    found = {}
    places = [
        RUN.iterdir() if RUN.exists() else (),
        *(root.iterdir() for root in _cgroup_roots()),
        pathlib.Path("/var/tmp").iterdir(),
    ]
    for place in places:
        for path in place:
            words = path.name.split("-")
            if path.name.startswith("sssd-tests-") and not _exists(f"/proc/{words[2]}"):
                found.setdefault("-".join(words[:4]), []).append(path)
    return found


def clean():
    for name, paths in left_behind().items():
        for root in _cgroup_roots():
            kill = root / name / "cgroup.kill"
            if kill.exists():
                kill.write_text("1")
        _remove_cgroups(name)
        for path in paths:
            if path.parent == RUN:
                path.rmdir()
            elif path.parent == pathlib.Path("/var/tmp"):
                _remove_disk(path)
        print(f"removed {name}")


def main():
    if sys.argv[1:] == ["_boot"]:
        return _boot()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["shell", "run", "clean"])
    parser.add_argument("--image", default="base")
    parser.add_argument("--install", action="append", default=[], metavar="DIR")
    parser.add_argument("command", nargs="*")
    args = parser.parse_args()
    if args.action == "clean":
        return clean()
    try:
        with Container(image=args.image, install=args.install) as container:
            command = args.command if args.action == "run" else ["bash", "-i"]
            return subprocess.call(
                container.command(command, env={"TERM": os.environ.get("TERM", "dumb")})
            )
    except (ContainerError, images.ImageError) as problem:
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
