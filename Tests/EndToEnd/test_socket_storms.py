"""Sockets in numbers: resets at every moment, more clients than files, load of both kinds, and the end in the midst of it."""

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from apus_e2e import PATIENCE, Client, Server, eventually
from extensions import topic_path
from prometheus import scrape
from raw_websocket import TEXT, RawWebSocket, command, frame, upgrade_request
from test_sockets import publishing, subscription

pytestmark = pytest.mark.one_server("it is about one process")

RESETS, BATCH = 2000, 50


@pytest.fixture(scope="module", params=["1", "2"])
def stormy(request):
    # A socket that is closed but still counted would soon leave no room.
    # And a publisher that is slow over TLS would be told that the server is there.
    with Server("--threads", request.param, "--heartbeat", "0", files=400) as running:
        running.create("t")
        yield running


def nothing_is_left(server, files):
    """No connection, no subscription, and no more files than before but for this request's own."""
    told = scrape(server)
    return (told["apus_connections"], told["apus_subscriptions"]) == (0, 0) and server.open_files <= files


def settled_files(server):
    """How many files the server has open when it serves nobody, all that it opens once being open."""
    for _ in range(20):
        assert server.rest("GET", "/health").status == 200
        with RawWebSocket.open(server):
            pass
    eventually(lambda: scrape(server)["apus_connections"] == 0, "all gone")
    counts = []

    def same():
        counts.append(server.open_files)
        time.sleep(0.05)
        return len(counts) > 4 and len(set(counts[-4:])) == 1
    eventually(same, "no more files are opened or closed")
    # The request for metrics may still be closing when the files are counted.
    return counts[-1] + 1


def handshake(raw):
    assert raw.request(upgrade_request())[0] == 101


def subscribed(raw):
    handshake(raw)
    raw.subscribe("t")


MOMENTS = {
    "right after connect": lambda raw: None,
    "in the middle of a handshake": lambda raw: raw.send(upgrade_request()[:60]),
    "in the middle of a request": lambda raw: raw.send(b"GET /health HTTP/1.1\r\n"),
    "in the middle of a body": lambda raw: raw.send(b"POST /topics HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"),
    "behind a request": lambda raw: raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "behind a handshake": lambda raw: raw.send(upgrade_request()),
    "right after the handshake": handshake,
    "behind a subscription": lambda raw: raw.send(upgrade_request() + subscription("t")),
    "in the middle of a frame": lambda raw: (subscribed(raw), raw.send(frame(TEXT, "x" * 500)[:100])),
    "behind a handshake after a request": lambda raw: (
        raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), raw.read_response(), raw.send(upgrade_request())),
    "in an event stream": lambda raw: raw.send(b"GET /topics/t/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


def reset_all(server, prepare, count):
    for _ in range(count // BATCH):
        batch = [RawWebSocket(server) for _ in range(BATCH)]
        for raw in batch:
            prepare(raw)
        for raw in batch:
            raw.abort()


@pytest.mark.parametrize("moment", MOMENTS)
def test_resets_leave_nothing_behind(stormy, moment):
    files = settled_files(stormy)
    reset_all(stormy, MOMENTS[moment], RESETS)
    eventually(lambda: nothing_is_left(stormy, files), f"all gone: {stormy.open_files} files, {files} before",
               20 * PATIENCE)
    with RawWebSocket.open(stormy) as raw:
        raw.subscribe("t")
        raw.expect_pong("fine")


def test_resets_while_there_are_events_for_the_socket_leave_nothing_behind(stormy):
    files, stop = settled_files(stormy), threading.Event()

    def publish():
        with RawWebSocket.open(stormy) as raw:
            while not stop.is_set():
                raw.send(publishing("t", "x" * 2000) * 20)
                for _ in range(20):
                    assert raw.read_message()["type"] == "ack"
            raw.abort()
    with ThreadPoolExecutor(1) as pool:
        publisher = pool.submit(publish)
        try:
            reset_all(stormy, subscribed, RESETS // 2)
            reset_all(stormy, lambda raw: raw.send(upgrade_request() + subscription("t")), RESETS // 2)
        finally:
            stop.set()
        publisher.result()
    eventually(lambda: nothing_is_left(stormy, files), f"all gone: {stormy.open_files} files, {files} before",
               20 * PATIENCE)
    with RawWebSocket.open(stormy) as raw:
        raw.expect_pong("fine")


@pytest.mark.plain("clients that are not accepted cannot begin TLS")
def test_clients_beyond_the_limit_of_open_files_wait_and_are_served_once_others_leave():
    with Server("--threads", "1", "--handshake-timeout", "60s", files=200) as server:
        server.create("t")
        waiting = [RawWebSocket(server, timeout=20 * PATIENCE) for _ in range(300)]
        for raw in waiting:
            raw.send(upgrade_request())
        # They are accepted in their order; the first get in, and the rest one by one as those leave.
        served = 0
        while waiting:
            raw = waiting.pop(0)
            assert raw.request(b"")[0] == 101
            raw.expect_pong("in")
            assert server.open_files <= 200
            served += 1
            if served == 20:
                with pytest.raises(TimeoutError):
                    waiting[-1].socket.settimeout(0.3)
                    waiting[-1].socket.recv(1)
                waiting[-1].socket.settimeout(20 * PATIENCE)
            raw.socket.close()
        eventually(lambda: scrape(server)["apus_connections"] == 0, "all gone")
        assert sum("new clients wait: there are as many connections as files allow" in line for line in server.log) == 1


def test_connections_are_spread_evenly_over_the_loops():
    with Server("--threads", "2") as server:
        count, before = 60, registered(server)
        sockets = [RawWebSocket.open(server) for _ in range(count)]
        grown = [after - before.get(epoll, 0) for epoll, after in registered(server).items()]
        # The loops of HTTP may have come up in between.
        assert sorted(grown)[-2:] == [count // 2, count // 2]
        for raw in sockets:
            raw.socket.close()


def registered(server):
    """How many descriptors each epoll of the process watches."""
    folder, counts = f"/proc/{server.process.pid}", {}
    for name in os.listdir(f"{folder}/fd"):
        # What was open for a moment only may be closed by now.
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"{folder}/fd/{name}") == "anon_inode:[eventpoll]":
                with open(f"{folder}/fdinfo/{name}") as info:
                    counts[name] = sum(line.startswith("tfd:") for line in info)
    return counts


# Both kinds of load at once


def publish_over_http(server, name, until, sent):
    connection = server.http()
    number = 0
    while time.monotonic() < until:
        body = json.dumps([name, number]).encode()
        connection.request("POST", topic_path("t", "/messages"), body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == 201
        number += 1
    connection.close()
    sent[name] = number


async def publish_over_websocket(server, name, until, sent):
    async with await Client.open(server) as client:
        number = 0
        while time.monotonic() < until:
            for _ in range(5):
                await client.send_publish("t", [name, number])
                number += 1
            for _ in range(5):
                assert (await client.receive())["type"] == "ack"
        sent[name] = number


async def read_all(client, seen):
    while True:
        payload = (await client.receive())["message"]["payload"]
        if payload == "end":
            return
        seen.append(tuple(payload))


@pytest.mark.limit(120)
@pytest.mark.parametrize("threads", ["1", "2"])
async def test_ten_seconds_of_both_kinds_of_load_lose_nothing_and_keep_one_order(threads):
    with Server("--threads", threads, "--queue", "1000000") as server:
        server.create("t")
        readers = [await Client.open(server) for _ in range(4)]
        for reader in readers:
            await reader.subscribe("t")
        seen, sent, until = [[] for _ in readers], {}, time.monotonic() + 10
        reading = [asyncio.create_task(read_all(reader, lane)) for reader, lane in zip(readers, seen)]
        await asyncio.gather(
            *(asyncio.to_thread(publish_over_http, server, f"h{number}", until, sent) for number in range(3)),
            *(publish_over_websocket(server, f"w{number}", until, sent) for number in range(3)))
        async with await Client.open(server) as last:
            await last.publish("t", "end")
        await asyncio.gather(*reading)
        assert len(sent) == 6 and all(sent.values())
        assert sorted(seen[0]) == sorted((name, number) for name, count in sent.items() for number in range(count))
        for name, count in sent.items():
            assert [number for who, number in seen[0] if who == name] == list(range(count))
        assert all(lane == seen[0] for lane in seen)
        for reader in readers:
            await reader.connection.close()


# The end in the midst of it


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_server_that_is_told_to_end_does_not_wait_for_who_has_not_said_what_it_wants(threads):
    with Server("--threads", threads, "--drain-timeout", "20s") as server:
        server.create("t")
        starts = [b"", b"G", upgrade_request()[:-1], b"GET /health HTTP/1.1\r\n"]
        pending = [RawWebSocket(server) for _ in range(40)]
        for number, raw in enumerate(pending):
            raw.send(starts[number % len(starts)])
            if number % 3 == 0:
                raw.socket.shutdown(socket.SHUT_WR)
        closing = [RawWebSocket.open(server) for _ in range(10)]
        for raw in closing:
            raw.send(command(type="ping") + frame(TEXT, "x" * 100)[:50])
            raw.socket.shutdown(socket.SHUT_WR)
        with RawWebSocket.open(server) as there:
            there.expect_pong("there")
            began = time.monotonic()
            server.stop()
            there.expect_close(1001)
        server.process.wait(10 * PATIENCE)
        assert time.monotonic() - began < 10 * PATIENCE
        for raw in pending + closing:
            raw.socket.close()


@pytest.mark.parametrize("after_request", [False, True])
def test_handshakes_while_the_server_ends_are_answered_or_turned_away_in_time(after_request):
    with Server("--threads", "2", "--drain-timeout", "20s") as server:
        stopping, outcomes = threading.Event(), []

        def come():
            with RawWebSocket(server) as raw:
                if after_request:
                    raw.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    raw.read_response()
                outcomes.append(raw.request(upgrade_request())[0])
                if outcomes[-1] == 101 and stopping.is_set():
                    raw.expect_close(1001, reason="SHUTDOWN")

        def keep_coming():
            while server.process.poll() is None:
                try:
                    come()
                except (EOFError, ConnectionError):
                    assert stopping.is_set()
        with ThreadPoolExecutor(8) as pool:
            coming = [pool.submit(keep_coming) for _ in range(8)]
            eventually(lambda: len(outcomes) >= 100, "clients come and go")
            began = time.monotonic()
            stopping.set()
            server.stop()
            server.process.wait(30 * PATIENCE)
            took = time.monotonic() - began
            for client in coming:
                client.result()
        assert took < 8 * PATIENCE
        assert set(outcomes) <= {101, 503}
