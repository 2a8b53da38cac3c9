"""/metrics, /livez, /readyz, and that the books add up whatever happened."""

import asyncio
import json
import random
import re
import shutil

import pytest

from apus_e2e import PATIENCE, Client, Server, apus, until
from event_stream import EventStream, events_path
from extensions import (PLENTY, configure, lag, new_message, numbered, pour, publish_batch, read, stalled, subscribe,
                        topic_path)
from prometheus import balanced, books, scrape
from test_rest import expect_problem

pytestmark = pytest.mark.one_server("it is about a server's own figures")


async def settled(server, **expected):
    """The books as soon as they add up and say what is expected of them."""
    def right():
        told = scrape(server)
        came, went = books(told)
        return balanced(told) and all((went | {"came": came})[name] == value for name, value in expected.items())
    try:
        await until(right, "the books add up")
    except AssertionError:
        raise AssertionError(f"expected {expected}, books {books(scrape(server))}") from None
    return scrape(server)


@pytest.fixture
def fresh():
    """A server whose books begin with the test."""
    with Server() as running:
        running.create("t")
        yield running


def test_a_server_that_did_nothing_has_empty_books(fresh):
    told = scrape(fresh)
    assert books(told) == (0, dict.fromkeys(books(told)[1], 0))
    assert told["apus_messages_published_total"] == 0
    assert "apus_messages_published_total" in told.types and "apus_messages_pending" in told.types
    assert told.types["apus_messages_pending"] == "gauge"


def test_the_version_that_runs_is_a_label(fresh):
    told = scrape(fresh)
    assert told.types["apus_build_info"] == "gauge"
    assert told.labelled("apus_build_info", "version") == {apus("--version").stdout.strip(): 1}


async def test_every_match_of_a_message_is_delivered(fresh):
    async with await Client.open(fresh) as client:
        await client.subscribe("t", "a")
        await client.subscribe("t", "b")
        await subscribe(client, "*", "c")
        await publish_batch(client, "t", list(range(10)))
        for _ in range(30):
            await client.receive()
        told = await settled(fresh, came=30, delivered_total=30)
        assert told["apus_messages_published_total"] == 10
        await client.subscribe("t", "d", last_n=4)
        for _ in range(4):
            await client.receive()
        told = await settled(fresh, came=34, delivered_total=34)
        assert told["apus_messages_replayed_total"] == 4


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
async def test_every_drop_that_a_reader_is_told_of_is_counted_under_its_policy(fresh, overflow):
    raw, _ = stalled(fresh, "t", overflow=overflow, queue=20)
    with raw:
        async with await Client.open(fresh) as publisher:
            await pour(publisher, "t", range(PLENTY))
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)
        told = await settled(fresh, came=PLENTY, delivered_total=len(seen.events), dropped_total=seen.dropped)
        assert told.labelled("apus_messages_dropped_total", "reason")[overflow] == seen.dropped > 0


async def test_what_latest_collapses_is_counted_as_conflated(fresh):
    raw, _ = stalled(fresh, "t", overflow="latest", queue=20)
    with raw:
        async with await Client.open(fresh) as publisher:
            await pour(publisher, "t", range(PLENTY), keys=lambda _: "k")
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [PLENTY - 1])
        await settled(fresh, came=PLENTY, delivered_total=len(seen.events), conflated_total=PLENTY - len(seen.events),
                      dropped_total=0)


async def test_what_echo_leaves_out_and_what_expired_are_counted(fresh):
    async with await Client.open(fresh) as client:
        await subscribe(client, "t", "quiet", echo=False)
        await publish_batch(client, "t", list(range(10)))
        await settled(fresh, came=10, own_total=10)
    raw, _ = stalled(fresh, "t", queue=5000)
    with raw:
        async with await Client.open(fresh) as publisher:
            await pour(publisher, "t", range(200))
            for number in range(200, 250):
                await publisher.publish("t", [number], ttl="500ms")
            await publisher.publish("t", [250])
        await asyncio.sleep(0.7)
        seen = await asyncio.to_thread(read, raw, lambda seen: seen.numbers[-1:] == [250])
        assert len(seen.events) == 201
        await settled(fresh, came=261, own_total=10, delivered_total=201, expired_total=50)


async def test_what_is_pending_is_told_and_ends_with_its_subscription(fresh):
    raw, _ = stalled(fresh, "t", queue=100_000)
    with raw:
        async with await Client.open(fresh) as publisher:
            await pour(publisher, "t", range(PLENTY))
        told = await settled(fresh, came=PLENTY)
        pending = told["apus_messages_pending"]
        assert pending == lag(fresh, "t") > 0
    told = await settled(fresh, came=PLENTY, pending=0)
    assert told.labelled("apus_messages_dropped_total", "reason")["ended"] == pending


async def test_errors_are_counted_by_their_code(fresh):
    def errors():
        told = scrape(fresh)
        return {code: sum(value for (name, labels), value in told.samples.items() if ("code", code) in labels)
                for code in ("BAD_REQUEST", "TOPIC_NOT_FOUND")}
    before = errors()
    async with await Client.open(fresh) as client:
        for _ in range(3):
            await client.send("no json")
            await client.expect_error("BAD_REQUEST")
        await client.send(type="publish", topic="nowhere", message=new_message(1))
        await client.expect_error("TOPIC_NOT_FOUND")
    assert errors() == {"BAD_REQUEST": before["BAD_REQUEST"] + 3, "TOPIC_NOT_FOUND": before["TOPIC_NOT_FOUND"] + 1}


async def test_every_command_counts_once_whatever_becomes_of_it():
    keys = [{"id": "boss", "key": "b", "rights": [{"actions": ["*"], "topics": [">"]}]}, {"id": "nobody", "key": "n"}]
    with Server("--keys", json.dumps(keys), "--command-rate", "1/h", "--command-burst", "3") as server:
        async with await Client.open(server) as client:
            # As the first message it is not charged, and done.
            await client.send(type="auth", api_key="n")
            assert (await client.receive())["type"] == "ack"
            publish = {"type": "publish", "topic": "t", "message": new_message(1)}
            charged = [publish, publish, {"type": "subscribe", "topic": "t", "client_id": "c"}]
            beyond = [{"type": "ping"}] * 4 + [publish]
            for code, commands in (("FORBIDDEN", charged), ("RATE_LIMITED", beyond)):
                for command in commands:
                    await client.send(**command)
                    assert (await client.receive())["error"]["code"] == code
            await client.send("no command")
            assert (await client.receive())["error"]["code"] == "RATE_LIMITED"
        async with await Client.open(server) as client:
            await client.send(type="auth", api_key="wrong")
            await client.expect_close(1008, "UNAUTHORIZED")
        told = scrape(server, headers={"X-API-Key": "b"}).labelled("apus_commands_total", "type")
        assert told == {"auth": 2, "publish": 3, "subscribe": 1, "unsubscribe": 0, "ping": 4}


async def test_connections_topics_and_subscriptions_are_told(fresh):
    async with await Client.open(fresh) as client, await Client.open(fresh):
        await client.subscribe("t")
        told = scrape(fresh)
        assert told.labelled("apus_connections", "transport")["websocket"] == 2
        assert (told["apus_topics"], told["apus_subscriptions"]) == (1, 1)
        async with await EventStream.open(fresh, events_path(topic_path("t"))) as stream:
            await stream.start()
            told = scrape(fresh)
            assert told.labelled("apus_connections", "transport")["sse"] == 1
            assert told["apus_subscriptions"] == 2


async def test_each_turn_that_delivers_is_timed_once_however_many_subscribers_there_are(fresh):
    async with await Client.open(fresh) as client:
        for number in range(5):
            await client.publish("t", number)
        assert scrape(fresh)["apus_delivery_seconds_count"] == 0
        for name in "abc":
            await client.subscribe("t", name)
        for number in range(10):
            message = await client.publish("t", number)
            for _ in "abc":
                await client.expect_event("t", message)
        told = scrape(fresh)
        assert told["apus_delivery_seconds_count"] == 10
        assert 0 < told["apus_delivery_seconds_sum"] < 10 * PATIENCE


def test_limits_and_readiness_are_told_and_what_has_not_happened_yet_is_0(tmp_path):
    limits = {"connections": 50, "topics": 7, "consoles": 3}
    flags = [word for name, limit in limits.items() for word in (f"--max-{name}", str(limit))]
    with Server(*flags, "--data", str(tmp_path), "--data-bytes", "64MiB") as server:
        told = scrape(server)
    assert {name: told[f"apus_{name}_limit"] for name in limits} == limits
    assert (told["apus_ready"], told["apus_draining"], told["apus_journal_failed"]) == (1, 0, 0)
    assert told["apus_data_limit_bytes"] == 64 << 20 and told["apus_data_free_bytes"] > 0
    closed = told.labelled("apus_connections_closed_total", "reason")
    assert {"DISCONNECTED", "SHUTDOWN", "SLOW_CONSUMER", "OVERLOADED", "REVOKED"} <= closed.keys()
    assert set(closed.values()) == {0}
    assert told.labelled("apus_log_records_total", "level").keys() == {"warning", "error", "critical"}
    assert told["apus_data_free_bytes"] <= shutil.disk_usage(tmp_path).total


async def test_counters_only_grow_and_no_client_can_make_the_page_grow(fresh):
    first = scrape(fresh)
    async with await Client.open(fresh) as client:
        for number in range(300):
            fresh.create(f"t.{number}")
            await client.subscribe(f"t.{number}", f"client {number}")
            await client.expect_event(f"t.{number}", await client.publish(f"t.{number}", 1, key=f"k{number}"))
            fresh.rest("GET", f"/nowhere/{number}")
    second = scrape(fresh)
    assert len(second.samples) < len(first.samples) + 100
    for (name, labels), value in first.samples.items():
        if name.endswith("_total"):
            assert second.samples[name, labels] >= value, name


CHAOS = [
    *({"overflow": policy, "queue": queue} for policy in ("drop-oldest", "drop-newest", "latest") for queue in (5, 50)),
    {"overflow": "disconnect", "queue": 50}, {"echo": False}, {"last_n": 100}, {"since": "all"}, {}]


async def busy_publisher(server, seed):
    chance = random.Random(seed)
    async with await Client.open(server) as client:
        await subscribe(client, "t", echo=False)
        for turn in range(30):
            for _ in range(5):
                fields = chance.choice([{}, {"key": chance.choice("abc")}, {"ttl": chance.choice([0.01, 60])}])
                await client.send(numbered("t", turn, 32_768, **fields))
            acks = 0
            while acks < 5:
                acks += (await client.receive())["type"] == "ack"


async def fickle_subscriber(server, seed):
    """Subscribes, reads some, stalls some, changes its mind, leaves in every way."""
    chance = random.Random(seed)
    for turn in range(12):
        # It does not wait for the answer to its close: what it has not read is in the way.
        client = await Client.open(server, close_timeout=0.1)
        for name in "ab":
            topic = chance.choice(["t", "t", "*", "u"])
            fields = chance.choice(CHAOS)
            if topic == "*":
                fields = {name: value for name, value in fields.items() if name != "since"}
            await client.send(type="subscribe", topic=topic, client_id=name, **fields)
        try:
            async with asyncio.timeout(chance.uniform(0.01, 0.15)):
                while True:
                    await client.receive()
        except TimeoutError:
            pass
        except Exception as error:
            assert "SLOW_CONSUMER" in str(error), error
        await asyncio.sleep(chance.uniform(0, 0.1))
        if turn % 2:
            client.connection.transport.abort()
        else:
            await client.connection.close()


@pytest.mark.limit(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_storm_with_every_policy_the_books_add_up(seed):
    with Server("--threads", "2", "--history", "60") as server:
        for name in ("t", "u"):
            server.create(name)
        configure(server, "u", history_bytes=100_000, dedupe_window="2m")
        stuck = [stalled(server, "t", f"stuck {number}", **fields)[0] for number, fields in enumerate(CHAOS)]
        stream = await EventStream.open(server, events_path(topic_path("t"), overflow="drop-newest", queue=3))
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(busy_publisher(server, seed * 1000 + number))
            for number in range(6):
                group.create_task(fickle_subscriber(server, seed * 2000 + number))
        told = await settled(server)
        assert told["apus_messages_published_total"] == 3 * 30 * 5
        came, went = books(told)
        assert came > 2500 and all(went.values()), went
        for raw in stuck[::2]:
            raw.abort()
        stream.abort()
        server.delete("u")
        for raw in stuck[1::2]:
            await asyncio.to_thread(drain, raw)
        await settled(server, pending=0)
        for raw in stuck[1::2]:
            raw.abort()
        server.delete("t")
        assert (await settled(server, pending=0))["apus_subscriptions"] == 0


def drain(raw):
    """Reads until nothing is on its way any more, or the close."""
    raw.command(type="unsubscribe", topic="t", client_id="nobody", request_id="drained")
    read(raw, lambda seen: any(message.get("request_id") == "drained" for message in seen.messages))
    raw.socket.settimeout(0.3)
    try:
        read(raw)
    except (TimeoutError, EOFError, ConnectionError):
        pass


def test_probes_and_metrics_ask_for_keys_only_where_there_are_secrets_to_tell():
    with Server(env={"APUS_API_KEYS": "secret"}) as server:
        for path in ("/livez", "/readyz", "/health"):
            assert server.rest("GET", path).status == 200
        expect_problem(server.rest("GET", "/metrics"), 401, "UNAUTHORIZED")
        scrape(server, headers={"X-API-Key": "secret"})


@pytest.mark.parametrize(("path", "body"), [("/livez", {"status": "alive"}), ("/readyz", {"status": "ready"})])
def test_a_server_that_works_is_alive_and_ready(server, path, body):
    response = server.rest("GET", path)
    assert (response.status, response.json, response.content_type) == (200, body, "application/json")
    assert server.rest("POST", path).status == 405


async def test_what_help_says_is_there_for_every_family(fresh):
    text = fresh.rest("GET", "/metrics").body.decode()
    families = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    assert families == set(re.findall(r"^# HELP (\S+) \S", text, re.M)) and len(families) >= 12
