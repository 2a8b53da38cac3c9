"""HTTP as an attacker or a broken client sends it: framing, hosts, heads without end, requests behind each other."""

import select
import socket
import time

import pytest

from apus_e2e import PATIENCE, Server, eventually
from extensions import topic_path
from history import offsets, page
from prometheus import scrape
from raw_http import RawHTTP, request
from raw_websocket import TEXT, command, frame, upgrade_request

pytestmark = pytest.mark.one_server("it is about one process")

BODIES = [("POST", "/topics"), ("PUT", "/topics/framed"), ("DELETE", "/topics/framed"),
          ("POST", "/topics/framed/messages"), ("POST", "/v1/topics"), ("PUT", "/v1/topics/framed"),
          ("DELETE", "/v1/topics/framed"), ("POST", "/v1/topics/framed/messages")]


@pytest.fixture(scope="module")
def named():
    """A server that answers to names that are not its machine's."""
    names = [flag for name in ("a", "a_b", "elsewhere", "example.com") for flag in ("--allowed-host", name)]
    with Server(*names) as running:
        running.create("framed")
        yield running


@pytest.fixture(scope="module")
def impatient():
    with Server("--handshake-timeout", "300ms") as running:
        running.create("framed")
        yield running


def alarms(server):
    """What would wake somebody: records at error, and answers of a broken server."""
    errors = [line for line in server.log if " error " in line.lower().split("apus")[0]]
    metrics = scrape(server).samples
    return errors, {labels for name, labels in metrics
                    if name == "apus_http_requests_total" and dict(labels)["status"] == "500"}


# MARK: Bodies

@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(("headers", "body"), [
    ({"Content_Length": 10}, b"1"), ({"Content_Length": 10}, b""),
    ({"Transfer_Encoding": "chunked"}, b"5\r\nab"), ({"Transfer_Encoding": "chunked"}, b"1\r\n1\r\n"),
    ({"Transfer_Encoding": "chunked"}, b""),
])
def test_a_body_that_breaks_off_is_the_clients_fault(server, method, path, headers, body):
    server.create("framed")
    with RawHTTP(server) as raw:
        raw.send(request(method, path, **headers) + body)
        raw.half_close()
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        assert answer.headers["connection"] == "close"
        raw.expect_end()
    assert server.rest("GET", "/topics/framed").json["last"] == 0
    assert alarms(server) == ([], set())


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_client_that_is_gone_within_its_body_rings_no_alarm(server, method, path):
    server.create("framed")
    raw = RawHTTP(server)
    raw.send(request(method, path, Content_Length=10) + b"1")
    raw.abort()
    with RawHTTP(server) as raw:
        raw.send(request(method, path, Content_Length=10) + b"1")
    assert server.rest("GET", "/topics/framed").json["last"] == 0
    assert alarms(server) == ([], set())


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("chunks", [b"zz\r\n", b"-1\r\n1\r\n", b"1\r\n12\r\n0\r\n\r\n", b"fffffffffffffffff\r\n", b" 1\r\n1\r\n",
                                    b"1 1\r\n", b"\r\n\r\n", b"1\r\n1\r\nxyz\r\n"])
def test_a_chunk_that_is_none_is_a_bad_request(server, method, path, chunks):
    server.create("framed")
    with RawHTTP(server) as raw:
        raw.send(request(method, path, Transfer_Encoding="chunked") + chunks)
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        raw.expect_end()
    assert server.rest("GET", "/topics/framed").json["last"] == 0
    assert alarms(server) == ([], set())


@pytest.mark.parametrize(("headers", "status"), [
    ({"Transfer_Encoding": "foo"}, 501), ({"Transfer_Encoding": "gzip, chunked"}, 501),
    ({"Transfer_Encoding": "chunked, foo"}, 400), ({"Transfer_Encoding": "identity"}, 501),
    ({"Transfer_Encoding": "chunked, chunked"}, 400), ({"Transfer_Encoding": ["chunked", "chunked"]}, 400),
    ({"Transfer_Encoding": ""}, 400), ({"Transfer_Encoding": "chunked", "Content_Length": 1}, 400),
    ({"Content_Length": 1, "Transfer_Encoding": "chunked"}, 400), ({"Content_Length": [1, 1]}, 400),
    ({"Content_Length": [1, 2]}, 400), ({"Content_Length": "1, 1"}, 400), ({"Content_Length": -1}, 400),
    ({"Content_Length": "+1"}, 400), ({"Content_Length": "0x1"}, 400), ({"Content_Length": "1e1"}, 400),
    ({"Content_Length": ""}, 400), ({"Content_Length": 1 << 64}, 400), ({"Content_Length": (1 << 64) - 1}, 400),
    ({"Content_Length": (1 << 63) - 1}, 413), ({"Content_Length": 200_000}, 413),
])
@pytest.mark.parametrize(("method", "path"), [("POST", "/topics"), ("DELETE", "/v1/topics/x")])
def test_framing_that_is_unknown_or_can_be_read_in_two_ways_is_refused(server, method, path, headers, status):
    with RawHTTP(server) as raw:
        raw.send(request(method, path, **headers) + b"1")
        answer = raw.answer()
        assert answer.status == status
        assert answer.code == {400: "BAD_REQUEST", 413: "TOO_LARGE", 501: "NOT_IMPLEMENTED"}[status]
        raw.expect_end()
    assert alarms(server) == ([], set())


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("headers", [{"Content_Length": 10}, {"Transfer_Encoding": "chunked"}])
def test_a_body_that_does_not_end_is_timed_out(impatient, method, path, headers):
    with RawHTTP(impatient) as raw:
        raw.send(request(method, path, **headers) + b"1")
        answer = raw.answer()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        raw.expect_end()
    assert alarms(impatient) == ([], set())


def test_a_head_that_does_not_end_is_timed_out(impatient):
    for start in [b"GET /health HTTP/1.1\r\nHo", b"GET /ws HTTP/1.1\r\nHo", b"POST /topics HTTP/1.1\r\n", b"P"]:
        with RawHTTP(impatient) as raw:
            raw.send(start)
            answer = raw.answer()
            assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
            raw.expect_end()


def test_a_second_head_that_does_not_end_is_timed_out_even_if_it_drips(impatient):
    with RawHTTP(impatient) as raw:
        assert raw.ask().status == 200
        # An idle connection may stay, and so may one that sends empty lines.
        raw.send(b"\r\n")
        time.sleep(0.5)
        assert raw.ask().status == 200
        for byte in b"GET /health HTTP/1.1\r\nX: " + b"x" * 5000:
            raw.send(bytes([byte]))
            if select.select([raw.socket], [], [], 0.02)[0]:
                break
        assert raw.answer().status == 408
        raw.expect_end()


def test_a_slow_body_may_take_its_time(impatient):
    """Eight kilobytes a second are enough, however long it takes."""
    with RawHTTP(impatient) as raw:
        body = b'"' + b"x" * 40_000 + b'"'
        raw.send(request("POST", "/topics/framed/messages", Content_Length=len(body)))
        for start in range(0, len(body), 4000):
            raw.send(body[start:start + 4000])
            time.sleep(0.05)
        assert raw.answer().status == 201


def test_a_long_poll_whose_request_does_not_end_is_not_held(impatient):
    with RawHTTP(impatient) as raw:
        raw.send(request("GET", "/topics/framed/messages?wait=60s&last_n=0", Content_Length=10) + b"1")
        raw.answer()
        raw.expect_end()
    eventually(lambda: waiting(impatient) == 0, "nothing waits")


def waiting(server):
    return scrape(server).labelled("apus_connections", "transport")["sse"]


# MARK: Hosts and targets

@pytest.mark.parametrize("path", ["/health", "/ws", "/topics/x/events"])
@pytest.mark.parametrize("hosts", [[], ["a", "a"], ["a", "b"], [""], ["a b"], ["a/b"], ["a:b"], ["@"], ["[::1"], ["ä"]])
def test_a_request_names_one_host(server, path, hosts):
    text = upgrade_request(path, without=["Host"]) if path == "/ws" else request("GET", path, host=None)
    first, rest = text.split(b"\r\n", 1)
    with RawHTTP(server) as raw:
        raw.send(first + b"\r\n" + b"".join(f"Host: {host}\r\n".encode() for host in hosts) + rest)
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        raw.expect_end()


def test_only_an_older_client_needs_no_host(server):
    with RawHTTP(server) as raw:
        raw.send(request(version="HTTP/1.0", host=None))
        answer = raw.answer()
        assert (answer.status, answer.version) == (200, "HTTP/1.0")
        raw.expect_end()


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1:80", "[::1]:8080", "a_b:"])
@pytest.mark.parametrize("address", ["http://elsewhere:1", "HTTP://[::1]", "https://a"])
def test_a_whole_address_is_taken_for_its_path(named, address, host):
    with RawHTTP(named) as raw:
        assert raw.ask("GET", f"{address}/topics/framed", host=host).status == 200
        assert raw.ask("GET", f"{address}/nope?x", host=host).status == 404
        raw.send(request("HEAD", address, host=host))
        assert raw.answer(is_head=True).status == 200
        raw.send(upgrade_request(f"{address}/ws", Host=host))
        assert raw.head()[0] == 101
        raw.expect_pong("absolute")
    with RawHTTP(named) as raw:
        raw.send(upgrade_request(f"{address}/v1/ws?x", Host=host))
        assert raw.head()[0] == 101


@pytest.mark.parametrize("target", ["http://", "http:///ws", "ftp://a/ws", "ws", "*", "http://u@a/", "a:80"])
def test_another_target_is_a_bad_request(server, target):
    with RawHTTP(server) as raw:
        assert raw.ask("GET", target).status == 400
        raw.expect_end()


def test_the_server_is_no_proxy(server):
    with RawHTTP(server) as raw:
        assert raw.ask("CONNECT", "a:80").status == 400
        raw.expect_end()


# MARK: Heads

@pytest.mark.parametrize("size", [64 * 1024 + 1, 100_000, 200_000, 2_000_000])
@pytest.mark.parametrize("where", ["line", "field", "fields", "many"])
def test_a_head_without_end_is_refused_so_that_the_client_can_read_it(server, where, size):
    text = {
        "line": lambda: request("GET", "/" + "x" * size),
        "field": lambda: request(X="x" * size),
        "fields": lambda: request(**{f"X{number}": "x" * 4000 for number in range(size // 4000 + 1)}),
        "many": lambda: request(**{f"X{number}": "" for number in range(300)}),
    }[where]()
    with RawHTTP(server) as raw:
        # All of it, before anything is read: as most clients do.
        raw.send(text)
        answer = raw.answer()
        expected = (414, "TARGET_TOO_LONG") if where == "line" else (431, "HEAD_TOO_LARGE")
        assert (answer.status, answer.code) == expected
        raw.expect_end()


def test_a_large_head_is_taken(server):
    with RawHTTP(server) as raw:
        assert raw.ask(X="x" * 60_000).status == 200
        assert raw.ask(**{f"X{number}": "x" * 200 for number in range(200)}).status == 200
        raw.send(upgrade_request(X="x" * 60_000))
        assert raw.head()[0] == 101
    with RawHTTP(server) as raw:
        raw.send(upgrade_request(X="x" * 60_000))
        assert raw.head()[0] == 101
        raw.expect_pong()


@pytest.mark.parametrize(("garbage", "status"), [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 400), (b"hello\r\n\r\n", 400),
    (b"GET /health\r\n\r\n", 505), (b"GET /health HTTP/2.7\r\n\r\n", 505), (b"GET /health HTTP/0.9\r\nHost: a\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400), (b"GET /health HTTP/1.1\r\nHost: a\r\n : x\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400), (b"GET /health HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
])
def test_garbage_is_refused_first_and_behind_an_answer(server, garbage, status):
    with RawHTTP(server) as raw:
        raw.send(garbage)
        assert raw.answer().status == status
        raw.expect_end()
    with RawHTTP(server) as raw:
        raw.send(request() + garbage + b"x" * 100_000)
        assert [raw.answer().status, raw.answer().status] == [200, status]
        raw.expect_end()


# MARK: One behind the other

def test_a_thousand_requests_in_one_write_are_answered_in_order(server, topic):
    body = b"".join(request("POST", topic_path(topic, "/messages"), str(number).encode()) for number in range(1000))
    with RawHTTP(server) as raw:
        raw.send(body)
        raw.half_close()
        answers = [raw.answer() for _ in range(1000)]
        raw.expect_end()
    assert {answer.status for answer in answers} == {201}
    assert [int(answer.body.split(b'"offset":')[1].split(b",")[0]) for answer in answers] == list(range(1, 1001))
    assert offsets(page(server, topic, last_n=3)) == [998, 999, 1000]


def test_requests_of_all_kinds_keep_their_order(server, topic):
    with RawHTTP(server) as raw:
        raw.send(request("POST", topic_path(topic, "/messages"), b"1") + request("HEAD", "/nope")
                 + request("GET", topic_path(topic, "/messages?wait=100ms&after=1")) + request("POST", "/topics", b"no")
                 + request("GET", "/livez", Connection="close") + request())
        assert raw.answer().status == 201
        assert raw.answer(is_head=True).status == 404
        assert b'"messages":[]' in raw.answer().body
        assert [raw.answer().status, raw.answer().status] == [400, 200]
        # What came behind the last one has no answer.
        raw.expect_end()


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("first", ["/health", "/topics/framed/messages?wait=10ms&last_n=0"])
def test_a_handshake_behind_requests_has_its_turn(server, first, count):
    server.create("framed")
    with RawHTTP(server) as raw:
        frames = b"".join(command(type="ping", request_id=number) for number in range(20))
        raw.send(request("GET", first) * count + upgrade_request() + frames)
        assert [raw.answer().status for _ in range(count)] == [200] * count
        status, _, headers = raw.head()
        assert (status, headers["upgrade"]) == (101, "websocket")
        assert [raw.read_message()["request_id"] for _ in range(20)] == list(range(20))
        raw.expect_pong("after")


def test_a_handshake_behind_a_request_with_more_than_a_read_behind_it(server):
    with RawHTTP(server) as raw:
        large = frame(TEXT, '{"type":"ping","request_id":1,"x":"' + "x" * 500_000 + '"}')
        raw.send(request("POST", "/topics", b"1") + upgrade_request() + large + command(type="ping", request_id=2))
        assert raw.answer().status == 400
        assert raw.head()[0] == 101
        assert [raw.read_message()["request_id"] for _ in range(2)] == [1, 2]


def test_a_handshake_behind_a_request_that_is_refused_is_refused_in_its_turn(server):
    with RawHTTP(server) as raw:
        raw.send(request() + upgrade_request(Sec_WebSocket_Version="8") + request())
        assert [raw.answer().status, raw.answer().status] == [200, 426]
        raw.expect_end()


def test_a_client_that_sends_its_handshake_and_closes_its_side_is_upgraded_behind_a_request(server):
    with RawHTTP(server) as raw:
        raw.send(request() + upgrade_request() + command(type="ping", request_id=1))
        raw.half_close()
        assert raw.answer().status == 200
        assert raw.head()[0] == 101


# MARK: The end

def test_an_answer_before_the_body_can_be_read_though_the_client_sends_on(server):
    with RawHTTP(server) as raw:
        raw.send(request("POST", "/topics", Content_Length=3_000_000) + b"x" * 3_000_000)
        answer = raw.answer()
        assert (answer.status, answer.code) == (413, "TOO_LARGE")
        assert answer.headers["connection"] == "close"
        raw.expect_end()


def test_a_small_body_nobody_wanted_keeps_the_connection(server):
    with RawHTTP(server) as raw:
        for _ in range(3):
            raw.send(request("POST", "/nope", Content_Length=5))
            answer = raw.answer()
            assert (answer.status, answer.headers.get("connection")) == (404, None)
            raw.send(b"12345")
            assert raw.ask().status == 200


def test_a_client_that_does_not_hang_up_is_cut(server):
    before = server.open_files
    with RawHTTP(server) as raw:
        raw.ask(Connection="close")
        raw.expect_end()
        eventually(lambda: server.open_files <= before, "its socket is closed", 20 * PATIENCE)


def test_an_old_client_that_takes_its_time_gets_all_of_a_large_answer(server, topic):
    for number in range(40):
        server.rest("POST", topic_path(topic, "/messages"), b'"' + bytes([97 + number % 26]) * 100_000 + b'"')
    raw = RawHTTP(server, receive_buffer=4096)
    with raw:
        raw.send(request("GET", topic_path(topic, "/messages?since=all"), version="HTTP/1.0"))
        raw.half_close()
        time.sleep(0.3)
        answer = raw.answer()
        assert answer.status == 200 and len(answer.body) > 3_900_000 and answer.body.endswith(b"}")


def test_a_client_that_takes_nothing_of_its_answers_is_cut():
    with Server("--close-timeout", "1s", "--idle-timeout", "0") as server:
        server.create("t")
        for _ in range(10):
            server.rest("POST", "/topics/t/messages", b'"' + b"x" * 400_000 + b'"')
        text = request("GET", "/topics/t/messages?since=all")
        with RawHTTP(server) as raw:
            raw.ask()
            before = server.open_files
        stuck = [RawHTTP(server, receive_buffer=4096) for _ in range(4)]
        for raw, requests in zip(stuck, [text, text * 3, request("GET", "/topics/t/messages?since=all", Connection="close"),
                                         request("GET", "/topics/t/messages?since=all", version="HTTP/1.0")]):
            raw.send(requests)
        eventually(lambda: server.open_files < before, "their sockets are closed")
        for raw in stuck:
            raw.socket.close()
        # Who takes some now and then is not.
        with RawHTTP(server, receive_buffer=4096) as raw:
            raw.send(text * 2)
            taken = b""
            for _ in range(12):
                time.sleep(0.1)
                taken += raw.take(20_000)
            raw._buffer[:0] = taken
            assert [raw.answer().status, raw.answer().status] == [200, 200]


def test_connections_that_end_in_every_way_are_let_go_of(server, topic):
    before = eventually(lambda: server.open_files, "files")
    for end in range(60):
        raw = RawHTTP(server)
        raw.send([request(), request() * 20, request("GET", topic_path(topic, "/messages?wait=20s&last_n=0")),
                  request("POST", "/topics", Content_Length=5) + b"1", b"GET / HT", request() + upgrade_request()][end % 6])
        if end % 4 == 0:
            raw.abort()
        elif end % 4 == 1:
            raw.half_close()
            raw.socket.recv(1)
            raw.socket.close()
        else:
            raw.socket.shutdown(socket.SHUT_RDWR)
            raw.socket.close()
    eventually(lambda: server.open_files <= before, "all sockets are closed")
    eventually(lambda: waiting(server) == 0, "nothing waits")
    assert alarms(server) == ([], set())
