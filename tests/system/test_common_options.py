# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options of all sections: each built one is seen from outside somewhere, and this file knows where.

`sssd_conf --list-options` is the list of what there is. Every option of it stands in SEEN, with the
file whose tests set it and look at what comes of it, or in UNSEEN, with the reason. A bad value is
tried for every option that can have one. The options that no other file is about follow here.
"""
import pathlib
import re
import subprocess
import time

import pytest

from load import ask
from slapd import BASE, CA, GROUPS, USERS, Slapd, authority
from suite import MEMCACHE, Suite, build_dir
from watch import Log

TESTS = pathlib.Path(__file__).resolve().parents[1]
HERE = "system/test_common_options.py"
ALICE = "alice:*:10001:20001:Alice Example:/home/alice:/bin/bash"

# file: the options that it is about, each as "section name", and "ldap" for [domain/…].
SEEN = {
    HERE: """
        sssd core_dumpable, service request_timeout, nss memcache_size_passwd,
        nss memcache_size_initgroups, nss memcache_size_sid, domain cache_max_size,
        domain offline_timeout_max, * debug_level, * debug_timestamps, * debug_microseconds,
        ldap ldap_tls_cert, ldap ldap_tls_key, ldap ldap_tls_cipher_suite""",
    "system/test_services.py": "sssd services, domain enabled",
    "system/test_names.py": """
        sssd domains, sssd re_expression, sssd full_name_format, sssd domain_resolution_order,
        sssd default_domain_suffix, sssd override_space, domain use_fully_qualified_names,
        domain re_expression, domain full_name_format, domain case_sensitive""",
    "system/test_config.py": "domain id_provider",
    "system/test_freshness.py": """
        nss entry_cache_nowait_percentage, nss entry_negative_timeout, nss local_negative_timeout,
        service cache_first, domain entry_cache_timeout, domain entry_cache_user_timeout,
        domain entry_cache_group_timeout, domain refresh_expired_interval,
        domain refresh_expired_interval_offset, ldap ldap_purge_cache_timeout,
        ldap ldap_purge_cache_offset""",
    "system/test_values.py": """
        nss filter_users, nss filter_groups, nss filter_users_in_groups, nss pwfield,
        nss override_homedir, nss fallback_homedir, nss homedir_substring, nss override_shell,
        nss allowed_shells, nss vetoed_shells, nss shell_fallback, nss default_shell,
        domain override_gid, domain filter_users, domain filter_groups, domain pwfield,
        domain override_homedir, domain fallback_homedir, domain homedir_substring,
        domain override_shell, domain default_shell""",
    "system/test_memcache.py": "nss memcache_timeout, nss memcache_size_group",
    "fault/test_idle_timeout.py": "service responder_idle_timeout, service client_idle_timeout",
    "fault/test_crowd.py": "service fd_limit",
    "system/test_senseless.py": "domain min_id, domain max_id",
    "system/test_enumerate.py": """
        domain enumerate, ldap ldap_enumeration_refresh_timeout,
        ldap ldap_enumeration_refresh_offset, ldap ldap_page_size, ldap ldap_disable_paging""",
    "system/test_bis.py": """
        domain ignore_group_members, ldap ldap_schema, ldap ldap_group_nesting_level,
        ldap ldap_deref_threshold""",
    "system/test_private_groups.py": """
        domain auto_private_groups, ldap ldap_rfc2307_fallback_to_local_users""",
    "system/test_addresses.py": "ldap ldap_user_email, ldap ldap_user_principal",
    "system/test_tls.py": """
        ldap ldap_tls_reqcert, ldap ldap_tls_cacert, ldap ldap_id_use_start_tls""",
    "system/test_sasl.py": """
        ldap ldap_sasl_mech, ldap ldap_sasl_authid, ldap ldap_sasl_realm,
        ldap ldap_sasl_canonicalize, ldap ldap_sasl_minssf, ldap ldap_sasl_maxssf,
        ldap ldap_krb5_keytab, ldap ldap_krb5_init_creds, ldap ldap_krb5_ticket_lifetime,
        ldap krb5_realm""",
    "system/test_kcm.py": "kcm max_ccaches, kcm max_uid_ccaches, kcm max_ccache_size",
    "system/test_kcm_renewal.py": """
        kcm tgt_renewal, kcm tgt_renewal_inherit, kcm krb5_renew_interval, kcm krb5_auth_timeout,
        kcm krb5_validate, kcm purge_at_logout""",
    "system/test_discovery.py": """
        domain dns_discovery_domain, domain dns_resolver_op_timeout,
        domain dns_resolver_server_timeout, domain dns_resolver_use_search_list,
        ldap ldap_dns_service_name""",
    "fault/test_failover.py": "domain lookup_family_order, ldap ldap_backup_uri",
    # The attribute maps, search bases, binds and limits; below, for its rows are checked.
    "system/test_ldap_options.py": "",
}

UNSEEN = {
    "sssd monitor_resolv_conf": "its effect is that of a probe: test_network.c",
    "sssd disable_netlink": "its effect is that of a probe: test_network.c",
    "kcm responder_idle_timeout": "the same code as for [nss]: fault/test_idle_timeout.py",
    "kcm client_idle_timeout": "the same code as for [nss]: fault/test_idle_timeout.py",
    "kcm fd_limit": "the same code as for [nss]: fault/test_crowd.py",
    "* timeout": "under 20 means 20: a minute until three pings were missed; test_liveness.c",
    "domain offline_timeout": "capped, so that a domain is back in 30 s: test_online.c",
    "domain offline_timeout_random_offset": "chance: test_online.c",
    "domain failover_primary_timeout": "its default is its least: fault/test_failover.py waits for it",
    "domain dns_resolver_timeout": "needs a name server that is dead: unit tests of the backend",
    "ldap ldap_tls_cacertdir": "GnuTLS, with which Debian's libldap is built, has no such thing",
    "ldap ldap_enumeration_search_timeout": "the limit of one page: the code of ldap_search_timeout",
}


def built():
    """{"section name": type} of every built option."""
    program = build_dir() / "monitor/sssd_conf"
    listing = subprocess.check_output([program, "--list-options"], text=True)
    rows = [line.split("\t") for line in listing.splitlines()]
    return {
        f"{'ldap' if row[0] == 'domain:ldap' else row[0]} {row[1]}": row[2]
        for row in rows
        if row[5] == "built"
    }


def test_every_option_is_seen_somewhere_or_it_is_said_why_not():
    options, told = built(), dict(UNSEEN)
    rows = (TESTS / "system/test_ldap_options.py").read_text()
    for name in [name for name in options if name.startswith("ldap ")]:
        if f'"{name.split()[1]}"' in rows or f"{name.split()[1]}=" in rows:
            told.setdefault(name, "system/test_ldap_options.py")
    for path, names in SEEN.items():
        text = (TESTS / path).read_text()
        for name in filter(None, re.split(r",\s*", names.strip())):
            assert name not in UNSEEN, name
            word = name.split()[1].removeprefix("ldap_")
            assert text.count(word) > (path == HERE), f"{path} has nothing about {name}"
            told[name] = path
    assert sorted(told.keys() - options.keys()) == [], "not built, or not of this name"
    assert sorted(options.keys() - told.keys()) == [], "nobody looks at them"


# ---- bad values --------------------------------------------------------------------------------------

BAD = {
    "bool": "perhaps",
    "number": "many",
    "signed": "many",
    "word": "nonsense",
    "character": "two",
    "level": "loud",
}
SECTIONS = {"ldap": "domain/LDAP", "domain": "domain/LDAP", "service": "nss", "*": "nss"}


def test_every_bad_value_is_named(machine):
    """All at once, each in its section: config-check names every one, with the value."""
    options = {name: BAD[kind] for name, kind in built().items() if kind in BAD}
    assert len(options) > 60
    text = "[sssd]\ndomains = LDAP\n[domain/LDAP]\nid_provider = ldap\n"
    for name, value in options.items():
        section, option = name.split()
        text += f"[{SECTIONS.get(section, section)}]\n{option} = {value}\n"
    machine.write("/etc/sssd/bad.conf", text, 0o600)
    check = machine.run(["sssctl", "config-check", "-c", "/etc/sssd/bad.conf"], check=False)
    assert check.rc == 1
    for name, value in options.items():
        section, option = name.split()
        words = [f"'{option}'", f"'{SECTIONS.get(section, section)}'", f"'{value}'"]
        assert any(all(word in line for word in words) for line in check.out.splitlines()), words


# ---- options that no other file is about ---------------------------------------------------------------


@pytest.fixture
def start(container):
    with container() as c:
        slapd = Slapd(c).start()
        yield lambda **options: Suite(c, slapd).start(**options)


@pytest.mark.parametrize("seconds", [1, 2])
def test_request_timeout(start, seconds):
    suite = start(nss={"request_timeout": seconds})
    suite.c.wait_for("the domain is online", lambda: suite.passwd("bob"))
    suite.slapd.pause()
    try:
        result = suite.getent("passwd", "alice")
    finally:
        suite.slapd.resume()
    assert result.rc != 0 and seconds * 1000 - 50 <= result.ms < seconds * 1000 + 900, result


FILES = ("passwd", "group", "initgroups", "sid")


@pytest.mark.parametrize(
    "option", ["memcache_size_passwd", "memcache_size_initgroups", "memcache_size_sid"]
)
def test_memcache_sizes(start, option):
    """0: no such file; and the size that is asked for, the largest one too."""
    name = option.removeprefix("memcache_size_")
    suite = start(nss={**MEMCACHE, option: 0})
    suite.passwd("alice"), suite.group("devs"), suite.initgroups("alice")
    there = {file for file in FILES if suite.c.exists(f"/var/lib/sss/mc/{file}")}
    assert there == set(FILES) - {name}
    for mib in (1, 1024):
        suite.configure(nss={**MEMCACHE, option: mib})
        suite.c.systemctl("reload", "sssd.service")
        suite.passwd("alice"), suite.initgroups("alice")
        size = f"stat -c %s /var/lib/sss/mc/{name}"
        suite.c.wait_for(
            f"{mib} MiB",
            lambda: mib << 20 <= int(suite.c.sh(size).out) < (mib << 20) * 3,
        )


def test_core_dumpable(start):
    """The backend holds a bind password: a core file of it has at most one byte."""
    limit = "grep 'Max core file size' /proc/$(pidof sssd_be)/limits"
    suite = start()
    assert suite.c.sh(limit).out.split()[4:6] == ["1", "1"]
    suite.configure(sssd={"core_dumpable": "true"})
    suite.c.systemctl("restart", "sssd.service")
    assert suite.c.sh(limit).out.split()[5] != "1"


def test_debug_level_and_microseconds(start):
    suite = start(nss={"debug_level": 9, "debug_microseconds": "true"})
    suite.c.write("/etc/default/sssd", "DEBUG_LOGGER=--logger=files\n")
    suite.c.systemctl("restart", "sssd-nss.service")
    path = "/var/log/sssd/sssd_nss.log"
    suite.passwd("alice")
    with_them = suite.c.read(path).splitlines()
    assert re.search(r"\d\d:\d\d:\d\d[.:]\d{6}", with_them[-1]), with_them[-1]

    suite.configure(nss={"debug_level": 0})
    suite.c.systemctl("reload", "sssd.service")
    time.sleep(0.5)
    suite.c.sh(f": >{path}")
    suite.passwd("bob")
    assert suite.c.read(path) == ""
    suite.configure(nss={"debug_level": 9})
    suite.c.systemctl("reload", "sssd.service")
    suite.c.wait_for("it logs again", lambda: suite.passwd("no-such") or suite.c.read(path))
    assert not re.search(r"\d\d:\d\d:\d\d[.:]\d{6}", suite.c.read(path).splitlines()[-1])

    suite.configure(nss={"debug_level": 9, "debug_timestamps": "false"})
    suite.c.systemctl("reload", "sssd.service")
    suite.c.wait_for(
        "no time", lambda: suite.passwd("bob") and suite.c.read(path).splitlines()[-1][0] == "["
    )


def test_cache_max_size(container):
    """It stays as large as it may be. Who is in it is answered; who does not fit is no "not there"."""
    users = [USERS[0]] + [
        USERS[0]._replace(name=f"user{n}", uid=20000 + n, gecos="x" * 2000) for n in range(1000)
    ]
    with container() as c:
        slapd = Slapd(c, entries=(users, GROUPS)).start()
        suite = Suite(c, slapd).start(cache_max_size=1)
        c.wait_for("the domain is online", lambda: suite.passwd("alice"))
        c.run(["getent", "passwd", *(f"user{n}" for n in range(1000))], check=False, timeout=120)
        assert suite.passwd("alice") == ALICE and suite.passwd("user0")
        calls = ask(c, "passwd", "user999")
        assert calls.unavail == calls.calls > 0, calls
        kib = int(c.sh("du -k /var/lib/sss/db/cache_LDAP.mdb").out.split()[0])
        assert kib <= 2048


def test_cache_max_size_when_entries_expire(container):
    """Who expired makes room for others; not who logged in, nor what belongs to them."""
    users = [USERS[0]] + [
        USERS[0]._replace(name=f"user{n}", uid=20000 + n, gecos="x" * 2000) for n in range(500)
    ]
    with container() as c:
        slapd = Slapd(c, entries=(users, GROUPS)).start()
        suite = Suite(c, slapd).start(cache_max_size=1, entry_cache_timeout=2)
        c.wait_for("the domain is online", lambda: suite.passwd("alice"))
        groups = suite.initgroups("alice")
        everybody = [f"user{n}" for n in range(500)]
        for part in range(0, 500, 100):
            c.run(["getent", "passwd", *everybody[part : part + 100]], timeout=120)
            time.sleep(2.5)
        assert suite.passwd("user499") and suite.passwd("user0")
        kib = int(c.sh("du -k /var/lib/sss/db/cache_LDAP.mdb").out.split()[0])
        assert kib <= 2048
        slapd.down()
        assert suite.passwd("alice") == ALICE and suite.initgroups("alice") == groups
        assert suite.passwd("user499") and suite.passwd("user1") is None


def test_offline_timeout_max(container):
    """From 1 s on: 2, 4, 8 s, which are 15 since it was lost; or never more than 2."""

    def online():
        return "LDAP: online" in c.show("sssd.service", "StatusText")

    with container() as c:
        slapd = Slapd(c, entries=(USERS, GROUPS)).start()
        for longest in (None, 2, 0):
            suite = Suite(c, slapd).start(
                offline_timeout=1, offline_timeout_random_offset=0, offline_timeout_max=longest
            )
            c.wait_for("the domain is online", lambda: suite.passwd("alice") and online())
            slapd.down()
            c.wait_for("it is lost", lambda: not suite.passwd("bob") and not online())
            time.sleep(9)
            slapd.up()
            time.sleep(2.6)
            assert online() == (longest is not None), longest
            c.wait_for("it is back", online, timeout=10)
            suite.stop()


def test_client_certificate_and_ciphers(container):
    with container() as c:
        slapd = Slapd(c, security="TLSVerifyClient demand").start()
        authority(c).issue(c, "/srv/ours", ["client.test"], 10)
        c.sh("chmod 755 /srv/ours; chmod 644 /srv/ours/*")
        ours = {"ldap_tls_cert": "/srv/ours/server.pem", "ldap_tls_key": "/srv/ours/server.key"}
        suite = Suite(c, slapd)
        domains = {
            "good": ours,
            "none": {},
            "half": {"ldap_tls_cert": ours["ldap_tls_cert"]},
            "wrong": {**ours, "ldap_tls_key": "/no/such/file"},
            "cipher": {**ours, "ldap_tls_cipher_suite": "NORMAL:-VERS-ALL:+VERS-TLS1.3"},
            "nocipher": {**ours, "ldap_tls_cipher_suite": "NORMAL:-VERS-ALL"},
            "badcipher": {**ours, "ldap_tls_cipher_suite": "no such cipher"},
        }
        text = f"[sssd]\ndomains = {', '.join(domains)}\n"
        for name, options in domains.items():
            text += f"[domain/{name}]\nid_provider = ldap\nldap_uri = ldaps://ldap.test\n"
            text += f"ldap_search_base = {BASE}\nldap_tls_cacert = {CA}\n"
            text += "".join(f"{option} = {value}\n" for option, value in options.items())
        suite.configure(text)
        log = Log(c)
        c.systemctl("enable", "--now", "sssd-nss.socket")
        c.systemctl("start", "sssd.service")
        for name in "good", "cipher":
            c.wait_for(f"{name} answers", lambda: suite.passwd(f"alice@{name}") == ALICE)
        for name in "none", "half", "wrong", "nocipher", "badcipher":
            assert suite.passwd(f"alice@{name}") is None, name
            assert f"domain {name}: offline" in log.text()
