# SPDX-License-Identifier: LGPL-2.1-or-later
"""The suite under test in its container: configuration, lookups with either client, what runs.

    with Container(install=[ours()]) as c:
        suite = Suite(c, Slapd(c).start())
        suite.start()
        assert suite.passwd("alice", client="debian") == "alice:*:10001:…"
"""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

from container import ContainerError
from slapd import BASE, CA

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = "usr/lib/x86_64-linux-gnu/libnss_sss.so.2"
DEBIAN_CLIENT = {"LD_LIBRARY_PATH": "/opt/debian-client"}
NOT_FOUND = 2  # getent(1)
MEMCACHE = {"memcache_timeout": None}  # as shipped

_made = {}


def build_dir():
    """The release build that is tested: $SSSD_BUILD, or build/release in the tree."""
    return pathlib.Path(os.environ.get("SSSD_BUILD", ROOT / "build/release"))


def ours():
    """Our programs as `meson install` leaves them, in a directory for Container(install=[…])."""
    if "ours" not in _made:
        target = _directory()
        done = subprocess.run(
            ["meson", "install", "-C", build_dir(), "--no-rebuild", "--destdir", target],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise ContainerError(f"meson install: {done.stdout[-2000:]}")
        _made["ours"] = target
    return _made["ours"]


def our_client():
    """Our client library alone, to be laid over Debian's sssd."""
    if "client" not in _made:
        _made["client"] = _directory()
        target = pathlib.Path(_made["client"], LIBRARY)
        target.parent.mkdir(parents=True)
        shutil.copy(pathlib.Path(ours(), LIBRARY), target)
    return _made["client"]


def _directory():
    path = tempfile.mkdtemp(prefix="sssd-tests-install-")
    os.chmod(path, 0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def sssd_conf(
    domain="LDAP", uri="ldaps://ldap.test", services=None, sssd=None, nss=None, **options
):
    """The text of an sssd.conf with one LDAP domain; options go into its section, sssd and nss
    are options for theirs. An option that is None is left out. There is no memory cache unless it
    is asked for (nss=MEMCACHE): most tests are about the responder, and would not reach it."""
    sections = {
        "sssd": {"services": services, "domains": domain, **(sssd or {})},
        "nss": {"memcache_timeout": 0, **(nss or {})},
        f"domain/{domain}": {
            "id_provider": "ldap",
            "ldap_uri": uri,
            "ldap_search_base": BASE,
            "ldap_tls_cacert": CA,
            **options,
        },
    }
    text = ""
    for section, values in sections.items():
        text += f"[{section}]\n" + "".join(
            f"{name} = {value}\n" for name, value in values.items() if value is not None
        )
    return text


class Suite:
    """sssd in container c; the same calls work with Debian's in the image debian-sssd."""

    def __init__(self, c, slapd=None):
        self.c, self.slapd = c, slapd

    # -- its life --------------------------------------------------------------------------------

    def configure(self, text=None, **options):
        """Writes /etc/sssd/sssd.conf, 0600 root:root: text, or sssd_conf(**options)."""
        self.c.write(
            "/etc/sssd/sssd.conf", text if text is not None else sssd_conf(**options), 0o600
        )

    def start(self, **options):
        """Configures, enables the nss socket as an administrator would, and starts everything."""
        self.configure(**options)
        self.c.systemctl("enable", "--now", "sssd-nss.socket")
        self.c.systemctl("start", "sssd.service")
        return self

    def stop(self):
        """Stops everything and forgets the cache."""
        self.c.systemctl("stop", "sssd-nss.socket", "sssd-nss.service", "sssd.service")
        self.c.sh(
            "rm -rf /var/lib/sss/db/* /var/lib/sss/mc/* /var/lib/sss/conf/*; "
            "rm -f /etc/sssd/sssd.conf /etc/sssd/conf.d/*"
        )

    def pids(self, program):
        """The pids of a program of ours ("sssd_nss"), as the container counts."""
        return [int(word) for word in self.c.run(["pidof", program], check=False).out.split()]

    def idle_exit(self, ms):
        """The nss responder leaves after ms without work (hidden option); None = as shipped."""
        drop_in = "/run/systemd/system/sssd-nss.service.d/idle.conf"
        if ms is None:
            self.c.run(["rm", "-f", drop_in])
        else:
            self.c.write(
                drop_in,
                "[Service]\nExecStart=\nExecStart=/usr/libexec/sssd/sssd_nss "
                f"--idle-exit-ms={ms} $DEBUG_LOGGER\n",
            )
        self.c.systemctl("daemon-reload")

    # -- lookups -----------------------------------------------------------------------------------

    def getent(self, database, *keys, client="ours", user=None, timeout=30):
        """getent(1) with our client library, or "debian", its unmodified one. A Result."""
        return self.c.run(
            ["getent", database, *map(str, keys)],
            check=False,
            user=user,
            timeout=timeout,
            env=DEBIAN_CLIENT if client == "debian" else None,
        )

    def passwd(self, key, **how):
        """The passwd(5) line; None = there is no such user."""
        return self._one("passwd", key, how)

    def group(self, key, **how):
        """(name, gid, set of members); None = there is no such group."""
        line = self._one("group", key, how)
        if line is None:
            return None
        name, _, gid, members = line.split(":")
        return name, int(gid), set(members.split(",")) - {""}

    def initgroups(self, name, **how):
        """The set of gids getent(1) prints; it leaves the primary one out."""
        line = self._one("initgroups", name, how)
        return None if line is None else {int(word) for word in line.split()[1:]}

    def _one(self, database, key, how):
        result = self.getent(database, key, **how)
        if result.rc == NOT_FOUND:
            return None
        assert result.rc == 0, result
        return result.out.rstrip("\n")

    def id(self, name, client="ours"):
        """(uid, gid, set of gids) as id(1) sees them."""
        env = DEBIAN_CLIENT if client == "debian" else None
        return tuple(int(self.c.run(["id", flag, name], env=env).out) for flag in ("-u", "-g")) + (
            {int(word) for word in self.c.run(["id", "-G", name], env=env).out.split()},
        )
