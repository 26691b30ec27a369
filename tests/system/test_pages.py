# SPDX-License-Identifier: LGPL-2.1-or-later
"""Users in more groups than the server gives at once: their groups come in pages, of which a server
keeps one place on a connection, for whoever began last."""
import pytest

from load import ask
from metrics import metrics
from slapd import BASE, Group, Slapd, big, group_dn
from suite import Suite
from watch import Log

LIMITS = "sizelimit size=100 size.pr=100 size.prtotal=unlimited"
SCHEMAS = {"rfc2307": False, "rfc2307bis": True}
CUT = "the server cut its answer"


def groups_of(entries, name):
    """All but the primary one, whom nobody is a member of."""
    return {group.gid for group in entries[1] if name in group.members}


def begin(c, schema, entries, **options):
    slapd = Slapd(c, entries=entries, bis=SCHEMAS[schema], security=LIMITS).start()
    options = {"ldap_schema": schema, "ldap_page_size": 100, **options}
    return Suite(c, slapd).start(**options)


def asked_again(suite, name):
    suite.c.run(["sss_cache", "-E"])
    return suite.initgroups(name)


def searches(c, purpose):
    return metrics(c)["sssd_searches_total", "be_LDAP", purpose]


def pages(c):
    """That were asked for in order to list all."""
    return searches(c, "list")


@pytest.mark.parametrize("page_size", [100, 1000])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_user_in_300_groups(container, schema, page_size):
    """Pages may be no larger than what the server gives at once."""
    entries = big(300, 300)
    groups = groups_of(entries, "joiner")
    assert len(groups) == 300
    with container() as c:
        suite = begin(c, schema, entries, ldap_page_size=page_size)
        c.wait_for("the domain is online", lambda: suite.passwd("user00001"))
        log = Log(c)
        assert suite.initgroups("joiner") == groups
        # It is known by now that this takes pages, three of them. And there is the search for the user
        # and, where groups may be in groups, for those of 300.
        before = searches(c, "question")
        assert asked_again(suite, "joiner") == groups
        assert searches(c, "question") - before == (4 if schema == "rfc2307" else 5)
        assert CUT not in log.text()
        assert suite.id("joiner") == (99999, 200000, groups | {200000})
        # id(1) asks for their names next.
        c.run(["sss_cache", "-E"])
        assert len(c.run(["id", "joiner"]).out.split(",")) == 301
        assert asked_again(suite, "user00001") == groups_of(entries, "user00001")


def test_groups_in_groups_below_two_bases(container):
    users, groups = big(10, 2, 5)
    groups += [Group(f"low{n}", 210000 + n, ["joiner"]) for n in range(150)]
    joined = groups_of((users, groups), "joiner")
    groups += [Group(f"high{n}", 220000 + n, [group_dn(f"low{n}")]) for n in range(150)]
    joined |= set(range(220000, 220150)) | {200000}
    with container() as c:
        bases = f"ou=people,{BASE}?subtree??ou=groups,{BASE}?subtree?"
        suite = begin(c, "rfc2307bis", (users, groups), ldap_group_search_base=bases)
        for _ in range(2):
            assert suite.id("joiner") == (99999, 200000, joined)
            c.run(["sss_cache", "-E"])


def test_where_pages_are_not_wanted(container):
    """Less than all is no answer."""
    with container() as c:
        suite = begin(c, "rfc2307", big(300, 300), ldap_disable_paging="true")
        c.wait_for("the domain is online", lambda: suite.passwd("user00001"))
        log = Log(c)
        calls = ask(c, "initgroups", "joiner")
        assert calls.failed == calls.calls == 1, calls
        assert CUT in log.text()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_while_all_are_listed(container, schema):
    """Whoever asks does not wait for the list, which begins anew, and is complete in the end."""
    entries = big(6000, 300)
    with container() as c:
        suite = begin(c, schema, entries, enumerate="true", ldap_page_size=2)
        log = Log(c)
        c.wait_for("it is under way", lambda: pages(c) > 30, step=0.05)
        for _ in range(2):
            for name in "joiner", "user00001":
                assert asked_again(suite, name) == groups_of(entries, name)
        before = pages(c)
        c.wait_for("it goes on", lambda: pages(c) > before)
        c.wait_for("the list", lambda: "joiner:" in suite.getent("passwd", timeout=90).out, timeout=90)
        assert pages(c) > 3001 + 30 + 151, "it did not begin anew"
        assert "enumeration: " not in log.text()
        lines = suite.getent("passwd", timeout=90).out.splitlines()
        assert sum(line.startswith("user") for line in lines) == 6000
        lines = suite.getent("group", timeout=90).out.splitlines()
        assert sum("joiner" in line for line in lines) == 300


def test_while_somebody_asks_again_and_again(container):
    """The list comes to its end all the same: others wait when it has begun anew a few times."""
    entries = big(3000, 300)
    with container() as c:
        suite = begin(c, "rfc2307", entries, enumerate="true", ldap_page_size=2)
        c.wait_for("it is under way", lambda: pages(c) > 30, step=0.05)
        before, now = 0, pages(c)
        for _ in range(100):
            assert asked_again(suite, "joiner") == groups_of(entries, "joiner")
            before, now = now, pages(c)
            if now == before:
                break
        assert now == before, "it begins anew and anew"
        assert "joiner:" in suite.getent("passwd", timeout=90).out
