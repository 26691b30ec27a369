# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real MIT KDC in container c, on its loopback: the realm TEST.

    kdc = Kdc(c).start()
    kdc.add("alice")                                  # password: the name
    kdc.add("host/www", password=None)                # a random key
"""

REALM = "TEST"
KRB5_CONF = """\
[libdefaults]
    default_realm = TEST
    default_ccache_name = KCM:
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
[realms]
    TEST = {
        kdc = 127.0.0.1:88
        kpasswd_server = 127.0.0.1:464
    }
"""
KDC_CONF = """\
[kdcdefaults]
    kdc_ports = 88
    kdc_tcp_ports = 88
[realms]
    TEST = {
        database_name = /var/lib/krb5kdc/principal
        key_stash_file = /var/lib/krb5kdc/stash
        max_life = 10h
        max_renewable_life = 7d
        supported_enctypes = aes256-cts:normal
    }
"""


class Kdc:
    def __init__(self, c):
        self.c = c

    def start(self):
        """Makes the realm and serves it. Returns self."""
        c = self.c
        c.write("/etc/krb5.conf", KRB5_CONF)
        c.write("/etc/krb5kdc/kdc.conf", KDC_CONF)
        c.sh("mkdir -p /var/lib/krb5kdc; kdb5_util create -s -r TEST -P master")
        return self.up()

    def up(self):
        """Serves the realm, again after down() or a reboot. Returns self."""
        self.c.sh("systemd-run --quiet --unit=test-kdc krb5kdc -n")
        self.c.wait_for("the KDC answers", lambda: self.c.sh("ss -ltnH 'sport = :88'").out)
        return self

    def down(self):
        self.c.systemctl("stop", "test-kdc")

    def add(self, *names, password=True, options=""):
        """Adds principals; the password is the name, or a random key with password=None."""
        script = "".join(
            f"addprinc {options} {f'-pw {name}' if password else '-randkey'} {name}\n"
            for name in names
        )
        self.c.run(["kadmin.local"], input=script, env={"KRB5CCNAME": "MEMORY:"})

    def kinit(self, name, *options, user, **more):
        """kinit(1) as that user of the container."""
        return self.c.run(["kinit", *options, name], user=user, input=name + "\n", **more)
