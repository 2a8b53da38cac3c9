"""Clients behind proxies: X-Forwarded-For, the PROXY protocol, and those who make up either (extensions.md section 8)."""

import itertools

import pytest

from apus_e2e import Server, eventually
from client_addresses import LOCAL, SIGNATURE, STRANGER, TRUSTED, addresses, binary, line, logged, raw
from extensions import topic_path
from raw_http import request
from raw_websocket import TEXT, frame, upgrade_request
from test_reload import Reloadable

pytestmark = pytest.mark.one_server("it is about how a server starts, listens and ends")

_numbers = itertools.count()


@pytest.fixture(scope="module")
def forwarding():
    with Server("--trusted-proxy", f"{TRUSTED}/32", "--trusted-proxy", "10.0.0.0/8", source=STRANGER) as running:
        yield running


@pytest.fixture(scope="module")
def proxied():
    with Server("--trusted-proxy", TRUSTED, "--proxy-protocol", "on", source=STRANGER) as running:
        yield running


def unique_path():
    return f"/topics/path-{next(_numbers)}"


def new_topic(server):
    name = f"topic-{next(_numbers)}"
    assert server.create(name).status == 201
    return name


def subscribe(connection, topic):
    connection.send(frame(TEXT, f'{{"type":"subscribe","topic":"{topic}","client_id":"c"}}'))
    assert connection.read_message()["type"] == "ack"


def open_websocket(connection, topic, **fields):
    status, _ = connection.request(upgrade_request(**fields))
    assert status == 101
    subscribe(connection, topic)


# MARK: X-Forwarded-For

@pytest.mark.parametrize("source, lines, address", [
    (TRUSTED, ["203.0.113.5"], "203.0.113.5"), (TRUSTED, ["1.1.1.1, 203.0.113.5, 10.1.1.1"], "203.0.113.5"),
    (TRUSTED, ["1.1.1.1", "203.0.113.5", "10.1.1.1"], "203.0.113.5"), (TRUSTED, ["2001:db8::5"], "2001:db8::5"),
    (TRUSTED, ["[2001:db8::5]:99, 10.1.1.1"], "2001:db8::5"), (TRUSTED, ["203.0.113.5:99"], "203.0.113.5"),
    # Whatever is no address leaves the last that is known.
    (TRUSTED, ["203.0.113.5, unknown"], TRUSTED), (TRUSTED, ["nonsense"], TRUSTED), (TRUSTED, [""], TRUSTED),
    (TRUSTED, ["203.0.113.5", "x" * 5000], TRUSTED), (TRUSTED, [",".join(["10.1.1.1"] * 5000)], "10.1.1.1"),
    (TRUSTED, [], TRUSTED),
    # Forged: the peer is no proxy, or the proxy has appended where it came from.
    (STRANGER, ["203.0.113.5"], STRANGER), (STRANGER, [TRUSTED], STRANGER), (STRANGER, ["10.1.1.1, 1.1.1.1"], STRANGER),
    (TRUSTED, ["127.0.0.1, 10.1.1.1, 198.51.100.7"], "198.51.100.7"),
])
def test_a_request_is_from_whom_trusted_proxies_say(forwarding, source, lines, address):
    path = unique_path()
    with raw(forwarding, source=source) as connection:
        assert connection.ask("GET", path, X_Forwarded_For=lines).status == 404
    host, _, port = logged(forwarding, path).rpartition(":") if address in (TRUSTED, STRANGER) else (address, "", "")
    assert host == address and (port or address not in (TRUSTED, STRANGER))


def test_requests_of_one_connection_are_from_their_own_clients(forwarding):
    """Also a handshake that comes late, behind a request, and in the same segment."""
    topic, paths = new_topic(forwarding), [unique_path(), unique_path()]
    with raw(forwarding) as connection:
        requests = [request("GET", path, X_Forwarded_For=f"203.0.113.{number}") for number, path in enumerate(paths)]
        connection.send(b"".join(requests) + upgrade_request(X_Forwarded_For="203.0.113.9"))
        assert [connection.answer().status for _ in paths] == [404, 404]
        assert connection.head()[0] == 101
        subscribe(connection, topic)
        assert addresses(forwarding, topic) == {"websocket": "203.0.113.9"}
    assert [logged(forwarding, path) for path in paths] == ["203.0.113.0", "203.0.113.1"]


def test_every_kind_of_subscriber_has_its_client_s_address(forwarding):
    topic = new_topic(forwarding)
    field = {"X_Forwarded_For": "203.0.113.5"}
    with raw(forwarding) as socket, raw(forwarding) as stream, raw(forwarding) as late, raw(forwarding) as poll:
        open_websocket(socket, topic, **field)
        stream.send(request("GET", topic_path(topic, "/events"), **field))
        assert stream.head()[0] == 200
        poll.send(request("GET", topic_path(topic, "/messages?since=0s&wait=60s"), **field))
        eventually(lambda: len(addresses(forwarding, topic)) == 3, "all are subscribed")
        assert set(addresses(forwarding, topic).values()) == {"203.0.113.5"}
        stream.abort()
        # A stream that the router opens, behind another request.
        assert late.ask("GET", "/health").status == 200
        late.send(request("GET", topic_path(topic, "/events"), X_Forwarded_For="203.0.113.6"))
        assert late.head()[0] == 200
        eventually(lambda: addresses(forwarding, topic)["sse"] == "203.0.113.6", "the other stream is there")
        assert forwarding.rest("DELETE", topic_path(topic)).status == 200


def test_refusals_are_logged_with_the_client_s_address(forwarding):
    path = unique_path()
    with raw(forwarding) as connection:
        connection.send(request("GET", path, Transfer_Encoding="nonsense", X_Forwarded_For="203.0.113.5"))
        assert connection.answer().status == 501
    assert "203.0.113.5" in forwarding.wait_for_log(f"path={path}")
    with raw(forwarding) as connection:
        assert connection.request(upgrade_request(Sec_WebSocket_Version="12", X_Forwarded_For="203.0.113.77"))[0] == 426
    assert "reason=version" in forwarding.wait_for_log("address=203.0.113.77")


# MARK: The PROXY protocol

@pytest.mark.plain("TLS begins behind the header: test_tls_hostile.py has that")
@pytest.mark.parametrize("header, address", [
    (line("203.0.113.5"), "203.0.113.5:4711"), (binary("203.0.113.5"), "203.0.113.5:4711"),
    (line("2001:db8::5"), "[2001:db8::5]:4711"), (binary("2001:db8::5", extensions=b"\x04\0\x03abc"), "[2001:db8::5]:4711"),
    (b"PROXY UNKNOWN\r\n", TRUSTED), (LOCAL, TRUSTED),
])
@pytest.mark.parametrize("pieces", ["one", "two", "bytes"])
def test_a_header_tells_the_address_of_all_that_follows(proxied, header, address, pieces):
    topic, path = new_topic(proxied), unique_path()
    # What the client forges does not count: it is no trusted proxy.
    forged = {"X_Forwarded_For": "198.51.100.1"} if address != TRUSTED else {}
    requests = {"websocket": upgrade_request(**forged), "sse": request("GET", topic_path(topic, "/events"), **forged),
                "log": request("GET", path, **forged)}
    for kind, start in requests.items():
        with raw(proxied) as connection:
            bytes_ = header + start
            cuts = {"one": [], "two": [len(header)], "bytes": range(1, len(bytes_))}[pieces]
            for begin, end in itertools.pairwise([0, *cuts, len(bytes_)]):
                connection.send(bytes_[begin:end])
            assert connection.head()[0] == {"websocket": 101, "sse": 200, "log": 404}[kind]
            if kind == "websocket":
                subscribe(connection, topic)
            found = logged(proxied, path) if kind == "log" else addresses(proxied, topic)[kind]
            assert found == address or address == TRUSTED and found.startswith(f"{TRUSTED}:")


def test_a_late_handshake_has_the_address_of_its_connection(proxied):
    topic = new_topic(proxied)
    with raw(proxied, binary("203.0.113.5")) as connection:
        assert connection.ask("GET", "/health").status == 200
        open_websocket(connection, topic)
        assert addresses(proxied, topic) == {"websocket": "203.0.113.5:4711"}


def test_a_trusted_address_in_a_header_may_forward_for_others(proxied):
    path = unique_path()
    with raw(proxied, line(TRUSTED) + request("GET", path, X_Forwarded_For="198.51.100.1")) as connection:
        assert connection.answer().status == 404
    assert logged(proxied, path) == "198.51.100.1"


@pytest.mark.plain("without a header there is no TLS to answer in")
@pytest.mark.parametrize("start", [
    request(), upgrade_request(), b"PROXY TCP4 1.1.1.1\r\n", b"PROXY TCP4 1.1.1.1 1.1.1.1 1 99999\r\n" + request(),
    SIGNATURE + b"\x21\x11\xff\xff", SIGNATURE + b"\x31\x11\0\x0c" + bytes(12), b"PROXY " + b"x" * 200, b"\0",
])
def test_a_trusted_proxy_without_a_valid_header_is_refused(proxied, start):
    with raw(proxied, start) as connection:
        answer = connection.answer()
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        connection.expect_end()


@pytest.mark.plain("without a header there is no TLS to answer in")
@pytest.mark.parametrize("header", [line("203.0.113.5"), binary("203.0.113.5"), LOCAL])
def test_nobody_else_can_use_the_protocol(proxied, forwarding, header):
    # A stranger where it is on, and a trusted proxy where it is off.
    for server, source in [(proxied, STRANGER), (forwarding, TRUSTED), (forwarding, STRANGER)]:
        for start in [upgrade_request(), request()]:
            with raw(server, header + start, source) as connection:
                answer = connection.answer()
                assert (answer.status, answer.code) == (400, "BAD_REQUEST")
                connection.expect_end()
    assert "203.0.113.5" not in "".join(entry for entry in proxied.log if "400" in entry)


def test_strangers_need_no_header(proxied):
    topic = new_topic(proxied)
    with raw(proxied, source=STRANGER) as connection:
        open_websocket(connection, topic)
        assert addresses(proxied, topic)["websocket"].startswith(f"{STRANGER}:")


@pytest.mark.plain("half a header is no beginning of TLS")
@pytest.mark.parametrize("start", [b"", line("203.0.113.5")[:-1], line("203.0.113.5"), binary("203.0.113.5")[:20],
                                   binary("203.0.113.5"), binary("203.0.113.5") + b"GET /ws"])
def test_a_header_and_a_request_have_to_come_in_time(start):
    with Server("--trusted-proxy", TRUSTED, "--proxy-protocol", "on", "--handshake-timeout", "200ms") as server:
        with raw(server, start) as connection:
            end = connection.rest()
            assert not end or end.startswith(b"HTTP/1.1 408 ")


def test_a_server_says_that_the_protocol_has_no_effect_alone():
    with Server("--proxy-protocol", "on") as server:
        assert server.wait_for_log("trusted_proxies is empty")
        assert server.rest("GET", "/health").status == 200


def test_a_reload_changes_the_rules_for_what_comes_and_closes_nothing(tmp_path):
    off = {"trusted_proxies": [], "proxy_protocol": "off", "connections_per_address": 0}
    with Reloadable(tmp_path, off, source=STRANGER) as server:
        topic = new_topic(server)
        with raw(server) as before:
            open_websocket(before, topic, X_Forwarded_For="203.0.113.5")
            assert addresses(server, topic)["websocket"].startswith(f"{TRUSTED}:")
            server.reload({"trusted_proxies": [TRUSTED], "proxy_protocol": "on", "connections_per_address": 1})
            with raw(server, line("203.0.113.5") + upgrade_request()) as first:
                # Another loop could answer the other one before.
                assert first.head()[0] == 101
                with raw(server, line("203.0.113.5") + upgrade_request()) as more:
                    assert more.answer().status == 503
                server.reload(off)
                with raw(server, upgrade_request()) as after:
                    assert after.head()[0] == 101
                first.expect_pong()
            before.expect_pong()
