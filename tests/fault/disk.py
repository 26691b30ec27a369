# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container's disk: full, and what is on it at one instant."""
import pathlib

from load import Processes

# sssd_kcm's caches on the file system that Container(ext4_mib=…) makes.
KCM_ON_EXT4 = {
    "/etc/systemd/system/sssd-kcm.service.d/ext4.conf": "[Service]\nExecStart=\n"
    "ExecStart=/usr/libexec/sssd/sssd_kcm --secrets-dir=/var/lib/sss/db\nInaccessiblePaths=\n",
}


class Ballast:
    """Takes all the room on the ext4 of container c that is left, root's share too, in this block."""

    FILE = "/var/lib/sss/db/ballast"

    def __init__(self, c):
        self.c = c

    def __enter__(self):
        self.more()
        return self

    def more(self):
        self.c.sh(f"cat /dev/zero >>{self.FILE} 2>/dev/null || sync")

    def __exit__(self, *_):
        self.c.sh(f"rm {self.FILE}")


def snapshot(c, path, names):
    """The image as it is at one instant: two copies one after the other that do not differ. Our
    processes of these names stand still meanwhile; the kernel may go on to write what they gave it."""
    processes = Processes(c)
    for name in names:
        processes.kill(name, 19)  # SIGSTOP
    try:
        image, before = pathlib.Path(c.ext4_image), None
        for _ in range(100):
            data = image.read_bytes()
            if data == before:
                break
            before = data
        else:
            raise AssertionError("the file system does not come to rest")
    finally:
        for name in names:
            processes.kill(name, 18)  # SIGCONT
    with open(path, "wb") as file:
        for at in range(0, len(data), 1 << 16):
            block = data[at : at + (1 << 16)]
            if block.strip(b"\0"):
                file.seek(at)
                file.write(block)
        file.truncate(len(data))
