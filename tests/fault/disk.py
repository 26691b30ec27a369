# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is on a container's disk at one instant."""
import pathlib

from load import Processes


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
