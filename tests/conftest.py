# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in system/ and fault/ share. README.md tells how to write one."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "system"))

pytest.register_assert_rewrite("table", "suite", "load", "metrics", "watch")

from container import Container, ContainerError  # noqa: E402
from image import ImageError  # noqa: E402
from slapd import Slapd  # noqa: E402
from suite import Suite, ours  # noqa: E402


@pytest.fixture(scope="session")
def container():
    """The class, with our programs installed: container() boots one, for tests that change what all
    share or that boot themselves. Ends with `with`."""

    def make(**how):
        how.setdefault("install", [ours()])
        return Container(**how)

    return make


@pytest.fixture(scope="module")
def machine(container):
    """A container with our programs and nothing configured; one for each test file."""
    try:
        with container() as c:
            yield c
    except (ContainerError, ImageError) as problem:
        pytest.fail(f"the test container did not run: {problem}", pytrace=False)


@pytest.fixture(scope="module")
def slapd(machine):
    """The sample directory, in the module's container."""
    return Slapd(machine).start()


@pytest.fixture(scope="module")
def suite(machine, slapd):
    """The suite, started against the sample directory over ldaps."""
    return Suite(machine, slapd).start()


@pytest.fixture(autouse=True)
def _nothing_failed(request):
    """After every test that had a machine: no unit of it has failed."""
    yield
    if "machine" in request.fixturenames and "may_fail" not in request.keywords:
        assert request.getfixturevalue("machine").failed_units() == []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of the container's journal: the reason is usually there."""
    report = (yield).get_result()
    if report.when == "call" and report.failed and "machine" in item.fixturenames:
        journal = item.funcargs["machine"].journal("-n", "40")
        report.sections.append(("journal of the container", journal))


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "may_fail: units of the machine may be in the state failed afterwards"
    )
