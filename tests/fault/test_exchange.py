# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server is gone before one message after the other of a single lookup.

Whatever the exchange had come to, the answer is what the directory said before or what it says now,
each as a whole; and once the server is back, it is what the directory says now."""
import pytest

from length import by_length
from relay import Relay
from slapd import BASE, Group, Slapd, User, bis_group_ldif, group_dn, user_dn, user_ldif
from suite import Suite

SIZE = by_length(6, 60)  # groups of a user, members of a group
MOST = 16 + 5 * SIZE  # messages of one exchange, and then some
MAIN = 20001


class Exchange:
    """Objects of one kind, MOST of them to be asked for once and MOST that are never cached before.
    old and new are what the directory says of number n: a third goes, a third stays, a third comes."""

    schema = "rfc2307"

    def shares(self):
        third = SIZE // 3
        return range(2 * third), range(third, SIZE)

    def users(self):
        return [User(f"u{n}", 10000 + n, MAIN, "", "/", "") for n in range(2 * MOST)]


class Initgroups(Exchange):
    """The groups of a user, which name him themselves."""

    def groups(self):
        old, _ = self.shares()
        return [
            Group(f"g{n}x{i}", self.gid(n, i), [f"u{n}"] if i in old else [])
            for n in range(2 * MOST)
            for i in range(SIZE)
        ]

    def gid(self, n, i):
        return 100000 + n * 1000 + i

    def change(self):
        old, new = self.shares()
        text = ""
        for n in range(2 * MOST):
            for i in {*old} ^ {*new}:
                what = "delete" if i in old else "add"
                text += f"dn: {group_dn(f'g{n}x{i}')}\nchangetype: modify\n{what}: {self.member(n)}\n\n"
        return text

    def member(self, n):
        return f"memberUid\nmemberUid: u{n}"

    def gids(self, n, share):
        return {self.gid(n, i) for i in share}

    def truth(self, n):
        return [self.gids(n, share) for share in self.shares()]

    nothing = set()

    def ask(self, suite, n):
        return suite.initgroups(f"u{n}")


class NestedInitgroups(Initgroups):
    """The same, and each group is in another one."""

    schema = "rfc2307bis"

    def groups(self):
        direct = [Group(group.name, group.gid, [*group.members, BASE]) for group in super().groups()]
        above = [Group(f"{g.name}n", g.gid + 500, [group_dn(g.name)]) for g in direct]
        return direct + above

    def member(self, n):
        return f"member\nmember: {user_dn(f'u{n}')}"

    def gids(self, n, share):
        return {self.gid(n, i) + above for i in share for above in (0, 500)}


ASK = """
import grp, os, pwd, sys
try:
    user = pwd.getpwnam(sys.argv[1])
    grp.getgrgid(user.pw_gid)
except KeyError:
    pass
else:
    print(*os.getgrouplist(user.pw_name, user.pw_gid)[1:])
"""


class Id(NestedInitgroups):
    """The same, asked for as id(1) does: the user first, then the primary group, which nobody knows
    yet, and which holds one of the user's groups and is in another one."""

    def users(self):
        return [user._replace(gid=self.gid(n, 999)) for n, user in enumerate(super().users())]

    def groups(self):
        held = SIZE // 3  # a group in which the user stays
        groups = super().groups()
        for n in range(2 * MOST):
            groups.append(Group(f"own{n}", self.gid(n, 999), [group_dn(f"g{n}x{held}")]))
            groups.append(Group(f"all{n}", self.gid(n, 998), [group_dn(f"own{n}")]))
        return groups

    def gids(self, n, share):
        return super().gids(n, share) | {self.gid(n, 998)}

    def ask(self, suite, n):
        out = suite.c.run(["python3", "-c", ASK, f"u{n}"]).out
        return {int(word) for word in out.split()} - {self.gid(n, 999)}


class Members(Exchange):
    """The members of a group, in its own entry."""

    def groups(self):
        old, _ = self.shares()
        return [
            Group(f"team{n}", 100000 + n, [f"u{i}" for i in old]) for n in range(2 * MOST)
        ]

    def change(self):
        _, new = self.shares()
        values = "".join(f"memberUid: u{i}\n" for i in new)
        return "".join(
            f"dn: {group_dn(f'team{n}')}\nchangetype: modify\nreplace: memberUid\n{values}\n"
            for n in range(2 * MOST)
        )

    def truth(self, n):
        return [(f"team{n}", 100000 + n, {f"u{i}" for i in share}) for share in self.shares()]

    nothing = None

    def ask(self, suite, n):
        return suite.group(f"team{n}")


class NestedMembers(Members):
    """Members whose DNs do not tell their names, and more of them in a group in the group."""

    schema = "rfc2307bis"

    def dn(self, i):
        return f"cn=Number {i},ou=people,{BASE}"

    def values(self, n, share):
        return [self.dn(i) for i in share] + [group_dn(f"sub{n}")]

    def groups(self):
        old, _ = self.shares()
        subs = [Group(f"sub{n}", 200000 + n, [self.dn(SIZE)]) for n in range(2 * MOST)]
        return subs + [
            Group(f"team{n}", 100000 + n, self.values(n, old)) for n in range(2 * MOST)
        ]

    def users(self):
        return []

    def people(self):
        return "".join(
            user_ldif(User(f"u{i}", 10000 + i, MAIN, "", "/", ""), dn=self.dn(i), cn=f"Number {i}")
            for i in range(SIZE + 2)
        )

    def change(self):
        _, new = self.shares()
        text = ""
        for n in range(2 * MOST):
            for name, dns in ((f"team{n}", self.values(n, new)), (f"sub{n}", [self.dn(SIZE + 1)])):
                values = "".join(f"member: {dn}\n" for dn in dns)
                text += f"dn: {group_dn(name)}\nchangetype: modify\nreplace: member\n{values}\n"
        return text

    def truth(self, n):
        old, new = super().truth(n)
        return [(*old[:2], old[2] | {f"u{SIZE}"}), (*new[:2], new[2] | {f"u{SIZE + 1}"})]


@pytest.fixture(params=[Initgroups, NestedInitgroups, Id, Members, NestedMembers])
def line(request, container):
    """(exchange, suite, relay): over a line of clear text, in a machine of its own."""
    exchange = request.param()
    with container() as c:
        slapd = Slapd(
            c,
            entries=(exchange.users(), [Group("main", MAIN, []), *exchange.groups()]),
            bis=exchange.schema == "rfc2307bis",
            extra=exchange.people() if isinstance(exchange, NestedMembers) else "",
        ).start()
        relay = Relay(c, "127.0.0.2", ports=(389,))
        suite = Suite(c, slapd).start(
            uri="ldap://127.0.0.2",
            ldap_schema=exchange.schema,
            ldap_id_use_start_tls="false",
            entry_cache_timeout=1,
        )
        yield exchange, suite, relay


def come_back(suite, relay):
    relay.set("pass")
    suite.c.systemctl("kill", "--signal=USR2", "--kill-whom=main", "sssd.service")
    suite.c.wait_for("online", lambda: "LDAP: online" in suite.c.show("sssd.service", "StatusText"))


def is_up_to_date(exchange, suite, n):
    old, new = exchange.truth(n)
    answer = exchange.ask(suite, n)
    assert answer in (old, new)
    return answer == new


def test_an_answer_is_the_old_one_or_the_new_one(line):
    exchange, suite, relay = line
    for n in range(MOST):
        assert exchange.ask(suite, n) == exchange.truth(n)[0]
    suite.slapd.modify(exchange.change())
    suite.c.run(["sleep", "1.1"])  # all that was cached has expired

    relay.set("messages", 10000)
    assert exchange.ask(suite, MOST - 1) == exchange.truth(MOST - 1)[1]
    messages = int(10000 - relay.set("pass"))
    assert 2 <= messages < MOST - 1
    print(f"{type(exchange).__name__}: {messages} messages")

    seen = {"old": 0, "new": 0, "nothing": 0}
    for passing in range(messages + 1):
        for n in (passing, MOST + passing):
            cached = n < MOST
            old, new = exchange.truth(n)
            relay.set("messages", passing)
            answer = exchange.ask(suite, n)
            assert answer in (new, old if cached else exchange.nothing), (passing, n)
            seen["new" if answer == new else "old" if cached else "nothing"] += 1
            come_back(suite, relay)
            suite.c.wait_for("the new one", lambda: is_up_to_date(exchange, suite, n))
    print(seen)
    # All but the last message are not enough; with the last one it is the new answer.
    assert seen == {"old": messages, "nothing": messages, "new": 2}
