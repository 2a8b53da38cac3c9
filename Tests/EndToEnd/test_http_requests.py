"""What HTTP asks of every request and answer: expectations, HEAD, codings of bodies; and what is logged and counted."""

import gzip
import json
import subprocess
import zlib

import pytest

from apus_e2e import PATIENCE, Client, Server
from certificates import authority
from extensions import topic_path
from history import offsets, page
from prometheus import scrape
from raw_http import RawHTTP, request
from raw_websocket import RawWebSocket, frame, upgrade_request

STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform",
          "x-accel-buffering": "no"}
LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def keyed():
    with Server("--api-key", "k") as running:
        yield running


# MARK: Expect

def held_back(method, path, size=5, **headers):
    return request(method, path, **({"Content_Length": size, "Expect": "100-continue"} | headers))


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/topics", b'{"name":"waited-for"}', 201), ("PUT", "/topics/waited-for", b"{}", 200),
    ("POST", "/topics/waited-for/messages", b"1", 201), ("POST", "/v1/topics/waited-for/messages", b"no json", 400),
    ("DELETE", "/topics/waited-for", b"x", 200),
])
@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
def test_a_client_that_waits_is_told_to_go_on(server, method, path, body, status, value):
    server.create("waited-for")
    server.delete("waited-for") if status == 201 and path == "/topics" else None
    with RawHTTP(server) as raw:
        for _ in range(2 if status != 200 or method == "PUT" else 1):
            raw.send(held_back(method, path, len(body), Expect=value))
            assert raw.head() == (100, "HTTP/1.1", {})
            raw.send(body)
            assert raw.answer().status in (status, 409)


@pytest.mark.parametrize(("method", "path", "headers", "status"), [
    ("POST", "/nope", {}, 404), ("POST", "/topics/nowhere/messages", {}, 404), ("DELETE", "/topics/nowhere", {}, 404),
    ("PATCH", "/topics", {}, 405), ("POST", "/topics", {"Content_Length": 10_000_000}, 413),
    ("POST", "/topics", {"Content_Encoding": "br"}, 415), ("POST", "/topics", {"Expect": "200-ok"}, 417),
    ("POST", "/topics", {"Expect": ["100-continue", "x"]}, 417), ("GET", "/health", {"Expect": "x"}, 417),
    ("POST", "/topics/a.*/messages", {}, 400), ("POST", "/topics/waited-for/messages", {"Content_Length": 2 << 20}, 413),
    ("GET", "/health", {}, 200),
])
def test_a_client_that_waits_gets_a_final_answer_before_its_body(server, method, path, headers, status):
    server.create("waited-for")
    with RawHTTP(server) as raw:
        raw.send(held_back(method, path, **headers))
        answer = raw.answer()
        assert answer.status == status
        # Nobody knows whether the body comes now.
        assert answer.headers["connection"] == "close"
        raw.expect_end()


def test_a_client_without_a_key_gets_a_final_answer_before_its_body(keyed):
    with RawHTTP(keyed) as raw:
        raw.send(held_back("POST", "/topics"))
        assert raw.answer().status == 401
        raw.expect_end()


def test_a_client_that_does_not_wait_after_all_is_not_told(server):
    with RawHTTP(server) as raw:
        body = b'{"name":""}'
        raw.send(held_back("POST", "/topics", len(body)) + body)
        statuses = [raw.head()[0]]
        if statuses == [100]:
            statuses.append(raw.answer().status)
        assert statuses[-1] == 400
    for version, expected in [("HTTP/1.0", "100-continue"), ("HTTP/1.0", "whatever")]:
        with RawHTTP(server) as raw:
            raw.send(request("POST", "/topics", b"no", version=version, Expect=expected))
            assert raw.answer().status == 400


def test_curl_sends_a_large_body_without_a_pause(server, topic, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b'"' + b"x" * 1_040_000 + b'"')
    done = subprocess.run(["curl", "-sS", "--cacert", authority().certificate, "-w", "%{http_code} %{time_total}",
                           "-o", "/dev/null", "-H", "Expect: 100-continue", "--expect100-timeout", "30", "--data-binary", f"@{body}",
                           server.url + topic_path(topic, "/messages")], capture_output=True, text=True, timeout=60)
    status, seconds = done.stdout.split()
    assert status == "201", done
    assert float(seconds) < 20 * PATIENCE


# MARK: HEAD

@pytest.mark.parametrize(("path", "status"), [
    ("/health", 200), ("/topics", 200), ("/docs", 200), ("/metrics", 200), ("/nope", 404), ("/topics/nowhere", 404),
    ("/topics/nowhere/events", 404), ("/events?topic=nowhere", 404), ("/events", 400), ("/events?topic=a*", 400),
    ("/topics/%zz", 400), ("/ws", 426), ("/topics/x/messages?limit=0", 400), ("/v1/topics/nowhere/messages?wait=9s", 404),
])
def test_head_has_no_body_and_says_what_get_would(server, path, status):
    with RawHTTP(server) as raw:
        told = raw.ask("HEAD", path)
        assert told.status == status
        # What follows is the next answer, to the byte.
        wanted = raw.ask("GET", path)
        assert wanted.status == status
        assert told.headers["content-type"] == wanted.headers["content-type"]
        if path not in ("/health", "/metrics", "/topics"):
            assert told.headers["content-length"] == wanted.headers["content-length"]
        assert raw.ask("HEAD", path).status == status


def test_an_answer_without_a_body_leaves_nothing_on_the_connection(server):
    with RawHTTP(server) as raw:
        for _ in range(2):
            answer = raw.ask("GET", "/apus.js", If_None_Match="*")
            assert answer.status == 304 and not {"content-length", "transfer-encoding"} & set(answer.headers)
            assert raw.ask("HEAD", "/apus.js", If_None_Match="*").status == 304
        assert raw.ask().status == 200


def test_a_stream_that_is_refused_for_the_moment_ends_with_its_connection():
    with Server("--max-connections", "1") as server:
        server.create("t")
        with RawWebSocket.open(server), RawHTTP(server) as raw:
            assert raw.ask().status == 200
            answer = raw.ask("GET", "/topics/t/events", Accept="text/event-stream")
            assert (answer.status, answer.headers["connection"]) == (200, "close") and b"retry: " in answer.body
            raw.expect_end()


@pytest.mark.parametrize(("text", "status", "closes"), [
    (request("HEAD", "/health", host=None), 400, True), (upgrade_request(method="HEAD"), 426, True),
    (request("HEAD", "/health", Transfer_Encoding="x"), 501, True), (request("HEAD", "/health", Expect="x"), 417, True),
    (request("HEAD", "/topics", version="HTTP/1.0"), 200, True),
])
def test_head_has_no_body_when_it_is_refused_either(server, text, status, closes):
    with RawHTTP(server) as raw:
        raw.send(text)
        assert raw.answer(is_head=True).status == status
        raw.expect_end()


def test_head_without_a_key_has_no_body(keyed):
    with RawHTTP(keyed) as raw:
        for path in ["/topics", "/topics/x", "/topics/x/events"]:
            assert raw.ask("HEAD", path).status == 401
        assert raw.ask("HEAD", "/health").status == 200


@pytest.mark.parametrize("query", ["", "?last_n=3", "?last_event_id=x:5"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_head_of_a_stream_opens_none(server, topic, prefix, query):
    with RawHTTP(server) as raw:
        for path in [f"{prefix}{topic_path(topic)}/events{query}", f"{prefix}/events?topic={topic}&topic=a.*"]:
            answer = raw.ask("HEAD", path)
            assert answer.status == 200 and STREAM.items() <= answer.headers.items()
            assert not {"content-length", "transfer-encoding"} & set(answer.headers)
    assert server.subscribers(topic) == 0


def test_head_of_a_stream_where_there_is_no_room_is_refused_as_get_is():
    with Server("--max-connections", "1") as server:
        server.create("t")
        with RawWebSocket.open(server), RawHTTP(server) as raw:
            assert raw.ask("HEAD", "/topics/t/events").status == 503
            assert raw.ask("GET", "/topics/t/events").status == 503


def test_head_of_a_stream_beyond_the_topics_end_is_refused_as_get_is(server, topic):
    epoch = page(server, topic)["epoch"]
    with RawHTTP(server) as raw:
        for method in ["HEAD", "GET"]:
            raw.send(request(method, topic_path(topic, "/events"), Last_Event_ID=f"{epoch}:7"))
            assert raw.answer(is_head=method == "HEAD").status == 400


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("first", [b"", request("HEAD", "/livez")], ids=["first", "second"])
def test_no_proxy_is_to_keep_a_stream_back(server, topic, version, first):
    with RawHTTP(server) as raw:
        if first:
            raw.send(first)
            assert raw.answer(is_head=True).status == 200
        raw.send(request(path=topic_path(topic, "/events"), version=version))
        status, _, headers = raw.head()
        assert status == 200 and STREAM.items() <= headers.items()
        assert raw.take(12) == b"retry: 2000\n"


# MARK: Codings

def coded(body, *codings):
    for coding in codings:
        body = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes, "raw": raw_deflate}[coding](body)
    return body


def raw_deflate(body):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


@pytest.mark.parametrize(("header", "codings"), [
    ("gzip", ["gzip"]), ("GZIP", ["gzip"]), ("x-gzip", ["gzip"]), ("deflate", ["deflate"]), ("deflate", ["raw"]),
    ("identity", []), ("", []), ("gzip, deflate", ["gzip", "deflate"]), ("deflate,gzip , gzip", ["deflate", "gzip", "gzip"]),
    ("gzip, identity", ["gzip"]),
])
def test_a_coded_body_is_decoded(server, topic, header, codings):
    headers = {"Content-Encoding": header, "Content-Type": "application/json"}
    payload = {"a": "ü" * 1000}
    body = coded(json.dumps(payload).encode(), *codings)
    assert server.rest("POST", topic_path(topic, "/messages"), body, headers).status == 201
    assert page(server, topic)["messages"][0]["message"]["payload"] == payload
    assert server.rest("POST", "/topics", coded(json.dumps({"name": topic}).encode(), *codings), headers).status == 409
    assert server.rest("PUT", topic_path(topic), coded(b'{"history":7}', *codings), headers).json["settings"]["history"] == 7


@pytest.mark.parametrize("header", ["br", "zstd", "compress", "gzip, br", "br, gzip", "*", "gzip;q=1", ", ".join(["gzip"] * 5)])
@pytest.mark.parametrize(("method", "path"), [("POST", "/topics"), ("PUT", "/topics/coded"), ("POST", "/topics/coded/messages")])
def test_another_coding_is_refused_even_over_a_plain_body(server, method, path, header):
    server.create("coded")
    response = server.rest(method, path, b"{}", {"Content-Encoding": header})
    assert (response.status, response.json["code"]) == (415, "UNSUPPORTED_ENCODING")
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("header", ["gzip", "deflate", "gzip, deflate", "deflate, gzip"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"name":"x"}', coded(b"{}", "gzip")[:-1], coded(b"{}", "gzip") + b"x",
                                  coded(b"{}", "deflate")[:-1], coded(b"{}", "deflate") + b"x", b"\x1f\x8b\x08"])
def test_a_body_that_is_not_coded_as_it_says_is_a_bad_request(server, topic, header, body):
    response = server.rest("POST", topic_path(topic, "/messages"), body, {"Content-Encoding": header})
    assert (response.status, response.json["code"]) == (400, "BAD_REQUEST")
    assert offsets(page(server, topic)) == []


@pytest.mark.parametrize("codings", [["gzip"], ["deflate"], ["raw"], ["gzip", "gzip"], ["deflate", "gzip", "gzip"]])
@pytest.mark.parametrize(("path", "limit"), [("/topics", LIMIT), ("/messages", 1 << 20)])
def test_a_bomb_is_cut_at_the_limit(server, topic, codings, path, limit):
    if path == "/messages":
        path = topic_path(topic, path)
    header = {"Content-Encoding": ", ".join(codings).replace("raw", "deflate")}
    exact = b'"' + b"x" * (limit - 2) + b'"'
    assert server.rest("POST", path, coded(exact, *codings), header).status in (201, 400)
    response = server.rest("POST", path, coded(exact + b" ", *codings), header)
    assert (response.status, response.json["code"]) == (413, "TOO_LARGE")
    bomb = coded(b" " * (64 << 20), *codings)
    assert len(bomb) < limit * 2
    before = server.rss
    assert server.rest("POST", path, bomb, header).status == 413
    assert server.rss - before < 32 << 20


# MARK: WebSockets

@pytest.mark.parametrize(("offer", "answer"), [
    ("apus", "apus"), ("chat, apus", "apus"), (" apus ,bearer.x", "apus"), ("chat", None), ("APUS", None),
    ("apus2", None), ("", None), (",", None), ("a pus", None),
])
@pytest.mark.parametrize("first", [b"", request("HEAD", "/livez")], ids=["first", "second"])
def test_the_one_subprotocol_is_answered_to_who_offers_it(server, offer, answer, first):
    with RawHTTP(server) as raw:
        if first:
            raw.send(first)
            raw.answer(is_head=True)
        raw.send(upgrade_request(Sec_WebSocket_Protocol=offer))
        status, _, headers = raw.head()
        assert (status, headers.get("sec-websocket-protocol")) == (101, answer)
        raw.expect_pong()


async def test_an_independent_client_takes_the_subprotocol(server):
    async with await Client.open(server, subprotocols=["chat", "apus"]) as client:
        assert client.connection.subprotocol == "apus"
        await client.expect_alive()


def deflate_raw(text):
    return raw_deflate(text.encode())


def test_a_message_that_ends_in_its_last_block_is_read(server):
    with RawWebSocket(server) as raw:
        status, headers = raw.request(upgrade_request(Sec_WebSocket_Extensions="permessage-deflate"))
        assert status == 101 and "permessage-deflate" in headers["sec-websocket-extensions"]
        ping = '{"type":"ping","request_id":%d}'
        many = b"".join(deflate_raw(part) for part in ['{"type":', '"ping",', '"request_id":2}'])
        for number, body in [(1, deflate_raw(ping % 1)), (2, many), (3, deflate_raw(ping % 3) + b"\0")]:
            raw.send(frame(1, body, rsv=4))
            assert raw.read_message()["request_id"] == number
        raw.send(frame(1, deflate_raw(ping % 4)[:-1], rsv=4))
        raw.expect_close(1007)


def test_a_bomb_of_last_blocks_is_cut_at_the_limit(server):
    with RawWebSocket(server) as raw:
        raw.request(upgrade_request(Sec_WebSocket_Extensions="permessage-deflate"))
        raw.send(frame(1, raw_deflate(b" " * (1 << 19)) * 3, rsv=4))
        raw.expect_close(1009)


@pytest.mark.parametrize("ttl", ["0.0009", "0.0001", "9e-4", "1e-9", "0", "-1", '"0.9ms"', '"0.0001s"'])
def test_a_lifetime_below_a_millisecond_is_refused(server, topic, ttl):
    with RawWebSocket.open(server) as raw:
        raw.send(frame(1, '{"type":"publish","topic":"%s","ttl":%s,"message":{"id":"%s","payload":1}}' % (topic, ttl, "0" * 32)))
        raw.expect_error("BAD_REQUEST")
    for path, value in [(topic_path(topic, "/messages?ttl=" + ttl.strip('"')), b"1")]:
        assert server.rest("POST", path, value).status == 400
    assert server.rest("PUT", topic_path(topic), b'{"ttl":%s}' % ttl.encode()).status == 400
    assert offsets(page(server, topic)) == []


@pytest.mark.parametrize("name", ["a\nb", "\0", "a\x7f", "\x1f", "\u0085", "n" * 256])
@pytest.mark.parametrize("kind", ["publish", "subscribe", "unsubscribe"])
async def test_a_name_that_no_topic_can_have_is_a_bad_request(server, name, kind):
    async with await Client.open(server) as client:
        fields = {"message": {"id": "0" * 32, "payload": 1}} if kind == "publish" else {"client_id": "c"}
        await client.send(type=kind, topic=name, request_id=1, **fields)
        assert "1 to 255 bytes" in await client.expect_error("BAD_REQUEST", request_id=1)


@pytest.mark.parametrize("pattern", ["a.*", ">", "a*", "*.>.b", "orders.>"])
@pytest.mark.parametrize("batch", [False, True])
async def test_one_cannot_publish_to_a_pattern(server, dialect, pattern, batch):
    message = {"id": "0" * 32, "payload": 1}
    async with await Client.open(server, dialect) as client:
        await client.send(type="publish", topic=pattern, **({"messages": [message]} if batch else {"message": message}))
        assert "cannot publish to a pattern" in await client.expect_error("BAD_REQUEST")
    response = server.rest("POST", topic_path(pattern, "/messages", dialect), b"1")
    assert (response.status, response.json["code"]) == (400, "BAD_REQUEST")
    assert "cannot publish to a pattern" in response.json["detail"]


# MARK: What operators see

REASONS = {"no_upgrade", "version", "malformed", "unauthorized", "origin", "host", "draining", "max_connections", "timeout",
           "connections_per_address"}


def refused(server, headers=None):
    return scrape(server, headers=headers).labelled("apus_handshakes_refused_total", "reason")


def test_refused_handshakes_are_counted_and_logged_with_their_reason_and_address():
    flags = ["--api-key", "k", "--max-connections", "1", "--handshake-timeout", "300ms"]
    with Server(*flags) as server:
        key = {"X-API-Key": "k"}
        assert set(refused(server, key)) == REASONS and not any(refused(server, key).values())

        def ask(text, status):
            with RawHTTP(server) as raw:
                raw.send(text)
                assert raw.answer().status == status
                return "%s:%d" % raw.socket.getsockname()
        seen = {"no_upgrade": ask(request(path="/ws"), 426), "version": ask(upgrade_request(Sec_WebSocket_Version="8"), 426),
                "malformed": ask(upgrade_request(Sec_WebSocket_Key="x"), 400),
                "unauthorized": ask(upgrade_request("/v1/ws?api_key=wrong"), 401),
                "origin": ask(upgrade_request(Origin="https://evil.example"), 403),
                "host": ask(upgrade_request(Host="evil.example"), 403),
                "timeout": ask(upgrade_request()[:-2], 408)}
        ask(upgrade_request(without=["Host"]), 400)
        ask(upgrade_request("http://localhost/ws", Upgrade="h2c", X_API_Key="k"), 426)
        ask(upgrade_request("/nope"), 404)
        with RawWebSocket.open(server, "/ws?api_key=k"):
            seen["max_connections"] = ask(upgrade_request("/ws?api_key=k"), 503)
            told = refused(server, key)
        assert told == {"no_upgrade": 2, "version": 1, "malformed": 2, "unauthorized": 1, "origin": 1, "host": 1, "timeout": 1, "draining": 0,
                        "max_connections": 1, "connections_per_address": 0}
        for reason, address in seen.items():
            line = server.wait_for_log(address)
            record = next(line for line in server.log if "handshake refused" in line and f"reason={reason}" in line)
            assert f"address={address}" in record and " info " in record.lower(), record
        assert not any(" error " in line.lower() for line in server.log)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_requests_are_logged_with_their_clients_address_and_probes_only_at_debug(level):
    with Server("--log-level", level, "--log-format", "json") as server:
        for path in ["/health", "/v1/health", "/livez", "/readyz", "/metrics", "/topics", "/nope"]:
            with RawHTTP(server) as raw:
                raw.ask(path=path)
                address = "%s:%d" % raw.socket.getsockname()
        with RawHTTP(server) as raw:
            raw.ask(host=None)
        server.wait_for_log("request refused")
        records = [json.loads(line) for line in server.log if line.startswith("{")]
    told = {record["path"]: record["level"] for record in records if record["message"] == "request"}
    probes = {path: "debug" for path in ["/health", "/v1/health", "/livez", "/readyz", "/metrics"]}
    assert told == {"/topics": "info", "/nope": "info"} | (probes if level == "debug" else {})
    assert next(record for record in records if record.get("path") == "/nope")["address"] == address
    refusal = next(record for record in records if record["message"] == "request refused")
    assert refusal["level"] == "info" and refusal["address"].startswith("127.0.0.1:")
