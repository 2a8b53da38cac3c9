"""A list of servers: the next one when one is away, with the position kept."""

import asyncio
import socket

import pytest
from conftest import running

import apus
from apus import _address
from apus._backoff import Backoff, End
from apus._errors import error

#: Nobody listens there.
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def unreachable():
    return End(error=error("UNREACHABLE", "away"))


async def stopped(server):
    """Ends the server as SIGTERM does, which tells its clients."""
    server.process.terminate()
    await asyncio.to_thread(server.process.wait)


async def test_the_next_server_is_used_when_one_goes_away_and_what_may_be_missing_is_said(topic, connect, changes):
    seen = changes()
    async with running("--reconnect-rate", "100000") as second:
        async with running("--reconnect-rate", "100000") as first:
            for server in (first, second):
                server.create(topic)
            client = connect([first.url, second.url], on_state=seen)
            await client.__aenter__()
            subscription = client.subscribe(topic, notices=True)
            await subscription.ready()
            outcome = await client.publish(topic, "of the first")
            assert (await anext(subscription)).position == outcome.position
            await stopped(first)
            # The second has a history and an epoch of its own.
            await seen.until("open", "subscribe")
            assert (await client.publish(topic, "of the second")).epoch != outcome.epoch
            gap, message = await anext(subscription), await anext(subscription)
            assert isinstance(gap, apus.Gap)
            assert (message.payload, message.offset) == ("of the second", 1)
        assert client.address == second.url.removeprefix("http://")
        # Requests go there, too.
        assert (await client.health())["topics"] == 1
        await client.close()


async def test_a_server_that_cannot_be_reached_is_passed_over_at_once(server, topic, connect, changes):
    seen = changes()
    async with connect([NOBODY, NOBODY, server.url], min_delay=60, on_state=seen) as client:
        assert await client.topics.create(topic)
        await client.publish(topic, 1)
    for _ in range(2):
        assert (await seen.until("waiting")).delay == 0
    # Requests alone pass it over as well.
    unentered = apus.Client([NOBODY, server.url])
    assert topic in [each.name for each in await unentered.topics.list()]


async def test_what_keeps_from_all_servers_is_raised_after_the_last(connect):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(apus.ConnectionFailed, match=str(port)):
        async with connect([NOBODY, f"http://127.0.0.1:{port}"]):
            pass


async def test_a_connection_that_breaks_is_made_again_to_the_same_server(server, cutter, topic, connect, changes):
    seen = changes()
    async with connect([cutter.url, NOBODY], on_state=seen) as client:
        await client.topics.create(topic)
        async with client.subscribe(topic) as subscription:
            cutter.cut()
            await seen.until("open", "subscribe")
            await client.publish(topic, 1)
            assert (await anext(subscription)).payload == 1
    assert cutter.accepted >= 3


def test_a_list_begins_with_the_first_and_moves_on_once_for_all_connections():
    servers = _address.parse_all(["http://a", "http://b", "http://c"])
    first, second, third = servers
    for _ in range(2):
        servers.move_on(first)
    assert servers.current == second
    assert list(servers) == [second, third, first]
    servers.move_on(second)
    servers.move_on(third)
    assert servers.current == first


@pytest.mark.parametrize("urls", [[], (), ["http://a", "b"]])
def test_what_is_no_list_of_servers_is_said_so(urls):
    with pytest.raises(ValueError, match="address"):
        apus.Client(urls)


def test_the_client_waits_after_all_servers_were_tried_and_counts_such_rounds(unreachable):
    backoff = Backoff(1, 100, servers=3, random=lambda: 1.0)
    assert [backoff.after(unreachable) for _ in range(9)] == [0, 0, 1, 0, 0, 2, 0, 0, 4]


def test_a_server_that_goes_away_counts_as_tried(unreachable):
    backoff = Backoff(1, 100, servers=2, random=lambda: 1.0)
    shutdown = End(code=1001, reason="SHUTDOWN", retry_after=7.0, was_open=True)
    assert shutdown.moves_on
    assert [backoff.after(shutdown), backoff.after(unreachable), backoff.after(unreachable)] == [7, 2, 0]


def test_the_client_comes_back_when_the_first_server_wants_it_if_all_have_said_when():
    def refused(retry_after):
        failure = error("UNAVAILABLE", "full", status=503, retry_after=retry_after)
        return End(error=failure, retry_after=retry_after)

    backoff = Backoff(1, 100, servers=2, random=lambda: 1.0)
    assert [backoff.after(refused(after)) for after in (5.0, 3.0)] == [0, 3]
    assert [backoff.after(refused(after)) for after in (5.0, None)] == [0, 2]
    assert [backoff.after(refused(after)) for after in (None, 5.0)] == [0, 4]


@pytest.mark.parametrize(
    "end",
    [
        End(code=1006, was_open=True),
        End(code=1008, reason="SLOW_CONSUMER", was_open=True),
        End(error=error("UNAUTHORIZED", "no", status=401)),
        End(error=error("TOKEN_UNAVAILABLE", "no")),
    ],
)
def test_other_ends_do_not_move_on(end):
    assert not end.moves_on
