"""Fixtures, and the hook that runs `async def` tests under a deadline."""

import asyncio
import inspect
import itertools
import os
import resource

import pytest

from across import Cluster
from apus_e2e import BASE, DEFLATED, OVER_CLUSTER, OVER_TLS, PATIENCE, V1, Server

FILES = 65_536
_numbers = itertools.count()


def pytest_configure(config):
    if not os.access(os.environ.get("APUS_BIN", ""), os.X_OK):
        raise pytest.UsageError("set APUS_BIN to the path of the apus executable")
    if OVER_CLUSTER:
        Server.cluster = Cluster()
    # Many clients in one process, and a server that inherits the limit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def pytest_unconfigure():
    if Server.cluster:
        Server.cluster.stop()


def pytest_make_parametrize_id(val, argname):
    """Bytes differ from run to run (masks, gzip's clock), and parallel runs must agree on how a test is called."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items):
    for switch, name in ((OVER_TLS, "plain"), (OVER_CLUSTER, "one_server")):
        for item in items if switch else []:
            if marker := item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {marker.args[0]}"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    marker = pyfuncitem.get_closest_marker("limit")
    seconds = (marker.args[0] if marker else 60) * PATIENCE
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run():
        async with asyncio.timeout(seconds):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


@pytest.fixture(scope="module")
def server():
    """One server with the default settings for a whole file: what one test does to it must not disturb the next.

    Whatever can be compressed is, for clients that ask for it.
    """
    with Server("--compression-min-size", "0") as running:
        yield running


@pytest.fixture(params=[BASE, V1, DEFLATED], ids=["base", "v1", "compressed"])
def dialect(request):
    return request.param


@pytest.fixture
def topic(server):
    """The name of a fresh topic."""
    name = f"topic-{next(_numbers)}"
    assert server.create(name).status == 201
    return name
