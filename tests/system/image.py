# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images: what a test container holds beyond the machine it runs on.

A container's root is an overlay upon "/". Packages that only tests need (slapd, Debian's own sssd)
are installed once into the upper side of such an overlay, in a chroot where no service may start,
and kept as a tar file in /var/cache/sssd-tests ($SSSD_TEST_CACHE):

    base-HASH.tar           slapd, a KDC and what the tests call; Debian's client in
                            /opt/debian-client, Heimdal's in /opt/heimdal
    debian-sssd-HASH.tar    upon base: Debian's own sssd, for comparison; nslcd; nscd in /opt/nscd

HASH covers the package list, this file and the packages of the machine: when one of them changes,
the image is made anew. A tar file because overlayfs refuses a lower layer that lies inside
another lower layer ("/"): the container unpacks it into its own tmpfs.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

CACHE = pathlib.Path(os.environ.get("SSSD_TEST_CACHE", "/var/cache/sssd-tests"))
PACKAGES = pathlib.Path(__file__).resolve().parent.parent / "packages.txt"
BELOW = {"base": None, "debian-sssd": "base"}

# What is unpacked and not installed: section → where
UNPACKED = {
    "base": {"image-client": "/tmp/unpacked", "image-heimdal": "/opt/heimdal"},
    "debian-sssd": {"image-nscd": "/opt/nscd"},
}


class ImageError(Exception):
    """An image cannot be made; the text says why."""


def packages(section):
    """The packages of one section of packages.txt."""
    found = []
    for line in PACKAGES.read_text().splitlines():
        name, _, words = line.partition(": ")
        if name == section:
            found += words.split()
    return found


def layers(image):
    """The names of the layers of image, lowest first."""
    return (layers(BELOW[image]) if BELOW[image] else []) + [image]


def _hash(image):
    parts = [open("/var/lib/dpkg/status", "rb").read(), pathlib.Path(__file__).read_bytes()]
    for layer in layers(image):
        for section in ("image-" + layer, *UNPACKED[layer]):
            parts.append(" ".join(packages(section)).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def path(image):
    """Where the tar file of this layer is, or will be."""
    return CACHE / f"{image}-{_hash(image)}.tar"


def ensure(image, say=print):
    """Makes the layers of image that are missing. Returns their tar files, lowest first."""
    if image not in BELOW:
        raise ImageError(f"there is no image {image!r}, only {', '.join(BELOW)}")
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    tars = []
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for layer in layers(image):
            if not path(layer).exists():
                say(f"making the container image {layer!r} (once; about a minute)")
                _make(layer, tars)
            tars.append(path(layer))
    return tars


def _make(layer, below):
    target = path(layer)
    command = [
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
        __file__,
        layer,
        str(target) + ".new",
        *map(str, below),
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        pathlib.Path(str(target) + ".new").unlink(missing_ok=True)
        raise ImageError(f"the image {layer!r} could not be made:\n{done.stdout[-4000:]}")
    for old in CACHE.glob(f"{layer}-*.tar"):
        old.unlink()
    os.rename(str(target) + ".new", target)


def mount_overlay(work, tars, extra=()):
    """Mounts "/", upon it the unpacked tars, upon them the directories extra, at work/root.

    work is an empty directory in a mount namespace of our own; it becomes a tmpfs. Returns
    the root; what is written there lands in work/upper."""
    for directory in ("/usr", "/etc", "/var"):
        if os.stat(directory).st_dev != os.stat("/").st_dev:
            raise ImageError(
                f"{directory} is a file system of its own: an overlay of / would not hold it"
            )
    run("mount", "-t", "tmpfs", "-o", "mode=0755,size=75%", "tmpfs", work)
    lower = ["/"]
    for number, tar in enumerate(tars):
        layer = f"{work}/image{number}"
        os.mkdir(layer, 0o755)
        run(
            "tar",
            "-x",
            "-C",
            layer,
            "--xattrs",
            "--xattrs-include=trusted.*",
            "--numeric-owner",
            "-f",
            tar,
        )
        lower.insert(0, layer)
    for number, directory in enumerate(extra):
        layer = f"{work}/extra{number}"
        shutil.copytree(directory, layer, symlinks=True)
        lower.insert(0, layer)
    for name in ("upper", "scratch", "root"):
        os.mkdir(f"{work}/{name}", 0o755)
    run(
        "mount",
        "-t",
        "overlay",
        "-o",
        f"lowerdir={':'.join(lower)},upperdir={work}/upper,workdir={work}/scratch",
        "overlay",
        f"{work}/root",
    )
    return f"{work}/root"


def run(*command, **more):
    """A command that must succeed; its output is shown only when it does not."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **more,
    )
    if done.returncode != 0:
        raise ImageError(
            f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}"
        )
    return done.stdout


def _inside(layer, target, below):
    """Runs in namespaces of its own: whatever happens, no mount and no process outlives it."""
    work = "/tmp"
    root = mount_overlay(work, below)
    # Read before /etc is hidden: the chroot resolves names as the machine does.
    for name in ("resolv.conf", "hosts"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copyfile(f"/etc/{name}", f"{work}/{name}")
    run("mount", "-t", "proc", "proc", f"{root}/proc")
    run("mount", "--rbind", "/dev", f"{root}/dev")
    run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}/tmp")
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"{root}/run")
    for name in ("resolv.conf", "hosts"):
        if os.path.exists(f"{work}/{name}") and not os.path.islink(f"{root}/etc/{name}"):
            run("mount", "--bind", f"{work}/{name}", f"{root}/etc/{name}")

    policy = f"{root}/usr/sbin/policy-rc.d"
    with open(policy, "w") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

    def inside(*command):
        return run("chroot", root, *command, env=environment)

    inside("apt-get", "update", "-q")
    inside("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages("image-" + layer))
    for section, where in UNPACKED[layer].items():
        for package in packages(section):
            inside(
                "sh",
                "-c",
                f"cd /tmp && apt-get download -q {package} && dpkg-deb -x {package}_*.deb {where}",
            )
    if layer == "base":
        os.makedirs(f"{root}/opt/debian-client")
        for library in pathlib.Path(f"{root}/tmp/unpacked").rglob("libnss_sss.so.2"):
            shutil.copy(library, f"{root}/opt/debian-client/")
    os.unlink(policy)
    inside("apt-get", "clean")
    shutil.rmtree(f"{work}/upper/var/lib/apt/lists", ignore_errors=True)
    run(
        "tar",
        "-c",
        "-C",
        f"{work}/upper",
        "--xattrs",
        "--xattrs-include=trusted.*",
        "--numeric-owner",
        "--sparse",
        "-f",
        target,
        ".",
    )


if __name__ == "__main__":
    try:
        _inside(sys.argv[1], sys.argv[2], sys.argv[3:])
    except ImageError as problem:
        sys.exit(str(problem))
