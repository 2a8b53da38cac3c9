"""connections_per_address: what one client may take, and that nobody else notices (extensions.md section 8)."""

import contextlib
import threading
import time

import pytest

from apus_e2e import TIMEOUT, Server, eventually
from client_addresses import STRANGER, TRUSTED, line, raw
from extensions import topic_path
from prometheus import Scrape
from raw_http import request
from raw_websocket import CLOSE, close_frame, frame, upgrade_request

pytestmark = pytest.mark.one_server("it is about how a server starts, listens and ends")

LIMIT = 3
EVENTS = topic_path("t", "/events")
WAIT = topic_path("t", "/messages?since=0s&wait=60s")
# The attacker connects from here, and all others of a test from STRANGER.
ATTACKER = "127.0.0.3"


@pytest.fixture(scope="module")
def server():
    with Server("--connections-per-address", str(LIMIT), "--log-level", "debug", source=STRANGER) as running:
        assert running.create("t").status == 201
        yield running


@pytest.fixture(scope="module")
def forwarding():
    with Server("--connections-per-address", str(LIMIT), "--trusted-proxy", TRUSTED, source=STRANGER) as running:
        assert running.create("t").status == 201
        yield running


def websocket(server, source=ATTACKER, **fields):
    connection = raw(server, upgrade_request(**fields), source)
    return connection, connection.head()[0]


def stream(server, source=ATTACKER, **fields):
    connection = raw(server, request("GET", EVENTS, **fields), source)
    return connection, connection.head()[0]


def idle(server, source=ATTACKER):
    """HTTP after a request."""
    connection = raw(server, source=source)
    return connection, connection.ask().status


def late(server, source=ATTACKER):
    """A WebSocket behind a request."""
    connection = raw(server, source=source)
    assert connection.ask().status == 200
    return connection, connection.request(upgrade_request())[0]


def polling(server, source=ATTACKER):
    """A request that waits."""
    connection = raw(server, request("GET", WAIT), source)
    eventually(lambda: "poll" in [entry["transport"] for entry in
                                  server.rest("GET", "/subscribers").json["subscribers"]], "waits")
    return connection, 200


def fresh(server, source=ATTACKER):
    """Nothing sent yet. A loop has accepted it when this returns; another loop might accept a later one before."""
    connection = raw(server, source=source)
    server.wait_for_log("socket accepted peer=%s:%d" % connection.socket.getsockname())
    return connection, 0


def is_refused(answer):
    assert answer.headers["retry-after"] == "1"
    return (answer.status, answer.code) == (503, "OVERLOADED")


def fill(server, count=LIMIT):
    """All connections that the attacker may have, as soon as it may."""
    held = []
    def one():
        connection, status = websocket(server)
        if status == 101:
            held.append(connection)
        else:
            connection.socket.close()
        return len(held) == count
    eventually(one, f"{count} connections")
    return held


def close_all(connections):
    for connection in connections:
        connection.socket.close()


def refused(server):
    """The metric's counts by reason."""
    scrape = Scrape(server.rest("GET", "/metrics").body.decode())
    return {dict(labels)["reason"]: value for (name, labels), value in scrape.samples.items()
            if name == "apus_connections_refused_total"}


@pytest.mark.parametrize("start", [upgrade_request(), request("GET", EVENTS), request("GET", EVENTS,
                         Accept="text/event-stream"), request(), request("POST", topic_path("t", "/messages"), b"1" * 100_000),
                         b"nonsense"])
def test_one_connection_more_is_refused_whatever_it_asks_for(server, start):
    held, before = fill(server), refused(server)["connections_per_address"]
    with raw(server, start, ATTACKER) as more, raw(server, source=STRANGER) as other:
        assert is_refused(more.answer())
        more.expect_end()
        # Everybody else is served.
        assert other.ask().status == 200
        assert other.request(upgrade_request())[0] == 101
    assert refused(server)["connections_per_address"] == before + 1
    assert "address=127.0.0.3:" in server.wait_for_log("reason=connections_per_address status=503")
    for connection in held:
        connection.expect_pong()
    close_all(held)


@pytest.mark.parametrize("opening", [websocket, stream, idle, late, polling, fresh])
@pytest.mark.parametrize("ending", ["close", "reset", "half"])
def test_a_place_comes_back_once_however_a_connection_ends(server, opening, ending):
    held = fill(server, LIMIT - 1)
    connection, _ = opening(server)
    with raw(server, request(), ATTACKER) as more:
        assert is_refused(more.answer())
    if ending == "close":
        connection.socket.close()
    elif ending == "reset":
        connection.abort()
    else:
        connection.half_close()
        connection.socket.settimeout(TIMEOUT)
        while connection.socket.recv(1 << 16):
            continue
    # One place, not two.
    held += fill(server, 1)
    with raw(server, request(), ATTACKER) as more:
        assert is_refused(more.answer())
    close_all([connection, *held])


@pytest.mark.parametrize("last", [close_frame(1000), frame(CLOSE, b"x"), frame(3), b"\xff" * 10])
def test_a_place_comes_back_after_the_websocket_s_own_end(server, last):
    held = fill(server)
    held[0].send(last)
    held[0].rest()
    held[0].socket.close()
    held += fill(server, 1)
    close_all(held)


def test_refused_handshakes_and_timeouts_give_their_place_back():
    flags = ("--connections-per-address", "1", "--handshake-timeout", "150ms", "--idle-timeout", "150ms",
             "--api-key", "k")
    with Server(*flags, source=STRANGER) as server:
        for start, status in [(upgrade_request(X_API_Key="wrong"), b"401"), (b"GET /ws", b"408"), (b"GET /x", b"408"),
                              (request("GET", "/health"), b"200"), (upgrade_request(Host=""), b"400"), (b"", b"")]:
            def one():
                with raw(server, start, ATTACKER) as connection:
                    return connection.rest().startswith(b"HTTP/1.1 " + status if status else b"")
            eventually(one, f"{start!r} is answered {status!r}")


def test_an_attacker_that_never_stops_is_not_noticed_by_others(server):
    """It connects as fast as it can, and keeps everything open that it gets."""
    stop, held = threading.Event(), []

    def attack():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                held.append(raw(server, upgrade_request(), ATTACKER))
            if len(held) > 200:
                held.pop(0).socket.close()

    with raw(server, source=STRANGER) as bystander:
        assert bystander.request(upgrade_request())[0] == 101
        thread = threading.Thread(target=attack)
        thread.start()
        try:
            deadline = time.monotonic() + 0.7
            for number in range(1, 250):
                if time.monotonic() > deadline:
                    break
                bystander.expect_pong()
                # Each from an address of its own: a place may come back late on a busy machine.
                with raw(server, source=f"127.0.9.{number}") as another:
                    assert another.ask().status == 200
        finally:
            stop.set()
            thread.join()
            close_all(held)
    eventually(lambda: server.open_files < 100, "all sockets of the attacker are closed")


# MARK: Behind proxies

def test_behind_a_proxy_each_client_has_its_own_limit(forwarding):
    """WebSockets, streams and requests of many clients come from one address, and partly on one connection."""
    attacker, other = {"X_Forwarded_For": "203.0.113.5"}, {"X_Forwarded_For": "203.0.113.6"}
    held = [websocket(forwarding, TRUSTED, **attacker), stream(forwarding, TRUSTED, **attacker)]
    assert [status for _, status in held] == [101, 200]
    with raw(forwarding) as poll, raw(forwarding) as shared:
        poll.send(request("GET", WAIT, **attacker))
        eventually(lambda: len(forwarding.rest("GET", "/subscribers").json["subscribers"]) == 2, "the request waits")
        # The proxy's connection goes on for the requests of others.
        assert is_refused(shared.ask("GET", "/topics", **attacker))
        assert shared.ask("GET", "/topics", **other).status == 200
        assert is_refused(shared.ask("GET", EVENTS, Accept="text/event-stream", **attacker))
        assert shared.ask("GET", "/topics", **other).status == 200
        for _ in range(LIMIT + 2):
            # Who forges addresses is still one client.
            forged = {"X_Forwarded_For": f"198.51.100.{_}, 203.0.113.5"}
            assert is_refused(shared.ask("GET", "/topics", **forged))
        assert websocket(forwarding, TRUSTED, **attacker)[1] == 503
        with websocket(forwarding, TRUSTED, **other)[0] as bystander:
            bystander.expect_pong()
        # A late handshake.
        assert shared.request(upgrade_request(**attacker))[0] == 503
        assert "reason=connections_per_address" in forwarding.wait_for_log("handshake refused address=203.0.113.5")
    # The request has ended with its connection.
    def served():
        with raw(forwarding) as connection:
            return connection.ask("GET", "/topics", **attacker).status == 200
    eventually(served, "a place is free")
    # A request that is answered holds nothing, though its connection stays.
    with raw(forwarding) as connection:
        for _ in range(2 * LIMIT):
            assert connection.ask("GET", "/topics", **attacker).status == 200
    close_all(connection for connection, _ in held)


def test_ipv6_clients_count_by_their_network(forwarding):
    held = [websocket(forwarding, TRUSTED, X_Forwarded_For=f"2001:db8:1:1::{number}") for number in range(LIMIT)]
    assert [status for _, status in held] == [101] * LIMIT
    assert websocket(forwarding, TRUSTED, X_Forwarded_For="2001:db8:1:1:ffff::1")[1] == 503
    elsewhere, status = websocket(forwarding, TRUSTED, X_Forwarded_For="2001:db8:1:2::1")
    assert status == 101
    close_all([elsewhere, *(connection for connection, _ in held)])


def test_who_claims_to_be_somebody_else_counts_as_itself(forwarding):
    """A stranger that makes up a new address for each connection."""
    held = [websocket(forwarding, ATTACKER, X_Forwarded_For=f"203.0.113.{number}") for number in range(LIMIT)]
    assert [status for _, status in held] == [101] * LIMIT
    assert websocket(forwarding, ATTACKER, X_Forwarded_For="203.0.113.99")[1] == 503
    close_all(connection for connection, _ in held)


def test_with_the_proxy_protocol_the_limit_is_that_of_the_client():
    flags = ("--connections-per-address", "2", "--trusted-proxy", TRUSTED, "--proxy-protocol", "on")
    with Server(*flags, source=STRANGER) as server:
        held = [raw(server, line("203.0.113.5", port) + upgrade_request()) for port in (1, 2)]
        assert [connection.head()[0] for connection in held] == [101, 101]
        for start in [upgrade_request(), request(), request("GET", "/events?topic=x")]:
            with raw(server, line("203.0.113.5", 3) + start) as more:
                assert is_refused(more.answer())
        with raw(server, line("203.0.113.6") + request()) as other:
            assert other.answer().status == 200
        close_all(held)
        with raw(server, request()) as broken:
            assert broken.answer().status == 400
        assert refused(server).items() >= {"connections_per_address": 3, "proxy_header": 1}.items()
