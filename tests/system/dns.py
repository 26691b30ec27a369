# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real name server (dnsmasq) in the container, on its loopback only.

    dns = Dns(c)                                     in the place of /etc/resolv.conf
    dns.serve(("ldap1.corp.test", "127.0.0.2"), srv=[("corp.test", 0, 10, 389, "ldap1.corp.test")])
    dns.queries()                                    ["SRV _ldap._tcp.corp.test", …] since then
    dns.down()                                       nobody listens
    dns.pause()                                      questions get no answer
"""

UNIT = "test-dns.service"
LOG = "/run/test-dns.log"


class Dns:
    def __init__(self, c):
        self.c = c
        c.write(
            f"/run/systemd/system/{UNIT}",
            "[Unit]\nStartLimitIntervalSec=0\n"
            "[Service]\nExecStart=/usr/sbin/dnsmasq -k -C /run/test-dns.conf\n",
        )
        c.systemctl("daemon-reload")
        c.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")

    def serve(self, *hosts, srv=(), service="ldap", ttl=300):
        """hosts are (name, address), several times the same name for several addresses; srv are
        (domain, priority, weight, port, host)."""
        lines = [
            "no-resolv",
            "no-hosts",
            "listen-address=127.0.0.1",
            "bind-interfaces",
            "user=root",
            "log-queries",
            f"log-facility={LOG}",
            "local=/test/",
            f"local-ttl={ttl}",
        ]
        lines += [f"host-record={name},{address}" for name, address in hosts]
        lines += [
            f"srv-host=_{service}._tcp.{domain},{host},{port},{priority},{weight}"
            for domain, priority, weight, port, host in srv
        ]
        self.c.write("/run/test-dns.conf", "\n".join(lines) + "\n")
        self.c.run(["rm", "-f", LOG])
        self.c.systemctl("restart", UNIT)
        self.c.wait_for("a name server", lambda: ":53 " in self.c.sh("ss -Hlun").out)

    def queries(self):
        words = [line.split("query[")[1] for line in self.c.read(LOG).splitlines() if "query[" in line]
        return [text.split(" from ")[0].replace("] ", " ") for text in words]

    def down(self):
        self.c.systemctl("stop", UNIT)

    def pause(self):
        self.c.systemctl("kill", "--signal=STOP", UNIT)

    def resume(self):
        self.c.systemctl("kill", "--signal=CONT", UNIT)
