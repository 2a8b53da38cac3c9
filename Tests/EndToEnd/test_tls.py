"""TLS on the server's port: versions, certificates by name, resumption, and bytes in records of every size."""

import json
import os
import socket
import ssl

import pytest

from apus_e2e import Client, eventually
from certificates import authority, client_context, local_pair
from client_addresses import STRANGER, TRUSTED, addresses, binary, line, raw
from event_stream import EventStream, events_path
from extensions import topic_path
from prometheus import scrape
from raw_http import RawHTTP, request
from raw_websocket import PING, PONG, TEXT, RawWebSocket, command, frame, upgrade_request
from secure import V12, V13, VERSIONS, hello, resumable, secure, speak, tls
from test_http_framing import waiting
from wire import RECORD, TLSSocket, connect_plainly

pytestmark = pytest.mark.one_server("it is about TLS with one server")


@pytest.fixture(scope="module")
def server():
    with secure("--threads", "2", "--compression-min-size", "0") as running:
        yield running


# The handshake


@VERSIONS
@pytest.mark.parametrize("protocols", [["http/1.1"], ["h2", "http/1.1"], []], ids=["http", "h2 too", "none"])
def test_both_versions_and_their_protocol(server, version, protocols):
    context = ssl.create_default_context(cafile=authority().certificate)
    context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    with tls(server, context) as connection:
        assert connection.tls.version() == {V12: "TLSv1.2", V13: "TLSv1.3"}[version]
        assert connection.tls.selected_alpn_protocol() == ("http/1.1" if protocols else None)
        assert connection.tls.compression() is None
        speak(connection)


def test_a_client_that_speaks_only_other_protocols_is_told_so(server):
    context = authority().context()
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        tls(server, context)


def test_handshakes_are_counted():
    with secure("--connections-per-address", "3") as server:
        def counts():
            return scrape(server).labelled("apus_tls_handshakes_total", "result")

        assert counts() == {"ok": 1, "failed": 0, "abandoned": 0}
        context = authority().context()
        context.set_alpn_protocols(["h2"])
        with pytest.raises(ssl.SSLError):
            tls(server, context)
        for data in (hello(), hello()[:20]):
            with connect_plainly(server) as plain:
                plain.sendall(data)
        # Who says nothing has not begun.
        connect_plainly(server).close()
        # Each look at the metrics is a handshake of its own, too.
        eventually(lambda: counts() | {"ok": 0} == {"ok": 0, "failed": 1, "abandoned": 2}, "the failed ones count")
        looks = counts()["ok"]
        with tls(server), tls(server), tls(server), tls(server) as refused:
            refused.sendall(request())
            assert refused.recv(RECORD).startswith(b"HTTP/1.1 503")
        eventually(lambda: server.rest("GET", "/health").status == 200, "there is room again")
        assert counts()["ok"] >= looks + 6


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(server, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    # Python warns of versions like these.
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        tls(server, context)


@pytest.mark.parametrize("suite", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "DES-CBC3-SHA", "aNULL"])
def test_ciphers_without_forward_secrecy_or_sealing_are_refused(server, suite):
    context = authority().context(V12)
    try:
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("this machine's OpenSSL does not have it either")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        tls(server, context)


@pytest.mark.parametrize("rsa", [False, True])
def test_the_certificate_is_chosen_by_the_name_that_is_asked_for(rsa):
    kind = ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ed25519"]
    other = authority().issue("other.example", "DNS:other.example", "DNS:*.wild.example", kind=kind)
    more = json.dumps([{"certificate": str(other.certificate), "key": str(other.key)}])
    with secure("--tls-more", more) as server:
        context = authority().context()
        expected = {"localhost": local_pair(), "other.example": other, "a.wild.example": other, "OTHER.example": other}
        for name, pair in expected.items():
            with tls(server, context, name) as connection:
                assert connection.tls.getpeercert(binary_form=True) == pair.shown, name
        context.check_hostname = False
        for name in ("nobody.example", "a.b.wild.example", "wild.example", None):
            with tls(server, context, name) as connection:
                assert connection.tls.getpeercert(binary_form=True) == local_pair().shown, name
                speak(connection)


@VERSIONS
def test_a_session_is_resumed_on_every_loop(server, version):
    context = authority().context(version)
    session = resumable(server, context)
    # As many connections as bring each of the loops to bear.
    for _ in range(4):
        with tls(server, context, session=session) as connection:
            assert connection.tls.session_reused
            speak(connection)
            session = connection.tls.session if version == V13 else session


@VERSIONS
def test_with_keys_in_a_file_a_session_outlives_the_server_and_the_change_of_keys(tmp_path, version):
    keys, context = tmp_path / "tickets", authority().context(version)
    keys.write_bytes(old := os.urandom(80))
    with secure("--tls-ticket-keys", str(keys)) as server:
        session = resumable(server, context)
    for now, is_known in [(old, True), (os.urandom(80) + old, True), (os.urandom(80), False)]:
        keys.write_bytes(now)
        with secure("--tls-ticket-keys", str(keys)) as server, tls(server, context, session=session) as connection:
            assert connection.tls.session_reused == is_known
            speak(connection)


@VERSIONS
def test_keys_of_its_own_are_no_other_servers(version):
    context = authority().context(version)
    with secure() as server:
        session = resumable(server, context)
    with secure() as server, tls(server, context, session=session) as connection:
        assert not connection.tls.session_reused
        speak(connection)


# Bytes


def in_records(connection, data, size):
    """These bytes in records of that size, all at once."""
    return b"".join(connection.seal(data[start:start + size]) for start in range(0, len(data), size))


@VERSIONS
@pytest.mark.parametrize(("size", "step"), [(1, 1 << 20), (5, 7), (100, 1), (1 << 14, 1), (1 << 14, 7)])
def test_records_of_every_size_in_pieces_of_every_size_are_the_same_bytes(server, topic, version, size, step):
    publish = command(type="publish", topic=topic, message={"id": "3f9f4c0f-7a0d-4c0a-8000-000000000000", "payload": "é" * 40})
    data = upgrade_request() + command(type="subscribe", topic=topic, client_id="c") + publish + frame(PING, b"end")
    with RawWebSocket.on(tls(server, authority().context(version))) as raw:
        sealed = in_records(raw.socket, data, size)
        for start in range(0, len(sealed), step):
            raw.socket.plain.sendall(sealed[start:start + step])
        assert raw.request(b"")[0] == 101
        frames = [raw.read_frame() for _ in range(4)]
        assert sorted(received.payload for received in frames if received.opcode == PONG) == [b"end"]
        assert sorted(received.json["type"] for received in frames if received.opcode == TEXT) == ["ack", "ack", "event"]


@VERSIONS
def test_large_messages_and_batches_come_whole_over_many_records(server, topic, version):
    payload = "x" * 900_000
    with RawWebSocket.on(tls(server, authority().context(version))) as raw:
        assert raw.request(upgrade_request())[0] == 101
        raw.subscribe(topic)
        raw.command(type="publish", topic=topic, message={"id": "3f9f4c0f-7a0d-4c0a-8000-000000000000", "payload": payload})
        messages = [raw.read_message() for _ in range(2)]
        assert [message["message"]["payload"] == payload for message in messages if message["type"] == "event"] == [True]
        answer = server.rest("POST", topic_path(topic, "/messages"), "\n".join(map(str, range(5000))).encode(),
                             {"Content-Type": "application/x-ndjson"})
        assert answer.status == 201
        assert [raw.read_message()["message"]["payload"] for _ in range(5000)] == list(range(5000))
    page = server.rest("GET", topic_path(topic, "/messages?last_n=6000")).json
    assert [entry["message"]["payload"] for entry in page["messages"]][-1] == 4999


def test_pipelined_requests_are_answered_in_their_order(server, topic):
    paths = ["/health", "/nope", topic_path(topic), "/topics/none", "/stats"] * 20
    with RawHTTP(server) as raw:
        raw.send(b"".join(request(path=path) for path in paths))
        assert [raw.answer().status for _ in paths] == [200, 404, 200, 404, 200] * 20


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_websocket_may_begin_on_a_connection_that_carried_requests(server, topic, before, at_once):
    head = upgrade_request() + command(type="subscribe", topic=topic, client_id="c")
    with RawHTTP(server) as raw:
        if at_once:
            raw.send(request() * before + head)
        for _ in range(before):
            if not at_once:
                raw.send(request())
            assert raw.answer().status == 200
        assert raw.request(b"" if at_once else head)[0] == 101
        assert raw.read_message()["type"] == "ack"
        raw.expect_pong("p")
        text = "y" * 100_000
        server.rest("POST", topic_path(topic, "/messages"), text)
        assert raw.read_message()["message"]["payload"] == text
        raw.send(frame(TEXT, "x") + frame(8))
        raw.expect_error("BAD_REQUEST")
        raw.expect_close(None)


@pytest.mark.parametrize("before", [0, 2])
def test_an_event_stream_may_begin_on_a_connection_that_carried_requests(server, topic, before):
    with RawHTTP(server) as raw:
        for _ in range(before):
            assert raw.ask().status == 200
        raw.send(request(path=events_path(topic_path(topic))))
        assert raw.head()[0] == 200
        for number in range(3):
            assert server.rest("POST", topic_path(topic, "/messages"), f"event {number}").status == 201
        seen = b""
        while b"event 2" not in seen:
            seen += raw.read_some()


async def test_event_streams_and_long_polls_wait_for_what_comes(server, topic):
    async with await EventStream.open(server, events_path(topic_path(topic))) as stream, \
            await Client.open(server) as client:
        assert stream.status == 200
        await stream.start()
        message = await client.publish(topic, "z" * 70_000)
        await stream.expect("message", type="event", topic=topic, message=message, offset=1)
    with RawHTTP(server) as raw:
        raw.send(request(path=topic_path(topic, "/messages?wait=20s&last_n=0")))
        eventually(lambda: waiting(server) == 1, "it waits")
        server.rest("POST", topic_path(topic, "/messages"), "polled")
        assert raw.answer().status == 200


def test_many_idle_connections_go_on(server, topic):
    raws = [RawWebSocket.open(server) for _ in range(200)]
    for raw in raws:
        raw.subscribe(topic)
    server.rest("POST", topic_path(topic, "/messages"), "all")
    assert [raw.read_message()["message"]["payload"] for raw in raws] == ["all"] * 200
    for raw in raws:
        raw.socket.close()
    eventually(lambda: server.subscribers(topic) == 0, "all gone")


def test_addresses_of_ipv6_and_names_are_answered():
    with secure("--host", "::1") as server:
        with socket.create_connection(("::1", server.port)) as plain, TLSSocket(plain, client_context(), "::1") as connection:
            speak(connection)


# Behind a proxy that passes TLS on


@pytest.mark.parametrize(("header", "address"), [
    (line("203.0.113.5"), "203.0.113.5:4711"), (binary("2001:db8::5", extensions=b"\x04\0\x03abc"), "[2001:db8::5]:4711"),
])
@pytest.mark.parametrize("step", [1, 40, 1 << 20])
def test_a_header_of_the_proxy_protocol_comes_before_tls(header, address, step):
    with secure("--trusted-proxy", TRUSTED, "--proxy-protocol", "on", source=STRANGER) as server:
        server.create("t")
        data = header + hello()
        plain = connect_plainly(server)
        for start in range(0, len(data), step):
            plain.sendall(data[start:start + step])
        assert plain.recv(1) == b"\x16"
        plain.close()
        with raw(server, header + upgrade_request()) as connection:
            assert connection.head()[0] == 101
            connection.subscribe("t")
            assert addresses(server, "t") == {"websocket": address}
