# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory cache from outside: questions whose answers are in it, and whether they are."""
import re

FILES = ("passwd", "group", "initgroups", "sid")
CLIENTS = ("ours", "debian")
UNITS = ("sssd-nss.socket", "sssd-nss.service", "sssd.service")

# Before a command: it sees the files and nobody to ask. /run/sss/mc leads to the files, so it stays.
NO_SOCKET = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs /run/sss/pipes && exec "$@"', "sh"]

# One for each key of each file.
QUESTIONS = [
    ("passwd", "alice"),
    ("passwd", "10002"),
    ("group", "devs"),
    ("group", "20006"),
    ("initgroups", "alice"),
]


def traced(c, *command):
    """What the command printed, and the calls in which it spoke to a socket of ours."""
    done = c.run(["strace", "-f", "-o", "/tmp/trace", "-e", "trace=%network", *command])
    return done.out, re.findall(r".*sss/pipes.*", c.read("/tmp/trace"))


def learn(suite):
    for question in QUESTIONS:
        assert suite.getent(*question).rc == 0
    return suite


def answers(suite, client, memory_cache=True):
    """What getent(1) prints for each of QUESTIONS; "" for what it does not find."""
    env = "SSS_NSS_USE_MEMCACHE=YES" if memory_cache else "SSS_NSS_USE_MEMCACHE=NO"
    library = ["LD_LIBRARY_PATH=/opt/debian-client"] if client == "debian" else []
    out = [
        suite.c.run(["env", env, *library, "getent", *question], check=False).out
        for question in QUESTIONS
    ]
    return [line if line.strip() != question[1] else "" for line, question in zip(out, QUESTIONS)]


def in_files(suite, database, key, client="ours"):
    """What a client prints in a place where it sees the files and nobody to ask."""
    env = {"SSS_NSS_USE_MEMCACHE": "YES"}
    if client == "debian":
        env["LD_LIBRARY_PATH"] = "/opt/debian-client"
    out = suite.c.run([*NO_SOCKET, "getent", database, str(key)], check=False, env=env).out
    return out.replace(str(key), "", database == "initgroups").strip()


def agree(suite, database, key, client):
    """Asks by the socket, then in the files alone, which must not have another answer. Have they one?"""
    env = {"SSS_NSS_USE_MEMCACHE": "NO"}
    if client == "debian":
        env["LD_LIBRARY_PATH"] = "/opt/debian-client"
    suite.getent(database, key, client=client)  # so that it is in the files, if it ever is
    asked = suite.c.run(["getent", database, str(key)], check=False, env=env).out
    asked = asked.replace(str(key), "", database == "initgroups").strip()
    found = in_files(suite, database, key, client)
    assert found in ("", asked), (database, key, client)
    return found != ""


def tables_agree(suite, client, **questions):
    """agree() for each question of passwd=…, group=…, initgroups=…; and some are in the files."""
    found = [
        agree(suite, database, key, client) for database, keys in questions.items() for key in keys
    ]
    assert any(found), questions


def without_socket(suite):
    """in_files() for each of QUESTIONS."""
    return [in_files(suite, *question) for question in QUESTIONS]


def inodes(c):
    return c.sh("cd /var/lib/sss/mc && stat -c %i " + " ".join(FILES)).out.split()


class Asleep:
    """All of ours stopped, and nothing that could start it."""

    def __init__(self, suite):
        self.c = suite.c

    def __enter__(self):
        self.c.systemctl("mask", "--runtime", "--now", *UNITS)

    def __exit__(self, *_):
        self.c.systemctl("unmask", "--runtime", *UNITS)
        self.c.systemctl("start", "sssd-nss.socket", "sssd.service")
