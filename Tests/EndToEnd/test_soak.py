"""The soak in short: see soak/README.md."""

import pytest

from soak.world import World


@pytest.mark.limit(120)
async def test_after_everything_at_once_the_books_add_up_and_nothing_is_left():
    world = World(seconds=2, burst=14)
    await world.run()
    assert not world.failures, "\n".join(world.failures)
