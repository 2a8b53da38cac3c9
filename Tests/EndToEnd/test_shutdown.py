"""SIGTERM and SIGINT: section 6."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from apus_e2e import PATIENCE, TIMEOUT, Client, Server, eventually
from flood import flood, numbered, stalled_reader
from wire import connect

pytestmark = pytest.mark.one_server("it is about how a server starts, listens and ends")

NUMBER = re.compile(r'"payload":\[(\d+),')


def stop(server, sent=signal.SIGTERM):
    """Signals the server; exit code and seconds until its end."""
    start = time.monotonic()
    server.process.send_signal(sent)
    return server.process.wait(20 * PATIENCE), time.monotonic() - start


async def read_to_close(client, numbers):
    """Collects the numbers of events, then the code and the reason of the close."""
    try:
        while True:
            async with asyncio.timeout(30 * PATIENCE):
                text = await client.connection.recv()
            if match := NUMBER.search(text):
                numbers.append(int(match[1]))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None, "the connection ended without a close frame"
        return closed.rcvd.code, closed.rcvd.reason


async def publish_until_closed(publisher, acked):
    """Publishes with 50 outstanding for as long as the server takes it; refused ones must say UNAVAILABLE."""
    sent = 0
    try:
        while True:
            while sent - len(acked) < 50:
                await publisher.send(numbered("t", sent, 100))
                sent += 1
            message = await publisher.receive()
            if message["type"] == "error":
                assert message["error"]["code"] == "UNAVAILABLE"
                acked.append(None)
            else:
                acked.append(len(acked))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


@pytest.mark.limit(120)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_what_was_acked_before_the_signal_reaches_100_busy_subscribers(sent):
    with Server("--queue", "100000") as server:
        server.create("t")
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(await Client.open(server)) for _ in range(100)]
            for client in clients:
                await client.subscribe("t")
            # Whose queue is full sees the end of a connection only when it has waited long enough.
            publisher, acked = await stack.enter_async_context(await Client.open(server, max_queue=None)), []
            seen = [[] for _ in clients]
            readers = [asyncio.create_task(read_to_close(*pair)) for pair in zip(clients, seen)]
            publishing = asyncio.create_task(publish_until_closed(publisher, acked))
            async with asyncio.timeout(60 * PATIENCE):
                while len(acked) < 500:
                    await asyncio.sleep(0)
            before, began = len(acked), time.monotonic()
            server.process.send_signal(sent)
            closes = await asyncio.gather(*readers)
            assert await publishing == 1001
            code = await asyncio.to_thread(server.process.wait, 20 * PATIENCE)
            assert (code, time.monotonic() - began < 11 * PATIENCE) == (0, True)
            assert set(closes) == {(1001, "SHUTDOWN")}
            for numbers in seen:
                assert numbers == list(range(len(numbers))), "a gap or a double"
                assert len(numbers) >= before


async def test_an_idle_connection_is_closed_with_1001_at_once(dialect):
    with Server() as server:
        async with await Client.open(server, dialect) as client:
            server.process.send_signal(signal.SIGTERM)
            assert await client.expect_close(1001, "SHUTDOWN") == []
        assert server.process.wait(5 * PATIENCE) == 0


def test_a_server_without_connections_stops_at_once():
    with Server() as server:
        code, seconds = stop(server)
        assert code == 0 and seconds < 2 * PATIENCE


def refuses_connections(server):
    try:
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT).close()
    except (ConnectionRefusedError, ConnectionResetError):
        # Reset: it was in the queue of the port when that was closed.
        return True
    return False


async def test_while_draining_nothing_new_is_taken_and_the_end_comes_in_time():
    with Server("--drain-timeout", "2s", "--queue", "100000") as server:
        server.create("t")
        kept = server.http()
        kept.request("GET", "/health")
        kept.getresponse().read()
        client, publisher = await Client.open(server), await Client.open(server)
        with stalled_reader(server, "t"):
            # More than the sockets' buffers hold, so that the drain waits for this reader.
            await flood(publisher, "t", range(1500), 16_384)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: refuses_connections(server), "no new connections", 1.5 * PATIENCE)
            await expect_refused_or_closed(client)
            expect_unavailable_or_closed(kept)
            code = await asyncio.to_thread(server.process.wait, 20 * PATIENCE)
            assert (code, time.monotonic() - began < 5 * PATIENCE) == (0, True)
        await client.connection.close()
        await publisher.connection.close()


async def expect_refused_or_closed(client):
    """A command during the drain is answered UNAVAILABLE, or the connection is closing with 1001."""
    try:
        await client.send(type="subscribe", topic="t", client_id="late")
        await client.expect_error("UNAVAILABLE")
    except ConnectionClosed as closed:
        assert closed.rcvd.code == 1001


def expect_unavailable_or_closed(connection):
    """A request during the drain on a connection from before it gets 503, or the connection is closed."""
    try:
        connection.request("POST", "/topics", b'{"name":"late"}')
        response = connection.getresponse()
    except (http.client.RemoteDisconnected, ConnectionError):
        return
    finally:
        connection.close()
    assert response.status == 503 and response.headers["Retry-After"]


async def test_a_second_signal_ends_the_server_at_once():
    with Server("--drain-timeout", "60s", "--queue", "100000", exit_code=None) as server:
        server.create("t")
        publisher = await Client.open(server)
        with stalled_reader(server, "t"):
            await flood(publisher, "t", range(1500), 16_384)
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: refuses_connections(server), "no new connections")
            with pytest.raises(subprocess.TimeoutExpired):
                server.process.wait(1)
            _, seconds = stop(server)
            assert seconds < 2 * PATIENCE
        # The server is gone, so there is nobody to close the connection with.
        publisher.connection.transport.abort()


def test_a_request_that_never_ends_does_not_outlast_the_drain():
    with Server("--drain-timeout", "1s", "--handshake-timeout", "30s") as server:
        with connect(server) as stuck:
            stuck.sendall(b"POST /topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
            server.rest("GET", "/health")
            code, seconds = stop(server)
            assert code == 0 and seconds < 5 * PATIENCE


def test_a_log_reader_that_is_stuck_stops_neither_requests_nor_the_end():
    process = subprocess.Popen([os.environ["APUS_BIN"], "serve", "--port", "0"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        port = int(re.search(rb"127\.0\.0\.1:(\d+)", process.stderr.readline())[1])
        for _ in range(1000):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
            connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * PATIENCE) == 0
    finally:
        process.kill()
        process.stderr.close()
