# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entries that change all the time, in states that can be told from a mixture of two.

Each state has a number, the last word of gecos, home and shell (nsscall --whole). A record of the memory cache
has 78 slots, always, and all together are more than fit into the file: the place of one that went is soon
another's, and then the half of one and the half of the other make sense.

    with Author(slapd):
        calls = Load(c, "passwd", *KEYS, whole=True).end()
"""
import random
import threading

from slapd import User, user_dn
from suite import MEMCACHE

N_USERS = 400
KEYS = [f"user%03u:1:{N_USERS}", f"%u:50001:{50000 + N_USERS}"]
# They are fresh for two seconds, and all of their records have 1 MiB.
OPTIONS = {
    "nss": {**MEMCACHE, "memcache_size_passwd": 1},
    "entry_cache_timeout": 2,
    "entry_cache_nowait_percentage": 0,
}


def state(n):
    home = "/home/" + "x" * 3000
    return {"gecos": f"State {n:05}", "home": f"{home}/{n:05}", "shell": f"/bin/{n:05}"}


USERS = [User(f"user{n:03}", 50000 + n, 50000, *state(0).values()) for n in range(1, N_USERS + 1)]


def _modify(user, new):
    return (
        f"dn: {user_dn(user.name)}\nchangetype: modify\nreplace: gecos\ngecos: {new['gecos']}\n-\n"
        f"replace: homeDirectory\nhomeDirectory: {new['home']}\n-\n"
        f"replace: loginShell\nloginShell: {new['shell']}\n\n"
    )


class Author(threading.Thread):
    """Changes some of USERS all the time."""

    def __init__(self, slapd):
        super().__init__()
        self.slapd, self.changes, self.stopped = slapd, 0, threading.Event()

    def run(self):
        chance = random.Random(1)
        while not self.stopped.wait(0.1):
            self.changes += 1
            new = state(self.changes)
            self.slapd.modify("".join(_modify(user, new) for user in chance.sample(USERS, 60)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
