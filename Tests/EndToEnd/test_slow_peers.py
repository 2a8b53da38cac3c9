"""Connections that are slow and never pause: they are alive, whatever stands before their pongs."""

import json
import threading
import time

import pytest

from apus_e2e import Server
from extensions import configure, new_message
from flood import KIB, TINY_WINDOW
from raw_websocket import CLOSE, PING, PONG, TEXT, RawWebSocket, frame

pytestmark = pytest.mark.one_server("it is about one process")

# What is done here takes several times as long as a peer may be silent.
IMPATIENT = ("--ping-interval", "200ms", "--pong-timeout", "200ms", "--throttle-timeout", "400ms",
             "--close-timeout", "300ms", "--history", "1000", "--topics-on-delete", "disconnect")
# Messages, the size of each, a receive buffer, and the pause after each message.
IN_THE_KERNEL = ("small", 150, 2 * KIB, TINY_WINDOW, 0.005)
MORE_THAN_IT_TAKES = ("large", 800, 8 * KIB, None, 0.001)


def publish(server, topic, count, size):
    """Publishes messages that all have the same size."""
    with RawWebSocket.open(server) as raw:
        for _ in range(count):
            raw.command(type="publish", topic=topic, message=new_message("x" * size))
            assert raw.read_message()["type"] == "ack"


def read_slowly(raw, count, pause):
    """Takes so many events one after the other, and answers pings when it comes to them; other messages are left out."""
    while count > 0:
        received = raw.read_frame()
        assert received.opcode != CLOSE, received.close
        if received.opcode == PING:
            raw.send(frame(PONG, received.payload))
        elif json.loads(received.payload)["type"] == "event":
            count -= 1
            time.sleep(pause)


@pytest.fixture(scope="module")
def impatient():
    with Server(*IMPATIENT) as server:
        for topic, count, size, _, _ in (IN_THE_KERNEL, MORE_THAN_IT_TAKES):
            server.create(topic)
            publish(server, topic, count, size)
        yield server


def test_a_long_message_that_drips_in_is_taken(impatient):
    with RawWebSocket.open(impatient) as raw:
        data = frame(TEXT, json.dumps({"type": "publish", "topic": "small", "message": new_message("x" * 64 * KIB)}))
        for start in range(0, len(data), 5 * KIB):
            raw.send(data[start:start + 5 * KIB])
            time.sleep(0.05)
        message = raw.read_message()
        assert (message["type"], message["topic"]) == ("ack", "small"), message


@pytest.mark.parametrize("overflow, replay", [
    ("drop-oldest", IN_THE_KERNEL), ("throttle", IN_THE_KERNEL), ("disconnect", MORE_THAN_IT_TAKES),
])
def test_a_replay_to_a_slow_reader_comes_to_its_end(impatient, overflow, replay):
    topic, count, _, window, pause = replay
    with RawWebSocket.open(impatient, receive_buffer=window) as raw:
        raw.subscribe(topic, last_n=count, overflow=overflow)
        read_slowly(raw, count, pause)
        raw.expect_pong("still here")


def test_a_slow_reader_of_an_event_stream_is_not_cut(impatient):
    topic, count, size, _, pause = MORE_THAN_IT_TAKES
    with RawWebSocket(impatient) as raw:
        raw.send(f"GET /topics/{topic}/events?last_n={count} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        seen, mark = b"", b"event: message"
        while count > 0:
            seen += raw.take(size)
            count -= seen.count(mark)
            # One that is cut in two is counted when its end is there.
            seen = seen[1 - len(mark):]
            time.sleep(pause)


def test_a_slow_reader_that_publishers_wait_for_is_not_cut(impatient):
    configure(impatient, "waiting", queue=4, overflow="throttle")
    with RawWebSocket.open(impatient, receive_buffer=TINY_WINDOW) as raw:
        raw.subscribe("waiting")
        publisher = threading.Thread(target=publish, args=(impatient, "waiting", 40, 256 * KIB))
        publisher.start()
        read_slowly(raw, 40, 0.02)
        publisher.join()
        raw.expect_pong("still here")


def test_a_slow_reader_gets_what_was_sent_before_the_close(impatient):
    topic, count, size, _, pause = MORE_THAN_IT_TAKES
    with RawWebSocket.open(impatient) as raw:
        raw.subscribe(topic, last_n=count)
        assert impatient.delete(topic).status == 200
        read_slowly(raw, count, pause)
        assert raw.read_message()["msg"] == "topic_deleted"
        raw.expect_close(1000, reason="TOPIC_DELETED")
