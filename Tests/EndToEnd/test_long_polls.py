"""Waiting for messages over HTTP: extensions.md section 6."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from apus_e2e import PATIENCE, Client
from extensions import configure
from history import fill, get, offsets, page, post

pytestmark = [pytest.mark.over_tls, pytest.mark.over_cluster]


def answer_later(server, topic, **query):
    """A long-poll under way; its answer comes from `result()`."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(page, server, topic, **query)
    pool.shutdown(wait=False)
    return future


async def test_a_long_poll_is_answered_by_the_next_publish(server, topic):
    epoch = await fill(server, topic, 3)
    for number in range(4, 8):
        poll = answer_later(server, topic, after=number - 1, epoch=epoch, wait="20s")
        began = time.monotonic()
        await asyncio.sleep(0.05)
        assert not poll.done()
        post(server, topic, str(number))
        told = await asyncio.wrap_future(poll)
        assert offsets(told) == [number] and told["next"] == number
        assert time.monotonic() - began < 5 * PATIENCE


async def test_a_long_poll_is_answered_at_once_where_there_is_something_and_empty_when_time_is_up(server, topic):
    epoch = await fill(server, topic, 3)
    began = time.monotonic()
    assert offsets(page(server, topic, after=1, epoch=epoch, wait="20s")) == [2, 3]
    assert time.monotonic() - began < 5 * PATIENCE
    told = page(server, topic, after=3, epoch=epoch, wait="300ms")
    assert (told["messages"], told["next"]) == ([], 3)
    assert time.monotonic() - began >= 0.3


async def test_many_long_polls_are_all_answered(server, topic):
    epoch = await fill(server, topic, 1)
    with ThreadPoolExecutor(30) as pool:
        polls = [pool.submit(page, server, topic, after=1, epoch=epoch, wait="20s") for _ in range(30)]
        await asyncio.sleep(0.2)
        post(server, topic, "2")
        assert [offsets(poll.result(10 * PATIENCE)) for poll in polls] == [[2]] * 30


async def test_a_long_poll_ends_with_its_topic(server, topic):
    epoch = await fill(server, topic, 1)
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(get, server, topic, after=1, epoch=epoch, wait="20s")
        await asyncio.sleep(0.1)
        began = time.monotonic()
        server.delete(topic)
        assert poll.result(10 * PATIENCE).status in (200, 404)
        assert time.monotonic() - began < 5 * PATIENCE


async def test_a_client_of_long_polls_misses_nothing_of_a_storm(server, topic):
    count = 400
    configure(server, topic, history=count)
    seen, told = [], page(server, topic)

    def poll():
        after = told["next"]
        while len(seen) < count:
            following = page(server, topic, after=after, epoch=told["epoch"], wait="5s", limit=50)
            assert following.get("recovered", True) is True
            seen.extend(element["message"]["payload"] for element in following["messages"])
            after = following["next"]
    thread = threading.Thread(target=poll)
    thread.start()
    async with await Client.open(server) as client:
        for number in range(count):
            await client.publish(topic, number)
            await asyncio.sleep(0.001)
    await asyncio.to_thread(thread.join, 20 * PATIENCE)
    assert seen == list(range(count))
