"""The configurations of docs/deploy.md with the proxies themselves, as Debian has them: see proxies.py."""

import asyncio
import subprocess
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apus_e2e import PATIENCE, TIMEOUT, V1, eventually, until
from event_stream import events_path, several_path
from extensions import topic_path
from history import fill, offsets, page, post
from proxies import CLIENT, KINDS, NAME, Proxy, abandoned_request, free_port, home, make_certificate, scaled

pytestmark = [pytest.mark.plain("the proxies speak TLS with clients, and plain HTTP with the server"),
              pytest.mark.one_server("it is about how a server starts, listens and ends")]

ADDRESS = "127.0.0.1:8080"
SOCKET = "/run/apus/apus.sock"
LIMIT = 4 << 20
# The longest `wait`, and time for the answer to come through.
LONGEST = 300 + 30
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.title)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(kind):
    with kind.server("--max-message", str(LIMIT), "--allowed-host", NAME) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(kind, server):
    with Proxy(kind, kind.documented, (ADDRESS, f"127.0.0.1:{server.port}")) as running:
        yield running


def addresses(server, prefix="", topic=None):
    """Where the subscribers of a topic are, without their ports."""
    subscribers = server.rest("GET", f"{prefix}/subscribers").json["subscribers"]
    return [entry["address"].partition(":")[0] for entry in subscribers if entry["topic"] == topic]


async def carries_everything(proxy, server, prefix=""):
    """A WebSocket both ways, an event stream, a long poll, a name with a slash, and the client's address."""
    topic = f"{uuid.uuid4()}/x"
    path = prefix + topic_path(topic)
    assert proxy.rest("PUT", path, b"{}").status == 201
    async with await proxy.websocket(f"{prefix}/ws") as reader, await proxy.websocket(f"{prefix}/ws") as writer, \
            await proxy.stream(events_path(path)) as stream:
        await stream.start()
        await reader.subscribe(topic)
        assert addresses(server, prefix, topic) == [CLIENT, CLIENT]
        message = await writer.publish(topic, {"n": 1})
        await reader.expect_event(topic, message)
        assert (await stream.next()).json["message"] == message
    told = proxy.rest("GET", f"{path}/messages?since=0s&wait=200ms")
    assert (told.status, told.json["messages"], told.json["last"]) == (200, [], 1)
    assert server.rest("DELETE", path).status == 200


@every_kind
def test_the_program_finds_no_fault_with_the_configuration(kind):
    with tempfile.TemporaryDirectory(prefix="apus-") as name:
        folder = Path(name)
        make_certificate(folder)
        for text in (kind.documented, kind.variant("A proxy to a Unix socket"), kind.variant("Below a path")):
            file = folder / "configuration"
            file.write_text(kind.as_documented(text, folder, free_port()))
            result = subprocess.run(kind.check(file), env=home(folder), capture_output=True, text=True, timeout=TIMEOUT)
            assert result.returncode == 0, result.stderr


@every_kind
def test_no_timeout_is_shorter_than_the_longest_wait(kind):
    timeouts = kind.timeouts()
    needed = {"nginx": ["proxy_read_timeout", "proxy_send_timeout"],
              "HAProxy": ["timeout client", "timeout server", "timeout tunnel"],
              # It has none unless it is told to.
              "Caddy": []}[kind.title]
    assert all(timeouts[name] >= LONGEST for name in needed), timeouts
    # The others are for what happens between answers.
    assert set(timeouts) <= {*needed, "timeout connect", "timeout http-request", "timeout http-keep-alive"}


async def test_websockets_go_both_ways(proxy, server, topic):
    async with await proxy.websocket() as reader, await proxy.websocket("/v1/ws", V1) as writer:
        await reader.subscribe(topic)
        for payload in (1, "é" * 100_000, {"n": [None]}):
            await reader.expect_event(topic, await writer.publish(topic, payload))
        await reader.connection.close()
        assert reader.connection.close_code == 1000
    await until(lambda: server.subscribers(topic) == 0, "unsubscribed")


async def test_the_address_is_the_client_s_and_no_other_that_it_claims_to_have(proxy, server, topic):
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
    path = topic_path(topic)
    async with await proxy.websocket(headers=forged) as client, \
            await proxy.stream(events_path(path), forged) as stream:
        await client.subscribe(topic)
        await stream.start()
        with ThreadPoolExecutor(1) as pool:
            poll = pool.submit(proxy.rest, "GET", f"{path}/messages?since=0s&wait=5m", None, forged, 60 * PATIENCE)
            await until(lambda: addresses(server, topic=topic) == 3 * [CLIENT], "all three have the client's address")
            await client.publish(topic, 1)
            assert (await asyncio.wrap_future(poll)).status == 200
    # A name that is in no other line.
    proxy.rest("GET", f"/topics/{topic}-log", headers=forged)
    assert f" address={CLIENT}" in await asyncio.to_thread(server.wait_for_log, f"/topics/{topic}-log")


async def test_event_streams_are_neither_held_back_nor_compressed(proxy, server, topic):
    # The head comes when there is no event yet, and each event when there is no other.
    async with await proxy.stream(events_path(topic_path(topic)), {"Accept-Encoding": "gzip, br, zstd"}) as stream:
        assert stream.status == 200 and "content-encoding" not in stream.headers
        await stream.start()
        for number in range(20):
            assert (await asyncio.to_thread(post, server, topic, str(number))).status == 201
            assert (await stream.next()).json["message"]["payload"] == number


async def test_long_polls_are_answered_when_there_is_something_and_empty_when_time_is_up(proxy, server, topic):
    epoch = await fill(server, topic, 3)
    told = await asyncio.to_thread(page, proxy, topic, after=3, epoch=epoch, wait="2s")
    assert (told["messages"], told["next"]) == ([], 3)
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(page, proxy, topic, after=3, epoch=epoch, wait="5m")
        await until(lambda: server.subscribers(topic) == 1, "the request waits")
        post(server, topic, "4")
        assert offsets(await asyncio.wrap_future(poll)) == [4]


async def test_clients_that_leave_do_not_stay_at_the_server(proxy, server, topic):
    async with await proxy.stream(events_path(topic_path(topic))) as stream:
        await stream.start()
        with abandoned_request(proxy, topic_path(topic, "/messages?since=0s&wait=5m")):
            await until(lambda: server.subscribers(topic) == 2, "both are there")
    # Before the next comment in the stream, whose loss would tell.
    await until(lambda: server.subscribers(topic) == 0, "both are gone", 12 * PATIENCE)


@pytest.mark.parametrize("name", ["a/b", "a//b", "/", "../a", "a b%2Fé?#+;=&", "a\\b"])
def test_names_arrive_as_they_are(proxy, server, name):
    assert proxy.rest("PUT", topic_path(name), b"{}").status == 201
    assert [entry["name"] for entry in server.rest("GET", "/topics").json["topics"] if entry["name"] == name] == [name]
    assert post(proxy, name, "1").status == 201
    assert proxy.rest("DELETE", topic_path(name)).status == 200


async def test_bodies_and_heads_may_be_as_large_as_the_server_takes(proxy, topic):
    assert post(proxy, topic, '"' + "x" * (LIMIT - 2) + '"').status == 201
    # HAProxy's buffer is said to be smaller.
    size = 14_000 if proxy.kind.title == "HAProxy" else 24_000
    topics = [f"{number:03}{'x' * 237}" for number in range(size // 247)]
    async with await proxy.stream(several_path(topic, *topics, wait="true")) as stream:
        assert stream.status == 200


@every_kind
def test_a_key_is_in_no_log_of_a_failure(kind):
    # Nobody listens there.
    with Proxy(kind, kind.documented, (ADDRESS, f"127.0.0.1:{free_port()}")) as proxy:
        # nginx is said to write the address.
        address = "/topics" if kind.title == "nginx" else "/ws?a=1&api_key=s3cret"
        assert proxy.rest("GET", address, headers={"X-API-Key": "s3cret"}).status in (502, 503)
        if kind.title != "HAProxy":
            eventually(lambda: "refused" in proxy.said, "said that there is no server")
        assert "s3cret" not in proxy.said


@pytest.mark.parametrize("kind", KINDS[:2], ids=lambda kind: kind.title)
async def test_pings_keep_idle_websockets(kind):
    """With a hundredth of the documented times: pings every 25 s, timeouts of 6 minutes. Caddy has no such timeout."""
    text = scaled(kind.documented, PATIENCE / 100)
    with kind.server("--ping-interval", "250ms", "--heartbeat", "0", "--allowed-host", NAME) as pings, \
            kind.server("--ping-interval", "0", "--heartbeat", "0", "--allowed-host", NAME) as silent, \
            Proxy(kind, text, (ADDRESS, f"127.0.0.1:{pings.port}")) as kept, \
            Proxy(kind, text, (ADDRESS, f"127.0.0.1:{silent.port}")) as cut:
        async with await kept.websocket() as client, await cut.websocket() as other:
            # The one that came later is gone, so the timeout has passed for the first too.
            async with asyncio.timeout(3 * TIMEOUT):
                await other.connection.wait_closed()
            await client.expect_alive()


@every_kind
async def test_a_proxy_finds_the_server_at_a_unix_socket(kind):
    with tempfile.TemporaryDirectory(prefix="apus-") as folder:
        path = f"{folder}/apus.sock"
        with kind.server("--listen", "127.0.0.1:0", "--listen", f"unix:{path}", at_socket=True) as server:
            with Proxy(kind, kind.variant("A proxy to a Unix socket"), (SOCKET, path)) as proxy:
                await carries_everything(proxy, server)


@every_kind
async def test_a_proxy_finds_the_server_below_a_path(kind):
    with kind.server("--base-path", "/apus", "--allowed-host", NAME) as server:
        with Proxy(kind, kind.variant("Below a path"), (ADDRESS, f"127.0.0.1:{server.port}")) as proxy:
            await carries_everything(proxy, server, "/apus")
            # What is not below it is not the server's.
            assert proxy.rest("GET", "/livez").body != server.rest("GET", "/livez").body
