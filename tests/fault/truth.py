# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every answer compared with the directory: right, unavailable, or wrong.

    truth = Truth(users)
    verdict = truth.ask(c, client="debian")
    assert never_wrong(verdict), verdict

"There is no such user" is wrong for a user of the directory, as wrong as another one's uid.
"""
import collections

from load import Load

Verdict = collections.namedtuple("Verdict", "asked right unavailable wrong slowest_ms")


def never_wrong(verdict):
    return not verdict.wrong


def all_right(verdict):
    return verdict.right == verdict.asked > 0 and not verdict.wrong


class Truth:
    """users as slapd.py has them. versions: other gecos fields that entries have had."""

    def __init__(self, users, versions=()):
        self.users = {user.name: user for user in users}
        self.versions = set(versions)

    def ask(self, c, names=None, client="ours"):
        """Asks for each name once, over one connection and past the memory cache."""
        names = list(names or self.users)
        return self._judge(names, Load(c, "passwd", *names, client=client, print=True).end())

    def ask_by_id(self, c, names=None, client="ours"):
        names = list(names or self.users)
        numbers = [self.users[name].uid for name in names]
        return self._judge(names, Load(c, "passwd", *numbers, client=client, print=True).end())

    def _judge(self, names, calls):
        wrong = [line for line in calls.printed if not self._is_right(line)]
        seen = collections.Counter(line.split(":")[0] for line in calls.printed)
        wrong += [f"{name}: answered {n} times" for name, n in seen.items() if n > 1]
        if calls.notfound:
            missing = [name for name in names if name not in seen]
            wrong.append(f"{calls.notfound} not found, among {missing[:5]}")
        return Verdict(
            len(names), len(calls.printed), calls.failed, wrong[:20], calls.max_us / 1000
        )

    def _is_right(self, line):
        name, _, uid, gid, gecos, home, shell = line.split(":")
        user = self.users.get(name)
        return (
            user is not None
            and (int(uid), int(gid), home, shell) == (user.uid, user.gid, user.home, user.shell)
            and (gecos == user.gecos or gecos in self.versions)
        )
