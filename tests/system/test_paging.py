# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who asks for pages (RFC 2696), seen by the server: lists do, one at a time on a connection, for a
server remembers one place only; who wants to know a name or a number does not."""
import collections

import pytest

from misfit import begin, install

PAGED = "1.2.840.113556.1.4.319"
Search = collections.namedtuple("Search", "connection kind controls n_open")


@pytest.fixture(scope="module")
def c(container):
    with container() as c:
        install(c)
        yield c


def start(c, **options):
    return begin(
        c,
        "pages 0.1",
        enumerate="true",
        ldap_enumeration_refresh_timeout=1,
        ldap_enumeration_refresh_offset=0,
        ldap_page_size=1,
        entry_cache_timeout=1,
        **options,
    )


def searches(suite):
    words = [line.split()[2:] for line in suite.log.lines("python3") if " search " in line]
    return [Search(line, kind, controls, int(n_open)) for line, kind, controls, n_open in words]


@pytest.mark.parametrize("schema", ["rfc2307", "rfc2307bis"])
def test_only_lists_are_paged_one_at_a_time(c, schema):
    """While they are under way all kinds of questions are asked, and lists are asked for."""
    suite = start(c, ldap_schema=schema)
    lists = [c.popen(["getent", database]) for database in ("passwd", "group", "passwd", "group")]
    for n in range(4):
        assert suite.passwd(f"user{n}") and suite.passwd(20004 + n)
        assert suite.group(f"group{n}") and suite.group(30004 + n)
        assert suite.initgroups(f"user{n}") is not None
        assert suite.passwd(f"absent{n}") is None and suite.group(40000 + n) is None
        c.run(["id", f"user{n}"])
    assert [one.wait() for one in lists] == [0] * 4
    c.wait_for("a second list", lambda: sum(s.kind == "list" for s in searches(suite)) > 30, timeout=30)
    done = searches(suite)
    kinds = [search.kind for search in done]
    first, last = kinds.index("list"), len(kinds) - 1 - kinds[::-1].index("list")
    assert kinds[first:last].count("lookup") > 20
    assert {search.controls for search in done if search.kind == "lookup"} == {"-"}
    assert {search.controls for search in done if search.kind == "list"} == {PAGED}
    assert max(search.n_open for search in done) == 1


def test_no_pages_where_they_are_switched_off(c):
    suite = start(c, ldap_disable_paging="true")
    c.wait_for("the list", lambda: "user9:" in suite.getent("passwd").out)
    assert suite.passwd("user1")
    assert {search.controls for search in searches(suite)} == {"-"}
