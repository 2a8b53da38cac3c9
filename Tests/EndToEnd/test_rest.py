"""REST: errors, names, methods, odd requests, and the API documentation."""

import gzip
import json
import re

import pytest

from apus_e2e import Client

LIMIT = 64 * 1024


def expect_problem(response, status, code, detail=None):
    assert response.status == status
    assert response.content_type == "application/problem+json"
    problem = response.json
    assert problem["status"] == status and problem["code"] == code
    assert isinstance(problem["type"], str) and isinstance(problem["title"], str) and problem["title"]
    assert isinstance(problem["detail"], str) and problem["detail"]
    assert detail is None or problem["detail"] == detail


def test_creating_a_topic_twice_is_a_conflict(server, topic, dialect):
    expect_problem(server.create(topic, dialect), 409, "TOPIC_EXISTS", f"Topic '{topic}' already exists")


def test_deleting_a_topic_that_does_not_exist_is_not_found(server, dialect):
    expect_problem(server.delete("nowhere", dialect), 404, "TOPIC_NOT_FOUND", "Topic 'nowhere' not found")


@pytest.mark.parametrize("body", [
    b"", b"no json", b"{", b'{"name":"x"', b"[]", b'["name"]', b'"name"', b"null", b"1", b"{}", b'{"name":null}',
    b'{"name":1}', b'{"name":true}', b'{"name":["x"]}', b'{"name":{}}', b'{"name":""}', b'{"title":"x"}',
    b'{"name":"a*"}', b'{"name":"*"}', b'{"name":"a.>"}', b'{"name":">"}', b'{"name":"a\\u0000"}', b'{"name":"a\\nb"}',
    b'{"name":"a\\u001f"}', b'{"name":"a\\u007f"}', b'{"name":"a\nb"}', b'{"name":"\xff"}', b'{"name":"x"} x',
    b'{"name":"x",}', json.dumps({"name": "n" * 256}).encode(), json.dumps({"name": "é" * 128}).encode(),
])
def test_a_body_without_an_allowed_name_is_a_bad_request(server, dialect, body):
    response = server.rest("POST", f"{dialect.prefix}/topics", body, {"Content-Type": "application/json"})
    expect_problem(response, 400, "BAD_REQUEST")


@pytest.mark.parametrize("name", [
    "n" * 255, "é" * 127 + "x", "a/b", "/", "a b", " ", "100%", "%2F", "a+b", "ünïcode", "日本語", "🐝", "a?b#c",
    "a&b=c", "it's", 'quo"te', "back\\slash", "a.b.c", "x'y", "\u00a0", "orders:eu;1",
])
async def test_a_topic_of_any_allowed_name_can_be_created_used_and_deleted(server, dialect, name):
    created = server.create(name, dialect)
    assert (created.status, created.json) == (201, {"status": "created", "topic": name})
    assert name in [entry["name"] for entry in server.rest("GET", "/topics").json["topics"]]
    assert name in server.rest("GET", "/stats").json["topics"]
    async with await Client.open(server, dialect) as client:
        await client.subscribe(name)
        await client.expect_event(name, await client.publish(name, name))
        deleted = server.delete(name, dialect)
        assert (deleted.status, deleted.json) == (200, {"status": "deleted", "topic": name})
        await client.expect(type="info", topic=name, msg="topic_deleted")


def test_names_are_compared_byte_for_byte(server):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert server.create(composed).status == 201
    assert server.delete(decomposed).status == 404
    assert server.create(decomposed).status == 201
    assert server.create("Caf\u00e9").status == 201
    assert [server.delete(name).status for name in (composed, decomposed, "Caf\u00e9")] == [200, 200, 200]


def test_a_name_may_be_written_with_escapes(server):
    assert server.rest("POST", "/topics", b'{"name":"esc\\u0061ped\\ud83d\\ude00"}').json["topic"] == "escaped😀"
    assert server.delete("escaped😀").status == 200


def test_other_members_of_the_body_are_ignored(server):
    body = {"description": {"name": 1}, "name": "described", "partitions": 3}
    assert server.rest("POST", "/topics", body).json == {"status": "created", "topic": "described"}


@pytest.mark.parametrize("path", ["/topics/%zz", "/topics/%", "/topics/%FF", "/topics/%C3"])
def test_a_path_that_is_no_percent_encoded_utf8_is_refused(server, path):
    assert server.rest("DELETE", path).status in (400, 404)


@pytest.mark.parametrize("path", ["/nope", "/topic", "/topicsx", "/topics/a/b", "/v1", "/v1/nope", "/v2/topics"])
def test_an_unknown_path_is_not_found(server, path):
    expect_problem(server.rest("GET", path), 404, "NOT_FOUND")


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("PUT", "/topics", {"GET", "POST"}), ("DELETE", "/topics", {"GET", "POST"}), ("PATCH", "/topics", {"GET", "POST"}),
    ("POST", "/topics/orders", {"DELETE"}), ("PATCH", "/topics/orders", {"DELETE"}),
    ("POST", "/health", {"GET"}), ("DELETE", "/stats", {"GET"}),
])
def test_a_wrong_method_is_told_the_right_ones(server, dialect, method, path, allowed):
    response = server.rest(method, dialect.prefix + path)
    expect_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert allowed <= {allow.strip() for allow in response.headers["Allow"].split(",")}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/health", "/topics", "/topics/x", "/ws", "/nope"])
def test_unusual_methods_are_answered_and_disturb_nothing(server, method, path):
    response = server.rest(method, path)
    assert 200 <= response.status < 500 or response.status == 501
    assert method != "HEAD" or response.body == b""
    assert server.rest("GET", "/health").status == 200


def padded(size):
    return json.dumps({"name": "padded"}).encode().ljust(size)


def test_a_body_of_64_KiB_is_taken_and_one_byte_more_is_too_large(server):
    assert server.rest("POST", "/topics", padded(LIMIT)).status == 201
    expect_problem(server.rest("POST", "/topics", padded(LIMIT + 1)), 413, "TOO_LARGE")
    assert server.delete("padded").status == 200


def test_a_chunked_body_is_taken_within_the_same_limit(server):
    def post(chunks):
        connection = server.http()
        try:
            connection.request("POST", "/topics", iter(chunks), encode_chunked=True)
            return connection.getresponse().status
        finally:
            connection.close()

    assert post([b'{"na', b'me":"chun', b'ked"}']) == 201
    assert post([b" " * 10_000] * 7) == 413
    assert server.delete("chunked").status == 200


def test_requests_follow_one_another_on_one_connection(server):
    connection = server.http()
    try:
        connection.connect()
        local = connection.sock.getsockname()
        expected = {"/health": 200, "/nope": 404, "/topics": 200, "/topics/none": 404, "/stats": 200}
        for path, status in expected.items():
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert (response.status, connection.sock.getsockname()) == (status, local)
    finally:
        connection.close()


def test_the_openapi_document_names_every_path(server):
    response = server.rest("GET", "/openapi.json")
    assert (response.status, response.content_type) == (200, "application/json")
    document = response.json
    assert document["openapi"].startswith("3.")
    assert document["info"]["title"] and document["info"]["version"]
    for prefix in ("", "/v1"):
        assert {"get", "post"} <= set(document["paths"][f"{prefix}/topics"])
        assert "delete" in document["paths"][f"{prefix}/topics/{{name}}"]
        for path in ("/health", "/stats", "/ws"):
            assert "get" in document["paths"][prefix + path]


def test_the_docs_page_needs_nothing_from_elsewhere(server):
    response = server.rest("GET", "/docs")
    assert (response.status, response.content_type) == (200, "text/html")
    page = response.body.decode()
    assert "<html" in page.lower()
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page, re.IGNORECASE)
    assert not re.search(r"""(?:@import|url\(|fetch\(|import\()\s*["'(]?\s*(?:https?:)?//""", page, re.IGNORECASE)
    for link in re.findall(r"""<(?:script|link|img)[^>]*?(?:src|href)\s*=\s*["']?([^"'\s>]+)""", page):
        assert link.startswith("data:") or server.rest("GET", "/" + link.lstrip("/")).status == 200


def test_of_a_name_given_twice_the_last_one_counts(server):
    response = server.rest("POST", "/topics", b'{"name":"first of two","name":"last of two"}')
    assert response.status == 201 and b'"last of two"' in response.body


DOCUMENTS = ["/apus.js", "/apus.d.ts", "/docs", "/docs.js", "/docs.css", "/openapi.json", "/asyncapi.json"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_is_compressed_for_who_takes_that(server, path):
    plain = server.rest("GET", path)
    assert (plain.status, plain.headers["Content-Encoding"], plain.headers["Vary"]) == (200, None, "Accept-Encoding")
    assert int(plain.headers["Content-Length"]) == len(plain.body)
    for accepted in ("gzip", "GZIP", "x-gzip", "br, gzip;q=0.5", "*", "deflate, gzip; q=1.0", "gzip;q=1,identity;q=0.5"):
        packed = server.rest("GET", path, headers={"Accept-Encoding": accepted})
        assert (packed.status, packed.headers["Content-Encoding"]) == (200, "gzip"), accepted
        assert packed.headers["Vary"] == "Accept-Encoding" and packed.content_type == plain.content_type
        assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body) / 2
        assert packed.headers["ETag"] != plain.headers["ETag"]
        assert packed.headers["Cache-Control"] == plain.headers["Cache-Control"]
    for accepted in ("", "br", "identity", "gzip;q=0", "*;q=0", "gzip;q=0, *", "gzip;q=nonsense", ";;,,=", "identity, gzip;q=0.1"):
        again = server.rest("GET", path, headers={"Accept-Encoding": accepted})
        assert (again.headers["Content-Encoding"], again.body) == (None, plain.body), accepted


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_document_that_the_client_has_is_not_sent_again(server, path, coding):
    whole = server.rest("GET", path, headers={"Accept-Encoding": coding})
    tag = whole.headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f-]+(gzip)?"', tag)
    for known in (tag, f"W/{tag}", "*", f'"other", {tag}', f'W/"a",{tag} '):
        for method in ("GET", "HEAD"):
            answer = server.rest(method, path, headers={"Accept-Encoding": coding, "If-None-Match": known})
            assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag), known
            assert answer.headers["Vary"] == "Accept-Encoding" and "Content-Encoding" not in answer.headers
            assert answer.headers["Cache-Control"] == whole.headers["Cache-Control"]
            # It would be that of the whole document.
            assert answer.headers["Content-Length"] in (None, str(len(whole.body)))
    for known in ('"other"', tag.strip('"'), "", ",", f"{tag[:-1]}x\"", "W/"):
        answer = server.rest("GET", path, headers={"Accept-Encoding": coding, "If-None-Match": known})
        assert (answer.status, answer.body) == (200, whole.body), known


def test_a_kept_connection_goes_on_after_a_document_that_was_not_sent(server):
    connection = server.http()
    try:
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, "/apus.js", headers={"If-None-Match": "*"})
            response = connection.getresponse()
            assert (response.status, response.read()) == (304, b"")
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"status":"alive"}'
    finally:
        connection.close()
