"""10,000 idle subscribed connections, opened and closed abruptly three times."""

import contextlib
import resource
import socket
import struct

import pytest

from apus_e2e import PATIENCE, Server, eventually
from raw_websocket import TEXT, command, upgrade_request
from wire import connect

pytestmark = pytest.mark.one_server("it is about one process")

COUNT, BATCH = 10_000, 100
LINGER_ZERO = struct.pack("ii", 1, 0)


def read_until(connection, end):
    data = b""
    while not data.endswith(end):
        chunk = connection.recv(4096)
        assert chunk, f"closed after {data!r}"
        data += chunk
    return data


def open_subscribed(server, count):
    """So many subscribed sockets, opened in batches that fit the accept queue: each step once for the whole batch."""
    handshake, sockets = upgrade_request(), []
    subscribe = command(type="subscribe", topic="t", client_id="c")
    for _ in range(count // BATCH):
        batch = [connect(server, 20 * PATIENCE) for _ in range(BATCH)]
        sockets += batch
        for connection in batch:
            connection.sendall(handshake)
        for connection in batch:
            assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
            connection.sendall(subscribe)
        for connection in batch:
            answer = read_until(connection, b"}")
            assert answer[0] == 0x80 | TEXT and b'"ack"' in answer
    return sockets


def reset(sockets):
    for connection in sockets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        connection.close()


def counts(server):
    health = server.rest("GET", "/health", timeout=30 * PATIENCE).json
    return health["subscribers"], server.subscribers("t")


@pytest.mark.plain("so many handshakes take Python longer than the server waits for pongs")
@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[0] < COUNT + 200, reason="too few file descriptors")
def test_10_000_connections_opened_and_reset_three_times_leave_nothing_behind():
    with Server() as server:
        assert server.create("t").status == 201
        empty, resident = server.rss, []
        for turn in range(3):
            with contextlib.ExitStack() as stack:
                sockets = open_subscribed(server, COUNT)
                stack.callback(reset, sockets)
                eventually(lambda: counts(server) == (COUNT, COUNT), "all subscribed")
                print(f"turn {turn}: {(server.rss - empty) / COUNT:.0f} bytes resident per connection")
            eventually(lambda: counts(server) == (0, 0), "all gone", 30 * PATIENCE)
            if resident:
                eventually(lambda: server.rss <= 1.1 * resident[0], "memory within 10 % of after the first turn")
            resident.append(server.rss)
            print(f"turn {turn}: {resident[-1]} bytes resident afterwards")
        assert server.delete("t").status == 200
