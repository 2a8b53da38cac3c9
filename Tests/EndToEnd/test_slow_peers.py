"""Connections that are slow and never pause: they are alive, whatever stands before their pongs."""

import json
import threading
import time

import pytest

from apus_e2e import PATIENCE, Server, eventually
from extensions import configure, new_message
from flood import KIB, TINY_WINDOW
from raw_websocket import CLOSE, PING, PONG, TEXT, RawWebSocket, frame

# All that is done here takes several times as long as a peer may be silent.
IMPATIENT = ("--ping-interval", "200ms", "--pong-timeout", "200ms")


def publish(server, topic, count, size):
    """Publishes messages that all have the same size."""
    payload = "x" * size
    with RawWebSocket.open(server) as raw:
        for _ in range(count):
            raw.command(type="publish", topic=topic, message=new_message(payload))
            assert raw.read_message()["type"] == "ack"


def read_slowly(raw, count, pause):
    """Takes so many messages one after the other, and answers pings when it comes to them; other messages are left out."""
    while count > 0:
        received = raw.read_frame()
        assert received.opcode != CLOSE, received.close
        if received.opcode == PING:
            raw.send(frame(PONG, received.payload))
        elif json.loads(received.payload)["type"] == "event":
            count -= 1
            time.sleep(pause)


def test_a_long_message_that_drips_in_is_taken():
    with Server(*IMPATIENT) as server:
        server.create("t")
        with RawWebSocket.open(server) as raw:
            command = {"type": "publish", "topic": "t", "message": new_message("x" * 64 * KIB)}
            data = frame(TEXT, json.dumps(command))
            for start in range(0, len(data), 3 * KIB):
                raw.send(data[start:start + 3 * KIB])
                time.sleep(0.05)
            message = raw.read_message()
            assert (message["type"], message["topic"]) == ("ack", "t"), message


@pytest.mark.parametrize("overflow", ["drop-oldest", "throttle", "disconnect"])
@pytest.mark.parametrize("count, size, window, pause", [
    (300, 2 * KIB, TINY_WINDOW, 0.005), (1000, 8 * KIB, None, 0.001),
], ids=["in the kernel", "more than the kernel takes"])
def test_a_replay_to_a_slow_reader_comes_to_its_end(overflow, count, size, window, pause):
    with Server(*IMPATIENT, "--history", "1000", "--throttle-timeout", "300ms") as server:
        server.create("t")
        publish(server, "t", count, size)
        with RawWebSocket.open(server, receive_buffer=window) as raw:
            raw.subscribe("t", last_n=count, overflow=overflow)
            read_slowly(raw, count, pause)
            raw.expect_pong("still here")


def test_a_slow_reader_that_publishers_wait_for_is_not_cut():
    with Server(*IMPATIENT, "--throttle-timeout", "400ms") as server:
        configure(server, "t", queue=4, overflow="throttle")
        with RawWebSocket.open(server, receive_buffer=TINY_WINDOW) as raw:
            raw.subscribe("t")
            publisher = threading.Thread(target=publish, args=(server, "t", 60, 256 * KIB))
            publisher.start()
            read_slowly(raw, 60, 0.02)
            publisher.join()
            raw.expect_pong("still here")


def test_a_slow_reader_gets_what_was_sent_before_the_close():
    with Server("--history", "1000", "--close-timeout", "300ms", "--topics-on-delete", "disconnect") as server:
        server.create("t")
        publish(server, "t", 1000, 8 * KIB)
        with RawWebSocket.open(server) as raw:
            raw.subscribe("t", last_n=1000)
            assert server.delete("t").status == 200
            read_slowly(raw, 1000, 0.001)
            assert raw.read_message()["msg"] == "topic_deleted"
            raw.expect_close(1000, reason="TOPIC_DELETED")


def test_a_slow_reader_of_an_event_stream_is_not_cut():
    with Server(*IMPATIENT, "--history", "1000") as server:
        server.create("t")
        publish(server, "t", 1000, 8 * KIB)
        with RawWebSocket(server) as raw:
            raw.send(b"GET /topics/t/events?last_n=1000 HTTP/1.1\r\nHost: x\r\n\r\n")
            seen = b""
            count = 0
            while count < 1000:
                seen += raw.take(8 * KIB)
                count += seen.count(b"event: message")
                # A name that is cut in two is counted when its end is there.
                seen = seen[-len(b"event: message") + 1:]
                time.sleep(0.001)


def test_a_reader_that_stops_in_the_midst_is_let_go():
    with Server(*IMPATIENT) as server:
        server.create("t")
        publish(server, "t", 100, 8 * KIB)
        with RawWebSocket.open(server, receive_buffer=TINY_WINDOW) as raw:
            raw.subscribe("t", last_n=100)
            # Some seconds later than one that has nothing to read.
            eventually(lambda: server.subscribers("t") == 0, "gone", 30 * PATIENCE)
