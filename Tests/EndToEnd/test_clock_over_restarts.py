"""A wall clock that is another one after a restart: lifetimes go by it, and nothing else does."""

import pytest

from apus_e2e import Client, Server
from extensions import acked, configure, describe, new_message, position, publish, receive_events, subscribe
from history import page
from stepped_clock import ahead

pytestmark = [pytest.mark.plain("certificates are for the time of today"),
              pytest.mark.one_server("it is about a server's own folder")]

# What each topic keeps its messages for, in hours; `None` for as long as there is room.
LIFETIMES = {"lasting": None, "short": {"ttl": "30m"}, "long": {"ttl": "3h"}, "young": {"history_age": "30m"},
             "old": {"history_age": "3h"}}


def told(server, topic, **query):
    found = page(server, topic, limit=1000, **(query or {"since": "all"}))
    return [message["message"]["payload"] for message in found["messages"]]


async def send_again(client, message):
    """Publishes what was published before; whether it was recognized, and its offset."""
    await client.send(type="publish", topic="once", message=message, outcome=True)
    ack = acked(await client.receive(), "once")
    return ack.get("duplicate", False), ack["offset"]


# By how many hours the clock is ahead at the second start, and which topics still have their messages then.
@pytest.mark.parametrize(("hours", "kept"), [
    (0, {"lasting", "short", "long", "young", "old"}),
    (1, {"lasting", "long", "old"}),
    (-1, {"lasting", "short", "long", "young", "old"}),
    (24, {"lasting"}),
    (-24 * 365, {"lasting", "short", "long", "young", "old"}),
])
async def test_after_a_restart_lifetimes_go_by_the_clock_of_the_wall(tmp_path, hours, kept):
    data = ("--data", str(tmp_path / "data"))
    with Server(*data) as server:
        for topic, lifetime in LIFETIMES.items():
            configure(server, topic, **(lifetime or {}))
        configure(server, "once", dedupe_window="30m")
        once, seen = new_message("once"), {}
        async with await Client.open(server) as client:
            assert await send_again(client, once) == (False, 1)
            for topic in LIFETIMES:
                for number in range(3):
                    _, seen[topic] = await publish(client, topic, number)
    with Server(*data, env=ahead(hours)) as server:
        for topic in LIFETIMES:
            assert told(server, topic) == ([0, 1, 2] if topic in kept else []), topic
        async with await Client.open(server) as client:
            # Positions and offsets have nothing to do with clocks.
            for topic in LIFETIMES:
                ack = await subscribe(client, topic, since=position(seen[topic]), positions=True)
                assert (ack["recovered"], ack["offset"]) == (True, 3), topic
                await client.send_publish(topic, "next", outcome=True)
                # Its ack and its event.
                assert acked(await client.receive(), topic)["offset"] == 4
                event, = await receive_events(client, topic, 1)
                assert (event["offset"], event["message"]["payload"]) == (4, "next")
            assert told(server, "lasting", since="10m")[-1] == "next"
            recognized, offset = await send_again(client, once)
            assert (recognized, offset) == ((True, 1) if hours < 0.5 else (False, 2))
        before = {topic: told(server, topic) for topic in LIFETIMES}
    # With the clock as it was, nothing is missing, unless its time is over now.
    with Server(*data) as server:
        for topic, lifetime in LIFETIMES.items():
            assert describe(server, topic)["last"] == 4
            if lifetime is None or hours >= 0:
                assert set(told(server, topic)) >= set(before[topic]) >= {"next"}, topic
