"""Runs `async def` tests under a deadline, and starts what most tests share."""

import asyncio
import inspect
import os

import pytest

from apus_e2e import PATIENCE
from nats import NATSCluster, nodes


def pytest_configure(config):
    if not os.access(os.environ.get("APUS_BIN", ""), os.X_OK):
        raise pytest.UsageError("set APUS_BIN to the path of an apus executable that was built with --traits NATS")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run():
        async with asyncio.timeout(120 * PATIENCE):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


@pytest.fixture(scope="module")
def nats():
    """One NATS server for a file."""
    with NATSCluster() as servers:
        yield servers


@pytest.fixture(scope="module")
def pair(nats):
    """Two nodes for a file."""
    with nodes(2, nats) as running:
        yield running
