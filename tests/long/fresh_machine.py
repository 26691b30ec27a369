#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the README's two commands work on a bare Debian 12? Installs one and runs them in it.

    tests/long/fresh_machine.py                 ./demo and ./test, on what is committed
    tests/long/fresh_machine.py --tree ./demo   one command line, on the work tree as it is

The machine is a minimal Debian (package debootstrap) and git, in a directory, in mount and pid
namespaces of its own, with this machine's kernel, network and apt settings."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*command, **more):
    subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL, **more)


def make(root, whole_tree):
    """A minimal Debian at root, with the project in /root/sssd."""
    print("installing a minimal Debian 12 …", flush=True)
    run(
        "debootstrap",
        "--variant=minbase",
        "--include=git,ca-certificates",
        "bookworm",
        root,
        stdout=subprocess.DEVNULL,
    )
    for name in (
        "apt/sources.list.d",
        "apt/apt.conf.d",
        "apt/auth.conf.d",
        "apt/keyrings",
        "apt/sources.list",
        "resolv.conf",
        "hosts",
    ):
        source = pathlib.Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, root / "etc" / name, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, root / "etc" / name)
    target = root / "root/sssd"
    if not whole_tree:
        return run("git", "clone", "-q", "--no-local", ROOT, target)
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in files.splitlines():
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return None


def enter(root, command):
    """Runs in namespaces of its own: root becomes "/", command runs in the project's folder."""
    run("mount", "--bind", root, root)
    for name in ("proc", "sys", "dev", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    run("mount", "-t", "proc", "proc", root / "proc")
    for name in ("sys", "dev"):
        run("mount", "--rbind", f"/{name}", root / name)
    for name in ("run", "tmp"):
        run(
            "mount",
            "-t",
            "tmpfs",
            "-o",
            "mode=1777" if name == "tmp" else "mode=755",
            "tmpfs",
            root / name,
        )
    (root / "run/old-root").mkdir()
    os.chdir(root)
    run("pivot_root", ".", "run/old-root")
    os.chroot(".")
    os.chdir("/root/sssd")
    run("umount", "-l", "/run/old-root")
    os.rmdir("/run/old-root")
    os.execvpe(
        "sh",
        ["sh", "-c", command],
        {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb"},
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tree", action="store_true", help="the work tree instead of what is committed"
    )
    parser.add_argument("--enter", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("commands", nargs="*", default=["./demo", "./test"], metavar="COMMAND")
    args = parser.parse_args()
    if args.enter:
        return enter(args.enter, args.commands[0])

    root = pathlib.Path(tempfile.mkdtemp(prefix="sssd-fresh-machine-", dir="/var/tmp"))
    os.chmod(root, 0o755)
    failed = []
    try:
        make(root, args.tree)
        for command in args.commands:
            print(f"==== {command}", flush=True)
            done = subprocess.run(
                [
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "unshare",
                    "--mount",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "/usr/bin/python3",
                    __file__,
                    "--enter",
                    root,
                    command,
                ],
                stdin=subprocess.DEVNULL,
                check=False,
            )
            if done.returncode != 0:
                failed.append(command)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"fresh machine: {'FAILED: ' + ', '.join(failed) if failed else 'OK'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
