#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""sssd_conf from outside: exit status, what it says, what stays. usage: conf_main.py SSSD_CONF"""
import fcntl
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(sys.argv.pop())
DOMAIN = "[domain/{0}]\nid_provider = ldap\nldap_uri = ldap://{0}\n"
GOOD = "[sssd]\nservices = nss\ndomains = A, B\n" + DOMAIN.format("A") + DOMAIN.format("B")


def has_open(pid, name):
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(link).endswith(name):
                return True
        except FileNotFoundError:
            pass  # it was closed meanwhile
    return False


class SssdConf(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("etc/sssd/conf.d", "var/lib/sss"):
            (self.root / name).mkdir(parents=True)
        # Whoever runs the test is the service account.
        account = f"sssd:x:{os.getuid()}:{os.getgid()}::/:\n"
        (self.root / "etc/passwd").write_text(account)

    def put(self, text, name="sssd.conf", mode=0o600):
        path = self.root / "etc/sssd" / name
        path.write_text(text)
        path.chmod(mode)

    def run_conf(self, *args):
        """Exit status, stdout, stderr."""
        env = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
        done = subprocess.run(
            [PROGRAM, "--root", self.root, *args], capture_output=True, text=True, env=env
        )
        return done.returncode, done.stdout, done.stderr

    def compiled(self):
        """{path: content} of all that was compiled."""
        out = self.root / "var/lib/sss/conf"
        return {str(p.relative_to(out)): p.read_text() for p in out.rglob("current")}

    def test_good(self):
        self.put(GOOD)
        status, out, err = self.run_conf("--write")
        self.assertEqual((status, out), (0, ""))
        # A note, no finding: that is so wherever nobody wrote a range.
        self.assertRegex(err, r"\A[^\n]*sssd.conf:3: Domains 'A' and 'B' overlap in the ids [^\n]*\n\Z")
        self.assertEqual(self.run_conf("--services"), (0, "nss\n", ""))
        self.assertIn("be/A/current", self.compiled())

    def test_one_at_a_time(self):
        """The last to begin has read last: nobody fails, and what is in force is one's alone."""
        texts = [GOOD + f"[nss]\nfilter_users = u{i}\n[kcm]\nmax_uid_ccaches = {i}\n" for i in range(1, 5)]
        for i, text in enumerate(texts):
            self.put(text, f"{i}.conf")
        command = [PROGRAM, "--root", self.root, "--write", "--config"]
        for _ in range(20):
            runs = [
                subprocess.Popen([*command, self.root / f"etc/sssd/{i}.conf"], stderr=subprocess.PIPE, text=True)
                for i in range(4)
            ]
            self.assertEqual([(run.communicate()[1].count("cannot"), run.returncode) for run in runs], [(0, 0)] * 4)
            compiled = self.compiled()
            (user,) = re.findall("filter_users = u(.)", compiled["nss/current"])
            self.assertIn(f"max_uid_ccaches = {user}", compiled["kcm/current"])

    def test_waits_for_the_one_before(self):
        self.put(GOOD)
        self.run_conf("--write")
        before = self.compiled()
        self.put(GOOD + "[nss]\nfilter_users = bin\n")
        with open(self.root / "var/lib/sss/conf/.lock", "r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            run = subprocess.Popen([PROGRAM, "--root", self.root, "--write"], stderr=subprocess.PIPE)
            while not has_open(run.pid, ".lock"):
                pass
            time.sleep(0.1)
            self.assertIsNone(run.poll())
            self.assertEqual(self.compiled(), before)
        run.communicate()
        self.assertEqual(run.returncode, 0)
        self.assertNotEqual(self.compiled(), before)

    def test_check_writes_nothing(self):
        self.put(GOOD)
        self.assertEqual(self.run_conf("--check")[0], 0)
        self.assertEqual(self.compiled(), {})

    def test_nothing_configured(self):
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 3)
        self.assertIn("there is no configuration", said)
        self.assertEqual(self.compiled(), {})

    def test_refused_as_a_whole(self):
        cases = (
            (3, "[sssd\n", "sssd.conf:1: No closing bracket"),
            (3, GOOD + "word\n", "sssd.conf:10: Equal sign is missing"),
            (1, GOOD + "[sssd]\nservices = nss1\n", "there is no service 'nss1'"),
            (1, "[sssd]\nservices = nss\n", "No domain is enabled"),
            (1, "[sssd]\ndomains = A\n[domain/A]\n", "sssd.conf:3: Attribute 'id_provider'"),
        )
        self.put(GOOD)
        self.run_conf("--write")
        before = self.compiled()
        for expected, text, words in cases:
            self.put(text)
            status, _, said = self.run_conf("--write")
            self.assertEqual(status, expected, said)
            self.assertIn(words, said)
            self.assertEqual(self.compiled(), before)

    def test_bad_mode(self):
        self.put(GOOD, mode=0o644)
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 3)
        self.assertIn("sssd.conf: it has mode 0644", said)

    def test_bad_snippet_is_told_and_left_out(self):
        self.put(GOOD)
        self.put("[nss]\nword\n", "conf.d/x.conf")
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 0)
        self.assertIn("conf.d/x.conf:2: Equal sign is missing", said)

    def test_a_bad_domain_does_not_start_and_others_do(self):
        self.put(GOOD + "min_id = x\n")
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 0)
        self.assertIn("domain B does not start", said)
        self.assertNotIn("be/B/current", self.compiled())
        self.assertIn("be/A/current", self.compiled())

    def test_reload_loses_no_domain_in_use(self):
        self.put(GOOD)
        self.run_conf("--write")
        before = self.compiled()
        self.put(GOOD + "min_id = x\n[nss]\nfilter_users = bin\n")
        status, _, said = self.run_conf("--write", "--reload")
        self.assertEqual(status, 1)
        self.assertIn("domain B is in use", said)
        self.assertEqual(self.compiled(), before)

        # One that is taken out on purpose goes.
        self.put(GOOD + "enabled = false\n")
        self.assertEqual(self.run_conf("--write", "--reload")[0], 0)
        self.assertNotIn("be/B/current", self.compiled())

    def test_kcm_needs_no_domain(self):
        self.put("[kcm]\nmax_uid_ccaches = 7\n")
        self.assertEqual(self.run_conf("--check")[0], 1)
        self.assertEqual(self.compiled(), {})
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 1)
        self.assertIn("section 'kcm' alone is in force", said)
        self.assertEqual(list(self.compiled()), ["kcm/current"])
        self.assertIn("max_uid_ccaches = 7", self.compiled()["kcm/current"])

    def test_kcm_inherits_from_a_domain(self):
        kcm = "[kcm]\ntgt_renewal_inherit = B\nkrb5_auth_timeout = 3\n"
        krb5 = "krb5_auth_timeout = 9\nkrb5_renew_interval = 1h\n"
        self.put(GOOD + krb5 + kcm)
        self.assertEqual(self.run_conf("--write")[0], 0)
        compiled = self.compiled()["kcm/current"].partition("[kcm]")[2]
        self.assertIn("krb5_renew_interval = 1h", compiled)
        self.assertIn("krb5_auth_timeout = 3", compiled)
        self.assertNotIn("krb5_auth_timeout = 9", compiled)

        self.put(GOOD + krb5.replace("1h", "often") + kcm)
        status, _, said = self.run_conf("--write")
        self.assertEqual(status, 0)
        self.assertIn("'kcm' does not inherit: 'often' is not a number", said)
        self.assertNotIn("renew_interval", self.compiled()["kcm/current"])
        self.put(GOOD + kcm.replace("= B", "= C"))
        self.assertIn("there is no domain 'C'", self.run_conf("--check")[2])

    def test_every_finding_is_told(self):
        self.put(GOOD + "".join(f"no_such_option_{i} = x\n" for i in range(100)))
        self.assertEqual(self.run_conf("--check")[2].count("is not allowed"), 100)

    def test_command_line(self):
        for args in ((), ("--bogus",), ("--write", "--check"), ("--check", "--reload"), ("x",)):
            self.assertEqual(self.run_conf(*args)[0], 1)
        self.assertEqual(self.run_conf("--help")[0], 0)
        self.assertEqual(self.run_conf("--services")[0], 3)
        self.put(GOOD, "other.conf")
        other = str(self.root / "etc/sssd/other.conf")
        self.assertEqual(self.run_conf("--check", "--config", other)[0], 0)


unittest.main()
