"""Peers that break the rules of TLS: the server ends their connections, or says what is wrong, and serves the others."""

import random
import socket
import struct
from contextlib import ExitStack

import pytest
from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import ContentType, KeyUpdateMessageType
from tlslite.errors import TLSError
from tlslite.messages import ClientHello, Message

from apus_e2e import PATIENCE, eventually
from certificates import authority
from raw_http import RawHTTP, request
from raw_websocket import RawWebSocket, frame, upgrade_request
from secure import V12, VERSIONS, hello, read_plainly, secure, speak, tls
from wire import RECORD, connect_plainly

pytestmark = pytest.mark.one_server("it is about TLS with one server")

HANDSHAKE, ALERT, CCS, DATA = 22, 21, 20, 23
MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with secure("--threads", "2", "--handshake-timeout", "1s") as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(server):
    """After each test a bystander from before is served as ever, and nothing is left of the others."""
    with RawWebSocket.open(server) as bystander:
        before = server.open_files
        yield
        bystander.expect_pong("still")
        with tls(server) as connection:
            speak(connection)
        eventually(lambda: server.open_files <= before, "all sockets are closed")


def record(kind, data, version=0x0303, announce=None):
    """A record as bytes; `announce` lies about the length."""
    return struct.pack("!BHH", kind, version, len(data) if announce is None else announce) + data


# Before TLS


@pytest.mark.parametrize("text", [
    request(), request("POST", "/topics", b'{"name":"plain"}'), upgrade_request(), request(version="HTTP/1.0"),
    b"GET / HTTP/1.1\r\n\r\n", b"G", request() * 100,
])
def test_plain_http_is_told_that_this_is_tls(server, text):
    with RawHTTP.on(connect_plainly(server)) as raw:
        raw.send(text)
        answer = raw.answer()
        assert answer.status == 400 and "https" in answer.body.decode() and "TLS" in answer.body.decode()
        assert answer.headers["connection"] == "close"
        raw.expect_end()
    assert [topic["name"] for topic in server.rest("GET", "/topics").json["topics"]] == []


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_get_an_end(server, seed):
    source = random.Random(seed)
    for number in range(60):
        text = source.randbytes(source.randrange(1, 3000))
        # Half of them look like a record at first.
        text = [text, record(HANDSHAKE, text), record(HANDSHAKE, b"\x01" + text), bytes([HANDSHAKE]) + text][number % 4]
        with connect_plainly(server) as plain:
            try:
                plain.sendall(text)
                plain.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            said = read_plainly(plain)
            assert said[:1] in (b"", bytes([ALERT])) or said.startswith(b"HTTP/1.1 400 "), (seed, number, said)


@pytest.mark.parametrize("seed", range(3))
def test_a_hello_with_wrong_bytes_gets_an_end(server, seed):
    source, text = random.Random(seed), hello()
    for _ in range(60):
        wrong = bytearray(text)
        for _ in range(source.randrange(1, 6)):
            wrong[source.randrange(5, len(wrong))] = source.randrange(256)
        with connect_plainly(server) as plain:
            try:
                plain.sendall(wrong)
                plain.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            assert read_plainly(plain)[:1] in (b"", bytes([ALERT]), bytes([HANDSHAKE])), (seed, wrong.hex())


@pytest.mark.parametrize("text", [
    record(HANDSHAKE, hello()[5:], announce=0), record(HANDSHAKE, hello()[5:], announce=1 << 15),
    record(HANDSHAKE, b"\x01\xff\xff\xff" + b"a" * 16_000) * 20, record(DATA, b"a" * 100), record(CCS, b"\x01") * 1000,
    record(ALERT, b"\x01\x00") * 100, record(HANDSHAKE, b"") * 1000, hello() * 2, b"\x16\x03\x01" * 10_000,
    record(HANDSHAKE, hello()[5:50]) + record(DATA, b"x") + record(HANDSHAKE, hello()[50:]), hello() + record(CCS, b"\x01") * 5000,
    b"\x80\x2e\x01\x00\x02" + b"a" * 43, record(HANDSHAKE, bytes([20]) + b"\0\0\x20" + b"f" * 32),
], ids=["no length", "too long", "a huge message", "data", "CCS flood", "alerts", "empty records", "twice", "heads",
        "data in between", "CCS flood after", "SSL 2", "finished at once"])
def test_what_is_no_handshake_gets_an_end(server, text):
    before = server.rss
    with connect_plainly(server) as plain:
        try:
            plain.sendall(text)
        except ConnectionError:
            pass
        read_plainly(plain)
    assert server.rss - before < 16 * MIB


# After the handshake


def tampered(sealed, how):
    kind, version, length = struct.unpack("!BHH", sealed[:5])
    body = sealed[5:]
    match how:
        case "a flipped bit":
            return sealed[:-1] + bytes([sealed[-1] ^ 1])
        case "a shorter record":
            return record(kind, body[:-1])
        case "a longer record":
            return record(kind, body + b"\0")
        case "an empty record":
            return record(kind, b"")
        case "an oversized record":
            return record(kind, b"\0" * (1 << 15))
        case "a length of 65535":
            return record(kind, body, announce=0xFFFF)
        case "another version":
            return record(kind, body, version=0x0505)
        case "another type":
            return record(99, body)
        case "twice the same":
            return sealed * 2
        case "not sealed":
            return record(DATA, request())
        case "an alert not sealed":
            return record(ALERT, b"\x02\x28")
        case "CCS":
            return record(CCS, b"\x01") * 100
        case "plain HTTP":
            return request()


HOW = ["a flipped bit", "a shorter record", "a longer record", "an empty record", "an oversized record", "a length of 65535",
       "another version", "another type", "twice the same", "not sealed", "an alert not sealed", "CCS", "plain HTTP"]


@VERSIONS
@pytest.mark.parametrize("before", [0, 1, 2], ids=["first", "request", "websocket"])
@pytest.mark.parametrize("how", HOW)
def test_a_record_that_was_tampered_with_ends_the_connection(server, version, before, how):
    with RawHTTP.on(tls(server, authority().context(version))) as raw:
        if before:
            assert raw.ask().status == 200
        if before == 2:
            assert raw.request(upgrade_request())[0] == 101
        sealed = raw.socket.seal(frame(9, b"ping") if before == 2 else request(path="/livez"))
        # One is right, so the connection is at work when the wrong one comes.
        if how == "twice the same":
            raw.socket.plain.sendall(tampered(sealed, how))
        else:
            raw.socket.plain.sendall(sealed + tampered(raw.socket.seal(b"x" * 100), how))
        if how == "a length of 65535":
            raw.socket.plain.shutdown(socket.SHUT_WR)
        read_plainly(raw.socket.plain)


def lite(server, version=(3, 4)):
    """A client that can be made to say anything inside of TLS."""
    plain = connect_plainly(server)
    client, settings = TLSConnection(plain), HandshakeSettings()
    settings.minVersion = settings.maxVersion = version
    client.handshakeClientCert(settings=settings)
    client.ignoreAbruptClose = True
    return client


def say(client, kind, data):
    for _ in client._recordLayer.sendRecord(Message(kind, bytearray(data))):
        pass


def get(client):
    client.sendall(request(path="/livez"))
    seen = b""
    while b"alive" not in seen:
        part = client.recv(RECORD)
        assert part, seen
        seen += part


@pytest.mark.parametrize(("version", "kind", "data", "count"), [
    ((3, 4), DATA, b"", 1000), ((3, 3), DATA, b"", 1000), ((3, 4), 99, b"unknown", 1), ((3, 3), 99, b"unknown", 1),
    ((3, 4), HANDSHAKE, b"\x18\0\0\x01\x07", 1), ((3, 4), HANDSHAKE, b"\x18\0\0\x02\0\0", 1), ((3, 4), HANDSHAKE, b"", 100),
    ((3, 4), HANDSHAKE, b"\x01\0\0\x05hello", 1), ((3, 4), HANDSHAKE, b"\x04\0\0\x05ticke", 1),
    ((3, 4), HANDSHAKE, b"\xff\xff\xff\xff", 1), ((3, 4), HANDSHAKE, b"\x0b\0\xff\xff" + b"c" * 100, 1),
    ((3, 4), ALERT, b"\x01\x5a", 100), ((3, 3), ALERT, b"\x01\x5a", 100), ((3, 4), ALERT, b"\x02\x28", 1), ((3, 4), ALERT, b"\x01", 1),
    ((3, 4), DATA, b"x" * ((1 << 14) + 1), 1), ((3, 3), DATA, b"x" * ((1 << 14) + 1), 1), ((3, 3), CCS, b"\x01", 1),
    ((3, 3), HANDSHAKE, bytes([20]) + b"\0\0\x0cabcdefghijkl", 1), ((3, 3), HANDSHAKE, bytes([16]) + b"\0\0\x01\0", 1),
])
def test_messages_that_are_out_of_place_end_the_connection(server, version, kind, data, count):
    client = lite(server, version)
    get(client)
    try:
        for _ in range(count):
            say(client, kind, data)
        client.sock.settimeout(20 * PATIENCE)
        while client.recv(RECORD):
            pass
    except (TLSError, OSError) as error:
        assert not isinstance(error, TimeoutError)
    finally:
        client.sock.close()


@pytest.mark.parametrize("both", [False, True])
def test_keys_may_be_updated_again_and_again(server, both):
    kind = KeyUpdateMessageType.update_requested if both else KeyUpdateMessageType.update_not_requested
    client = lite(server)
    for _ in range(50):
        for _ in client.send_keyupdate_request(kind):
            pass
        get(client)
    client.close()


def test_key_updates_between_the_records_of_a_message_change_nothing(server):
    client = lite(server)
    body = b'{"name":"' + b"n" * 200 + b'"}'
    text = request("POST", "/topics", body)
    for start in range(0, len(text), 20):
        client.sendall(text[start:start + 20])
        for _ in client.send_keyupdate_request(KeyUpdateMessageType.update_requested):
            pass
    assert b" 201 " in client.recv(RECORD)
    client.close()
    assert server.delete("n" * 200).status == 200


def test_a_flood_of_key_updates_whose_answers_nobody_reads_takes_no_memory(server):
    client = lite(server)
    before = server.rss
    client.sock.settimeout(2 * PATIENCE)
    try:
        for _ in range(20_000):
            for _ in client.send_keyupdate_request(KeyUpdateMessageType.update_requested):
                pass
    except (TLSError, OSError):
        # Cut off, or no longer read.
        pass
    assert server.rss - before < 8 * MIB
    client.sock.close()


def test_a_second_hello_in_tls_1_2_is_refused(server):
    client = lite(server, (3, 3))
    get(client)
    again = ClientHello().create((3, 3), bytearray(32), bytearray(0), [0xC02B, 0xC02F], None, None, False, None, None)
    say(client, HANDSHAKE, again.write())
    try:
        # `no_renegotiation` is a warning: going on is allowed, and so is an end.
        get(client)
    except (TLSError, OSError, AssertionError) as error:
        assert not isinstance(error, TimeoutError)
    client.sock.close()


def test_a_flood_of_second_hellos_is_no_work(server):
    before = server.processor_time
    client = lite(server, (3, 3))
    again = ClientHello().create((3, 3), bytearray(32), bytearray(0), [0xC02B, 0xC02F], None, None, False, None, None)
    try:
        for _ in range(1000):
            say(client, HANDSHAKE, again.write())
        client.sock.settimeout(5 * PATIENCE)
        while client.recv(RECORD):
            pass
    except (TLSError, OSError):
        pass
    client.sock.close()
    # A thousand handshakes would take longer, even optimized.
    assert server.processor_time - before < 0.35 * PATIENCE


def test_a_storm_of_handshakes_holds_up_nobody(server):
    with RawWebSocket.open(server) as bystander:
        plains = []
        for _ in range(200):
            plain = connect_plainly(server)
            plain.sendall(hello(authority().context(V12)))
            plains.append(plain)
        bystander.expect_pong("p")
        for plain in plains:
            assert plain.recv(1) == bytes([HANDSHAKE])
            plain.close()


def test_many_clients_without_tls_are_all_told_so_and_disturb_nobody():
    with secure("--threads", "1") as server, ExitStack() as stack:
        # More than the loop waits for: those beyond are answered and closed at once.
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(150)]
        for client in clients:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for client in clients:
            answer = b""
            while b"This port speaks TLS" not in answer:
                answer += client.recv(4096) or pytest.fail(f"closed after {answer!r}")
        assert server.rest("GET", "/health").status == 200
