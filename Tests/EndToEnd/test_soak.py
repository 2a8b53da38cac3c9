"""The soak in short: see soak/README.md. By command, as it wants the machine to itself: `APUS_SOAK=1`."""

import os

import pytest

from soak.world import World

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


@pytest.mark.skipif(os.environ.get("APUS_SOAK") != "1", reason="by command: APUS_SOAK=1")
@pytest.mark.limit(120)
async def test_after_everything_at_once_the_books_add_up_and_nothing_is_left():
    world = World(seconds=2)
    await world.run()
    assert not world.failures, "\n".join(world.failures)
