"""What the console's stream tells, whom, and how it ends."""

import asyncio
import json
import re
import signal
import socket
import threading

import pytest

from apus_e2e import TIMEOUT, Client, Server, apus
from console_stream import Console, open_consoles
from event_stream import EventStream

pytestmark = pytest.mark.one_server("the console shows one server")

SECRET = "0123456789abcdef0123456789abcdef"
SERIES = {"publishes", "deliveries", "bytes_in", "bytes_out", "connections", "subscriptions", "topics", "drops", "memory",
          "cpu", "commits"}
KEYS = [{"id": "boss", "key": "boss-key", "rights": [{"actions": ["*"], "topics": [">"]}]},
        {"id": "eye", "key": "eye-key", "rights": [{"actions": ["stats"], "topics": ["orders.>"]}]},
        {"id": "all", "key": "all-key", "rights": [{"actions": ["stats"], "topics": [">"]}]},
        {"id": "sub", "key": "sub-key", "rights": [{"actions": ["subscribe"], "topics": [">"]}]}]
WRONG = ["view=nope", "view=topics&sort=nope", "limit=0", "limit=1001", "offset=-1", "tree=x", "order=up", "search=%FF",
         "topic="]


def as_key(name):
    return {"X-API-Key": f"{name}-key"}


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        for topic in ("orders.eu", "orders.us.a", "news"):
            assert running.create(topic).status == 201
        yield running


@pytest.fixture(scope="module")
def guarded():
    with Server("--keys", json.dumps(KEYS)) as running:
        for topic in ("orders.eu", "orders.us.a", "news"):
            assert running.create(topic, headers=as_key("boss")).status == 201
        yield running


# MARK: Figures


async def test_it_begins_with_who_the_server_is_and_what_was(server):
    async with await Console.open(server) as console:
        assert console.stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert console.stream.headers["x-accel-buffering"] == "no"
        name, hello = await console.next()
        assert name == "hello"
        assert hello["interval_ms"] == 1000 and hello["rights"] == {"server": True, "admin": True}
        assert hello["data"] is False and hello["version"] == server.rest("GET", "/").json["version"]
        assert hello["limits"]["consoles"] == 64 and hello["started"] <= hello["server_time"]
        name, history = await console.next()
        assert name == "history" and history["step_ms"] == 1000 and set(history["series"]) == SERIES
        assert len({len(values) for values in history["series"].values()}) == 1
        sample = await console.expect("sample")
        assert SERIES <= set(sample) and sample["topics"] == 3 and sample["memory"] > 0
        assert sample["commits"] is None and sample["disk"] is None and sample["nodes"] == []
        assert all(0 <= loop["busy"] for loop in sample["loops"])
        # The next one is of another second.
        assert (await console.expect("sample"))["at"] > sample["at"]


async def test_a_sample_counts_what_happened_in_its_second(server):
    async with await Console.open(server) as console, await Client.open(server) as client:
        await client.subscribe("news")
        for number in range(20):
            assert server.rest("POST", "/topics/news/messages", {"n": number}).status == 201
        sample = await console.expect("sample", lambda data: data["publishes"] > 0)
        assert sample["deliveries"] > 0 and sample["bytes_out"] > 0 and sample["connections"] == 1
        assert sample["subscriptions"] == 1 and sum(loop["connections"] for loop in sample["loops"]) == 1
        # It is in the history of the next console, and in the answer to who asks once.
        async with await Console.open(server) as other:
            assert max(value or 0 for value in (await other.expect("history"))["series"]["publishes"]) > 0
        once = server.rest("GET", "/console/sample").json
        assert max(value or 0 for value in once["history"]["series"]["deliveries"]) > 0 and SERIES <= set(once["sample"])
    async with await Console.open(server) as console:
        await console.expect("sample", lambda data: data["connections"] == 0 and data["subscriptions"] == 0)


async def test_with_a_folder_it_tells_of_the_disk(tmp_path):
    with Server("--data", str(tmp_path)) as server:
        async with await Console.open(server) as console:
            assert (await console.expect("hello"))["data"] is True
            server.create("a")
            server.rest("POST", "/topics/a/messages", {"n": 1})
            sample = await console.expect("sample", lambda data: data["commits"])
            assert sample["disk"]["path"] == str(tmp_path) and sample["disk"]["bytes"] > 0 and sample["disk"]["free"] > 0


# MARK: Topics


async def test_topics_come_at_once_and_then_with_their_rates(server):
    async with await Console.open(server, view="topics", sort="rate", prefix="orders.") as console:
        first = await console.expect("topics")
        assert (first["total"], first["matching"], len(first["rows"])) == (3, 2, 2) and "tokens" not in first
        for number in range(10):
            assert server.rest("POST", "/topics/orders.us.a/messages", {"n": number}).status == 201
        page = await console.expect("topics", lambda data: data["rows"][0]["messages"] == 10)
        row = page["rows"][0]
        assert row["name"] == "orders.us.a" and row["history"] == 10 and row["bytes"] > 0
        assert row["durability"] == "memory"
        assert row["messages_per_s"] > 0 and row["bytes_per_s"] > 0 and row["subscribers"] == 0
        # Nothing more is published: a rate of two looks falls to nothing at once.
        await console.expect("topics", lambda data: data["rows"][0]["messages_per_s"] == 0)
        assert server.create("orders.new").status == 201
        await console.expect("topics", lambda data: data["matching"] == 3)
        assert server.delete("orders.new").status == 200
        await console.expect("topics", lambda data: data["matching"] == 2)


async def test_a_tree_has_tokens_and_the_topics_between(server):
    async with await Console.open(server, view="topics", tree=1) as console:
        page = await console.expect("topics")
        assert [(token["token"], token["topics"]) for token in page["tokens"]] == [("orders", 2)]
        assert [row["name"] for row in page["rows"]] == ["news"] and (page["leaves"], page["more_tokens"]) == (1, 0)
    below = server.rest("GET", "/console/topics?tree=1&prefix=orders.").json
    assert [token["token"] for token in below["tokens"]] == ["us"] and [row["name"] for row in below["rows"]] == ["orders.eu"]


def test_a_page_is_also_there_once(server):
    page = server.rest("GET", "/console/topics?search=ORDERS&order=desc&limit=1").json
    assert (page["total"], page["matching"]) == (3, 2) and [row["name"] for row in page["rows"]] == ["orders.us.a"]
    assert server.rest("GET", "/console/topics?offset=3").json["rows"] == []


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_query_is_refused_before_a_stream_begins(server, query):
    answer = server.rest("GET", f"/console/stream?{query}")
    assert (answer.status, answer.json["code"]) == (400, "BAD_REQUEST")
    assert "UTF-8" in answer.json["detail"] or re.match(r"'\w+' must be", answer.json["detail"])


# MARK: Subscribers and the log


async def test_subscribers_are_those_of_the_list(server):
    async with await Console.open(server, view="subscribers", topic="orders.eu") as console:
        assert (await console.expect("subscribers"))["subscribers"] == []
        async with await Client.open(server) as client:
            await client.subscribe("orders.eu", "ann")
            await client.subscribe("news", "ann")
            page = await console.expect("subscribers", lambda data: data["subscribers"])
            assert [row["topic"] for row in page["subscribers"]] == ["orders.eu"]
            listed = server.rest("GET", "/topics/orders.eu/subscribers").json["subscribers"][0]
            assert set(listed) == set(page["subscribers"][0]) and listed["client_id"] == "ann"
        await console.expect("subscribers", lambda data: data["gone"] and not data["subscribers"])
    async with await Console.open(server, view="subscribers", topic="nope", sort="lag") as console:
        assert await console.expect("subscribers") == {"subscribers": [], "gone": []}


async def test_the_log_comes_whole_and_then_what_is_new(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("nonsense: 1\n")
    with Server("--config", str(file)) as server:
        async with await Console.open(server, view="log") as console:
            first = (await console.expect("log"))["entries"]
            assert any("nonsense" in entry["message"] for entry in first)
            assert {"id", "at", "level", "label", "message", "metadata"} <= set(first[0])
            # A reload that fails is an error in the log.
            file.write_text("queue: x\n")
            server.process.send_signal(signal.SIGHUP)
            # First on its standard error: what does not come at all is not blamed on the stream.
            await asyncio.to_thread(server.wait_for_log, "configuration not reloaded")
            new = (await console.expect("log"))["entries"]
            assert new[0]["id"] == first[-1]["id"] + 1 and new[-1]["level"] in ("warning", "error")
            listed = server.rest("GET", f"/console/log?after={first[-1]['id']}").json["entries"]
            assert listed[: len(new)] == new
            assert server.rest("GET", "/console/log?limit=1").json["entries"] == first[:1]
            for beyond in (2**31, 2**63 - 1):
                assert server.rest("GET", f"/console/log?after={beyond}").json["entries"] == []


# MARK: Rights


async def test_each_sees_what_its_credential_may_see(guarded):
    assert (await EventStream.open(guarded, "/console/stream")).status == 401
    async with await Console.open(guarded, as_key("eye"), view="topics") as console:
        assert (await console.next())[1]["rights"] == {"server": False, "admin": False}
        name, page = await console.next()
        assert name == "topics" and [row["name"] for row in page["rows"]] == ["orders.eu", "orders.us.a"]
        assert page["total"] == 2
        assert (await console.next())[0] == "topics"
    async with await Console.open(guarded, as_key("sub"), view="topics") as console:
        assert await console.expect("topics") == {"total": 0, "matching": 0, "rows": []}
    async with await Console.open(guarded, as_key("all"), view="subscribers") as console:
        assert (await console.next())[1]["rights"] == {"server": True, "admin": False}
        await console.expect("sample")
        await console.expect("subscribers")


@pytest.mark.parametrize(("path", "allowed"), [
    ("/console/sample", {"boss", "all"}), ("/console/log", {"boss"}), ("/console/topics", {"boss", "all", "eye"}),
    ("/console/stream?view=log", {"boss"}),
])
def test_what_is_not_allowed_is_refused(guarded, path, allowed):
    for key in ("boss", "eye", "all", "sub"):
        if path.startswith("/console/stream") and key in allowed:
            continue
        status = guarded.rest("GET", path, headers=as_key(key)).status
        assert status == (200 if key in allowed else 403), key
    assert guarded.rest("GET", path).status == 401


# MARK: The end


async def test_a_credential_that_ends_ends_the_stream(tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    made = apus("token", "mint", "--key-file", file, "--alg", "HS256", "--kid", "one", "--sub", "ann", "--expires", "3s",
                "--allow", "*:>")
    tokens = json.dumps([{"kid": "one", "alg": "HS256", "secret": SECRET}])
    with Server("--tokens-keys", tokens, "--token-grace", "0", "--token-leeway", "0") as server:
        async with await Console.open(server, {"Authorization": f"Bearer {made.stdout.strip()}"}) as console:
            expired = await console.expect("expired")
            assert expired["code"] == "TOKEN_EXPIRED" and await console.next() is None


async def test_a_revoked_credential_ends_the_stream(guarded):
    for view in ("none", "topics", "subscribers"):
        async with await Console.open(guarded, as_key("eye"), view=view) as console:
            await console.expect("hello")
            entry = guarded.rest("POST", "/revocations", {"key": "eye"}, as_key("boss"))
            assert entry.status == 201
            assert (await console.expect("expired"))["code"] == "REVOKED" and await console.next() is None
            assert guarded.rest("DELETE", f"/revocations/{entry.json['id']}", headers=as_key("boss")).status == 200


async def test_rights_that_change_are_told_and_hold_at_once(tmp_path):
    file = tmp_path / "apus.json"
    more = [{"actions": ["stats"], "topics": ["orders.>"]}]
    file.write_text(json.dumps({"keys": KEYS}))
    with Server("--config", str(file)) as server:
        server.create("news", headers=as_key("boss"))
        async with await Console.open(server, as_key("all"), view="topics") as console, \
                await Console.open(server, as_key("boss"), view="log") as log:
            assert (await console.expect("topics"))["total"] == 1
            keys = [key | {"rights": more} if key["id"] in ("all", "boss") else key for key in KEYS]
            file.write_text(json.dumps({"keys": keys}))
            server.process.send_signal(signal.SIGHUP)
            assert (await console.expect("hello", lambda data: not data["rights"]["server"]))["rights"]["admin"] is False
            assert (await console.expect("topics"))["total"] == 0
            assert (await log.expect("expired"))["code"] == "FORBIDDEN" and await log.next() is None


async def test_a_shutdown_ends_all_streams_at_once():
    with Server() as own:
        consoles = [await Console.open(own, view=view) for view in ("none", "topics", "log")]
        for console in consoles:
            await console.expect("sample")
        stopping = threading.Thread(target=own.stop)
        stopping.start()
        for console in consoles:
            end = await console.expect("end")
            assert end["reason"] == "SHUTDOWN" and end["reconnect_after_ms"] >= 0
            assert await console.next() is None
            await console.stream.__aexit__()
        await asyncio.to_thread(stopping.join)
        assert "drain timed out" not in "\n".join(own.log) and "requests cut off" not in "\n".join(own.log)


# MARK: Bounds


async def test_there_are_so_many_and_no_more():
    with Server("--max-consoles", "2") as server:
        first, second = await Console.open(server), await Console.open(server)
        await second.expect("hello")
        answer = server.rest("GET", "/console/stream")
        assert (answer.status, answer.json["code"]) == (503, "UNAVAILABLE") and "max_consoles" in answer.json["detail"]
        assert answer.headers["Retry-After"] == "1"
        # Others are not affected, nor does asking for the head take a place.
        assert server.rest("GET", "/console/sample").status == 200
        assert server.rest("HEAD", "/console/stream").status == 200
        await first.stream.__aexit__()
        await open_consoles(server, 1)
        async with await Console.open(server, view="topics") as third:
            await third.expect("topics")
        await second.stream.__aexit__()
        await open_consoles(server, 0)


@pytest.mark.limit(120)
async def test_who_reads_slowly_gets_fewer_samples_and_who_reads_nothing_is_cut_off():
    with Server("--close-timeout", "1s", "--max-consoles", "1") as server:
        for number in range(1000):
            assert server.create(f"{'long-name-' * 20}{number}").status == 201
        # Its buffers are small, so that what it does not take stays with the server.
        query = "/console/stream?view=topics&limit=1000"
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with plain:
            plain.connect(("127.0.0.1", server.port))
            plain.sendall(f"GET {query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            before = server.rss
            await open_consoles(server, 1)
            # The kernel takes some megabytes for it first.
            await open_consoles(server, 0, timeout=6 * TIMEOUT)
            assert server.rss - before < 64 << 20


async def test_a_page_of_another_site_opens_none(server):
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = server.rest("GET", "/console/stream", headers=page)
    assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN_ORIGIN")


async def test_below_a_prefix_and_over_http_10_it_is_the_same():
    with Server("--base-path", "/apus") as server:
        stream = await EventStream.open(server, "/apus/console/stream?view=topics")
        assert await Console(stream).expect("topics") == {"total": 0, "matching": 0, "rows": []}
        await stream.__aexit__()
        assert server.rest("GET", "/console/stream").status == 404
