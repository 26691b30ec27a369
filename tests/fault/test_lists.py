# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists of everybody, from a server that takes long for them, goes away, or does not give all. A list is
whole or an error, and whoever is asked for alone is not kept waiting."""
import itertools
import time

import pytest

from load import ask
from metrics import metrics
from misfit import begin, install, switch

ALL = {f"user{n}" for n in range(10)}
DONE = "enumerated 10 users and 10 groups"
FAILED = "domain LDAP: enumeration: "
NO_AGEING = {"entry_cache_nowait_percentage": 0}
PAGED = "1.2.840.113556.1.4.319"


@pytest.fixture(scope="module")
def c(container):
    with container() as c:
        install(c)
        yield c


def start(c, mode, **options):
    return begin(c, mode, enumerate="true", debug_level=6, **{"ldap_page_size": 1, **options})


def searches(suite):
    """For lists, since the server began."""
    return sum(" list " in line for line in suite.log.lines("python3"))


def listed(suite):
    lines = suite.getent("passwd", timeout=30).out.splitlines()
    return {line.partition(":")[0] for line in lines if line.startswith("user")}


def connects_anew(suite):
    """Sooner or later, while questions are asked that the server has to answer."""
    ghosts, before = itertools.count(), metrics(suite.c)
    suite.c.wait_for(
        "another connection",
        lambda: suite.passwd(f"ghost{next(ghosts)}") is None
        and (metrics(suite.c) - before)["sssd_connections_total", "be_LDAP", "ok"] >= 1,
    )


def test_a_list_takes_longer_than_a_connection_may_last(c):
    """Ten users and ten groups come one by one, each after 0.5 s: the connection that has the place stays,
    and is replaced afterwards."""
    suite = start(c, "pages 0.5", ldap_connection_expire_timeout=3)
    c.wait_for("the list", lambda: DONE in suite.log.text(), timeout=30)
    assert DONE in suite.log.text() and FAILED not in suite.log.text()
    connects_anew(suite)


@pytest.mark.parametrize("page", [5, 9])
def test_a_list_goes_on_when_the_connection_is_lost(c, page):
    suite = start(c, f"pages 0.1:{page}")
    assert listed(suite) == ALL
    assert DONE in suite.log.text() and FAILED not in suite.log.text()


def test_a_list_that_is_cut_does_not_keep_the_connection(c):
    """As where a size limit counts over all pages. Nobody comes back to the place that is remembered."""
    suite = start(c, "short 0.2:3", ldap_connection_expire_timeout=3)
    c.wait_for("it fails", lambda: FAILED in suite.log.text())
    connects_anew(suite)


def test_nobody_is_purged_whom_no_list_could_renew(c):
    """One entry cannot be read, so that no pass comes to its end: a list is the last whole one."""
    suite = start(
        c,
        "ok then unreadable",
        ldap_page_size=1000,
        entry_cache_timeout=6,
        ldap_purge_cache_timeout=1,
        ldap_enumeration_refresh_timeout=1,
        ldap_enumeration_refresh_offset=0,
        nss=NO_AGEING,
    )
    assert listed(suite) == ALL
    switch(c)
    c.wait_for("it fails", lambda: FAILED in suite.log.text())
    time.sleep(9)
    assert listed(suite) == ALL


def test_nobody_is_purged_whom_a_list_renews_too_late(c):
    suite = start(
        c,
        "ok",
        ldap_page_size=1000,
        entry_cache_timeout=3,
        ldap_purge_cache_timeout=1,
        ldap_enumeration_refresh_timeout=0,
        nss=NO_AGEING,
    )
    assert listed(suite) == ALL
    time.sleep(6)
    assert listed(suite) == ALL


def test_nobody_is_purged_while_the_server_lacks_what_it_had(c):
    """As while it is loaded anew."""
    suite = begin(
        c,
        "ok then lacks dc=example,dc=com",
        entry_cache_timeout=3,
        ldap_purge_cache_timeout=1,
        nss=NO_AGEING,
    )
    assert suite.passwd("user1")
    switch(c)
    time.sleep(6)
    assert suite.passwd("user1")


def test_a_base_that_goes_between_two_pages_ends_its_pages(c):
    """The other one is listed, as if that had never been there."""
    suite = start(
        c,
        "pages 0.5 then lacks ou=people,dc=example,dc=com",
        ldap_user_search_base="ou=people,dc=example,dc=com?sub??dc=example,dc=com?sub?",
    )
    c.wait_for("pages", lambda: searches(suite) > 2)
    switch(c)
    c.wait_for("the end", lambda: DONE in suite.log.text() or FAILED in suite.log.text(), timeout=20)
    assert "search base ou=people,dc=example,dc=com: the server has no such entry" in suite.log.text()
    assert FAILED not in suite.log.text() and listed(suite) == ALL


def test_pages_that_are_refused_are_not_asked_for_again(c):
    """The groups were cut, and stay so. Who is in fewer has them."""
    suite = begin(c, "stingy 2", ldap_schema="rfc2307")
    for _ in range(3):
        calls = ask(c, "initgroups", "user0")
        assert calls.failed == calls.calls == 1, calls
    assert suite.passwd("user1")
    paged = [line for line in suite.log.lines("python3") if PAGED in line]
    assert len(paged) == 1, paged
