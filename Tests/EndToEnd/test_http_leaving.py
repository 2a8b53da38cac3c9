"""Clients that close their side, or the connection, while an answer waits: one rule, whatever the timing."""

import select
import time
from urllib.parse import quote

import pytest

from apus_e2e import PATIENCE, Client, Server, eventually
from extensions import describe, subscribe, topic_path
from history import offsets, page
from prometheus import scrape
from raw_http import RawHTTP, request
from test_http_framing import alarms, waiting

pytestmark = [pytest.mark.over_tls, pytest.mark.one_server("it is about one process")]

# How long after its request a client closes its side: with it, or when it is at work for sure.
DELAYS = [None, 0, 0.02, 0.3]


@pytest.fixture(scope="module")
def full():
    """A server with so little room that whatever is held shows."""
    with Server("--max-connections", "3") as running:
        running.create("held")
        yield running


def send_and_close(raw, text, delay, close):
    if delay is None:
        raw.send(text[:-1])
        # The end comes with the last byte, in one segment.
        raw.socket.setsockopt(6, 3, 1)
        raw.send(text[-1:])
        close()
        return
    raw.send(text)
    time.sleep(delay)
    close()


@pytest.mark.parametrize("delay", DELAYS)
def test_a_poll_of_a_client_that_closed_its_side_is_answered_at_once(full, delay):
    for _ in range(5):
        with RawHTTP(full) as raw:
            began = time.monotonic()
            send_and_close(raw, request(path="/topics/held/messages?wait=60s&last_n=0"), delay, raw.half_close)
            answer = raw.answer()
            assert answer.status == 200 and b'"messages":[]' in answer.body
            raw.expect_end()
            assert time.monotonic() - began < 30 * PATIENCE
        assert waiting(full) == 0


@pytest.mark.parametrize("delay", DELAYS)
def test_polls_of_clients_that_are_gone_hold_nothing(full, delay):
    for number in range(12):
        raw = RawHTTP(full)
        send_and_close(raw, request(path="/topics/held/messages?wait=60s&last_n=0"), delay,
                       raw.abort if number % 2 else raw.socket.close)
    eventually(lambda: waiting(full) == 0, "nothing waits")
    # There is room again for all.
    raws = [RawHTTP(full) for _ in range(3)]
    for raw in raws:
        raw.send(request(path="/topics/held/messages?wait=60s&last_n=0"))
    eventually(lambda: waiting(full) == 3, "all of them wait")
    for raw in raws:
        raw.socket.close()
    eventually(lambda: waiting(full) == 0, "nothing waits")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("first", [b"", request()], ids=["first", "second"])
def test_a_stream_of_a_client_that_closed_its_side_ends(full, delay, version, first):
    for close in ["half_close", "close", "abort"]:
        raw = RawHTTP(full)
        text = first + request(path="/topics/held/events", version=version)
        send_and_close(raw, text, delay, getattr(raw, close, raw.socket.close))
        if close == "half_close":
            if first:
                assert raw.answer().status == 200
            assert raw.head()[0] == 200
            raw.rest()
            raw.socket.close()
        eventually(lambda: waiting(full) == 0, "nothing waits")


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("text", [
    request(), request("GET", "/topics/held"), request("POST", "/topics", b'{"name":"held"}'), request("HEAD", "/nope"),
    request("POST", "/topics/held/messages", b"1"), request(path="/topics/held/messages?since=all"), request() * 3,
])
def test_a_client_that_closed_its_side_gets_answers_that_need_no_waiting(full, delay, text):
    with RawHTTP(full) as raw:
        send_and_close(raw, text, delay, raw.half_close)
        for _ in range(text.count(b" HTTP/1.1")):
            assert raw.answer(is_head=text.startswith(b"HEAD")).status in (200, 201, 404, 409)
        raw.expect_end()


async def throttled(server, topic):
    """A subscriber that reads nothing, so that a publish has to wait; it must be kept."""
    client = await Client.open(server, max_queue=1)
    await subscribe(client, topic, overflow="throttle", queue=1)
    client.connection.transport.pause_reading()
    return client


@pytest.mark.parametrize("close", ["half_close", "close", "abort"])
@pytest.mark.parametrize("delay", [None, 0.3])
async def test_a_publish_that_has_to_wait_is_given_up_with_its_client(server, topic, delay, close):
    client = await throttled(server, topic)
    body = b'"' + b"x" * 500_000 + b'"'

    def publish():
        return request("POST", topic_path(topic, "/messages"), body)
    def throttled_publishers():
        return scrape(server)["apus_throttled_publishers"]
    with RawHTTP(server) as waits:
        taken = 0
        while True:
            waits.send(publish())
            eventually(lambda: select.select([waits.socket], [], [], 0.01)[0] or throttled_publishers() == 1, "an answer or not")
            if not select.select([waits.socket], [], [], 0)[0]:
                break
            assert waits.answer().status == 201
            taken += 1
        raw = RawHTTP(server)
        send_and_close(raw, publish(), delay, getattr(raw, close, raw.socket.close))
        if close == "half_close":
            answer = raw.answer()
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
            raw.expect_end()
        eventually(lambda: throttled_publishers() == 1, "only who is there waits")
    eventually(lambda: throttled_publishers() == 0, "nobody waits")
    assert describe(server, topic)["last"] == taken
    client.connection.transport.abort()
    assert alarms(server) == ([], set())


async def test_a_poll_that_was_given_up_is_not_told_of(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, presence=True)
        with RawHTTP(server) as raw:
            raw.send(request(path=topic_path(topic, "/messages?wait=60s&last_n=0")))
            raw.half_close()
            assert raw.answer().status == 200
        await client.expect_alive()
    assert offsets(page(server, topic)) == []
    assert server.rest("GET", f"/topics/{quote(topic)}/subscribers").json["subscribers"] == []
