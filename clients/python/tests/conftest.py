"""Fixtures, and the hook that runs `async def` tests under a deadline. Tests with a server take it from $APUS_BIN."""

import asyncio
import contextlib
import inspect
import itertools
import os

import pytest
from apus_e2e import PATIENCE, Server
from cli_processes import Cutter

import apus

_numbers = itertools.count()


def pytest_configure(config):
    if not os.access(os.environ.get("APUS_BIN", ""), os.X_OK):
        raise pytest.UsageError("set APUS_BIN to the path of the apus executable")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    marker = pyfuncitem.get_closest_marker("limit")
    seconds = (marker.args[0] if marker else 30) * PATIENCE
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run():
        async with asyncio.timeout(seconds):
            await pyfuncitem.obj(**arguments)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, f"tasks are left behind: {left}"

    asyncio.run(run())
    return True


@pytest.fixture(scope="session")
def server():
    """One server for all tests that do nothing to it but make topics."""
    with Server() as running:
        yield running


@pytest.fixture
def topic():
    """The name of a topic that nobody else uses; it is not there yet."""
    return f"topic-{next(_numbers)}"


@pytest.fixture
def cutter(server):
    """A way to the server whose connections can be cut."""
    with Cutter(server) as running:
        yield running


@pytest.fixture
def connect():
    """Makes clients that come back quickly, and tells of changes: `connect(url)`."""

    def make(url, **options):
        return apus.Client(url, **{"min_delay": 0.01, "max_delay": 0.05} | options)

    return make


@contextlib.asynccontextmanager
async def running(*flags, **options):
    """`Server` for a test whose clients must go on meanwhile, as when it says goodbye to them."""
    server = Server(*flags, **options)
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    except BaseException as fault:
        await asyncio.to_thread(server.__exit__, type(fault), fault, None)
        raise
    await asyncio.to_thread(server.__exit__, None, None, None)


class Changes:
    """The state changes of a client, for tests to wait for."""

    def __init__(self):
        self._seen, self._changed = [], asyncio.Event()

    def __call__(self, change):
        self._seen.append(change)
        self._changed.set()

    async def until(self, state, connection=None):
        """The next change to this state; what came before is forgotten."""
        while True:
            while self._seen:
                change = self._seen.pop(0)
                if change.state == state and connection in (None, change.connection):
                    return change
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
def changes():
    return Changes
