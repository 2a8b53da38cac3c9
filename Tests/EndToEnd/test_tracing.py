"""Traces: taken on publish, handed to subscribers that ask, and as spans to a collector."""

import asyncio
import json
import re
import socket
import time

import pytest

from apus_e2e import BASE, TIMEOUT, V1, Client, Server, apus, eventually, until
from event_stream import EventStream, events_path
from extensions import new_message
from otlp_collector import Collector
from prometheus import scrape

pytestmark = pytest.mark.one_server("it is about a server's own figures")

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
BAD = [f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
       f"00-{TRACE}-{'0' * 16}-01", f"{SAMPLED}-more", "", 1, True, {}, [SAMPLED]]


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


@pytest.fixture
def traced(collector):
    """A server that sends its spans to the collector."""
    with Server("--tracing-endpoint", collector.url, "--threads", "1") as running:
        running.create("orders")
        yield running


def post(server, payload, path="/topics/orders/messages", trace=None, **headers):
    response = server.rest("POST", path, payload, headers | ({} if trace is None else {"traceparent": trace}))
    assert response.status == 201, response.body
    return response


def context(event):
    """Trace and span of an event's trace context."""
    version, trace, span, flags = event["trace"].split("-")
    assert (version, len(trace), len(span)) == ("00", 32, 16) and flags in ("00", "01", "03")
    return trace, span


# Without a collector


@pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])
async def test_a_trace_is_handed_unchanged_to_those_who_ask_and_to_no_other(server, topic, dialect):
    async with (await Client.open(server, dialect) as curious, await Client.open(server, dialect) as plain,
                await Client.open(server) as publisher):
        await curious.subscribe(topic, "curious", trace=True)
        await plain.subscribe(topic, "plain")
        for trace in (SAMPLED, UNSAMPLED, f"00-{TRACE}-{SPAN}-03"):
            message = await publisher.publish(topic, {"a": 1}, trace=trace)
            await curious.expect(type="event", topic=topic, message=message, trace=trace)
            await plain.expect_event(topic, message)
        # The next message has none.
        message = await publisher.publish(topic, {"a": 2})
        await curious.expect_event(topic, message)
        await plain.expect_event(topic, message)


async def test_of_a_later_version_the_known_part_goes_on(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "c", trace=True, request_id="r")
        message = await client.send_publish(topic, 1, trace=f"cc-{TRACE}-{SPAN}-09-what-comes")
        await client.expect(type="ack", topic=topic, status="ok")
        await client.expect(type="event", topic=topic, message=message, trace=SAMPLED)


@pytest.mark.parametrize("bad", BAD, ids=str)
async def test_what_is_no_trace_context_is_passed_over(server, topic, bad):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "c", trace=True)
        message = await client.publish(topic, 1, trace=bad)
        await client.expect_event(topic, message)


@pytest.mark.parametrize("bad", [text for text in BAD if isinstance(text, str) and text] + [[SAMPLED, SAMPLED]],
                         ids=str)
async def test_a_header_that_is_no_trace_context_is_passed_over(server, topic, bad):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "c", trace=True)
        header = ", ".join(bad) if isinstance(bad, list) else bad
        post(server, 1, f"/topics/{topic}/messages", header)
        assert "trace" not in await client.receive()


async def test_trace_of_subscribe_must_be_true_or_false(server, topic):
    async with await Client.open(server) as client:
        await client.send(type="subscribe", topic=topic, client_id="c", trace=SAMPLED)
        assert "'trace'" in await client.expect_error("BAD_REQUEST")
    response = server.rest("GET", f"/topics/{topic}/events?trace=perhaps")
    assert response.status == 400 and "'trace'" in response.json["detail"]


async def test_all_messages_of_a_batch_have_its_trace_also_when_they_are_replayed(server, topic):
    async with await Client.open(server) as client:
        messages = [new_message(1), new_message(2)]
        await client.send(type="publish", topic=topic, messages=messages, trace=SAMPLED, key="k")
        await client.expect(type="ack", topic=topic, status="ok", count=2)
        await client.subscribe(topic, "c", trace=True, last_n=5)
        for _ in range(2):
            event = await client.receive()
            assert (event["trace"], event["key"]) == (SAMPLED, "k")
        await client.subscribe(topic, "d", last_n=1)
        assert "trace" not in await client.receive()


@pytest.mark.parametrize("query", [{"trace": "true"}, {}], ids=["asked", "not asked"])
async def test_event_streams_have_traces_where_the_address_asks_for_them(server, topic, query):
    async with await EventStream.open(server, events_path(f"/topics/{topic}", **query)) as stream:
        await stream.start()
        post(server, 1, f"/topics/{topic}/messages", SAMPLED)
        event = (await stream.next()).json
        assert event.get("trace") == (SAMPLED if query else None)
        assert list(event)[-1] in ("trace", "offset")


async def test_compressed_events_have_traces_too(server, topic):
    async with await Client.open(server, compression="deflate") as curious, await Client.open(
            server, compression="deflate") as plain:
        await curious.subscribe(topic, "c", trace=True)
        await plain.subscribe(topic, "p")
        payload = "x" * 2000
        post(server, payload, f"/topics/{topic}/messages", SAMPLED)
        assert (await curious.receive())["trace"] == SAMPLED
        assert "trace" not in await plain.receive()


async def test_a_disk_keeps_traces(tmp_path):
    folder = str(tmp_path / "data")
    with Server("--data", folder) as server:
        server.create("orders")
        async with await Client.open(server) as client:
            await client.subscribe("orders", "c", trace=True)
            post(server, 1, trace=SAMPLED)
            assert (await client.receive())["trace"] == SAMPLED
        post(server, 2)
        post(server, 3, "/topics/orders/messages?key=k", trace=UNSAMPLED)
    with Server("--data", folder) as server:
        async with await Client.open(server) as client:
            await client.subscribe("orders", "c", trace=True, last_n=3)
            events = [await client.receive() for _ in range(3)]
            assert [event.get("trace") for event in events] == [SAMPLED, None, UNSAMPLED]
            assert [event.get("key") for event in events] == [None, None, "k"]
    assert apus("data", "check", folder).returncode == 0


STATE = 'rojo=00f067aa0ba902b7,tenant@congo="t\\61"'
BAD_STATES = ["", "A=1", "a", "a=", "a=1,a=2", "a=é", f"a={'x' * 511}", ",".join(f"k{n}=v" for n in range(33)), 1, {}]


async def test_what_goes_along_with_a_trace_goes_to_those_who_ask_for_traces(server, topic):
    async with await Client.open(server) as curious, await Client.open(server) as plain:
        await curious.subscribe(topic, "curious", trace=True)
        await plain.subscribe(topic, "plain")
        message = await curious.send_publish(topic, 1, trace=SAMPLED, tracestate=STATE)
        await curious.expect(type="ack", topic=topic, status="ok")
        await curious.expect(type="event", topic=topic, message=message, trace=SAMPLED, tracestate=STATE)
        await plain.expect_event(topic, message)
        # Without a trace it means nothing.
        message = await curious.send_publish(topic, 2, tracestate=STATE)
        await curious.expect(type="ack", topic=topic, status="ok")
        await curious.expect_event(topic, message)


@pytest.mark.parametrize("bad", BAD_STATES, ids=lambda bad: str(bad)[:20])
async def test_what_is_no_trace_state_is_passed_over_and_the_trace_is_not(server, topic, bad):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "c", trace=True)
        message = await client.publish(topic, 1, trace=SAMPLED, tracestate=bad)
        await client.expect(type="event", topic=topic, message=message, trace=SAMPLED)


async def test_a_trace_state_in_a_header_is_shown_by_streams_and_pages(server, topic):
    async with await EventStream.open(server, events_path(f"/topics/{topic}", trace="true")) as stream:
        await stream.start()
        post(server, 1, f"/topics/{topic}/messages", SAMPLED, tracestate="a=1, b=2")
        event = (await stream.next()).json
        assert (event["trace"], event["tracestate"]) == (SAMPLED, "a=1,b=2")
    post(server, 2, f"/topics/{topic}/messages")
    traced, plain = server.rest("GET", f"/topics/{topic}/messages").json["messages"]
    assert (traced["trace"], traced["tracestate"]) == (SAMPLED, "a=1,b=2") and "trace" not in plain


def test_an_export_has_traces(tmp_path):
    folder = str(tmp_path / "data")
    with Server("--data", folder) as server:
        server.create("orders")
        post(server, 1, trace=SAMPLED, tracestate=STATE)
    exported = apus("data", "export", folder, "orders")
    line = json.loads(exported.stdout.splitlines()[-1])
    assert (line["trace"], line["tracestate"]) == (SAMPLED, STATE)


# Spans


async def test_spans_and_what_is_below_them_have_the_state_of_their_trace(traced, collector):
    async with await EventStream.open(traced, events_path("/topics/orders", trace="true")) as stream:
        await stream.start()
        post(traced, 1, trace=SAMPLED, tracestate=STATE)
        assert (await stream.next()).json["tracestate"] == STATE
        await collector.wait("deliver orders")
        await collector.wait("POST /topics/{name}/messages")
    assert {span.name.split()[0]: span.state for span in collector.spans} == {
        "POST": STATE, "publish": STATE, "deliver": STATE}


async def test_a_publish_that_there_is_no_room_for_says_so_in_its_span(collector):
    with Server("--tracing-endpoint", collector.url, "--topics-create-on", "both", "--max-topics", "1") as server:
        server.create("orders")
        async with await Client.open(server) as client:
            await client.send(type="publish", topic="more", trace=SAMPLED, message=new_message(1))
            await client.expect_error("UNAVAILABLE")
        [span] = await collector.wait("publish more")
    assert span.attributes["error.type"] == "UNAVAILABLE" and span.is_error


async def test_a_publish_over_websocket_has_a_span_and_each_delivery_has_one_below_it(traced, collector):
    async with await Client.open(traced) as client:
        await client.subscribe("orders", "a", trace=True)
        await client.subscribe("orders", "b")
        message = await client.send_publish("orders", 1, trace=SAMPLED)
        await client.expect(type="ack", topic="orders", status="ok")
        events = [await client.receive(), await client.receive()]
        trace, told = context(next(event for event in events if "trace" in event))
        [publish] = await collector.wait("publish orders")
        [deliver] = await collector.wait("deliver orders")
        # Subscribers go on where the server's span is.
        assert (trace, told) == (TRACE, publish.id) != (TRACE, SPAN)
        assert (publish.trace, publish.parent, publish.kind) == (TRACE, SPAN, "producer")
        assert publish.attributes == {
            "messaging.system": "apus", "messaging.operation.name": "publish", "messaging.operation.type": "send",
            "messaging.destination.name": "orders", "messaging.message.id": message["id"], "apus.offset": 1,
            "apus.subscribers": 2, "apus.stored": "memory", "apus.connection.id": 1}
        assert (deliver.trace, deliver.parent, deliver.links) == (TRACE, publish.id, [(TRACE, publish.id)])
        assert deliver.attributes == {
            "messaging.system": "apus", "messaging.operation.name": "deliver", "messaging.operation.type": "send",
            "messaging.destination.name": "orders", "messaging.batch.message_count": 1, "apus.subscriptions": 2,
            "apus.deliveries": 2, "apus.loop": "socket-0"}
        assert publish.start <= deliver.start and not publish.is_error
        assert publish.resource["service.name"] == "apus"
        assert publish.resource["service.version"] == apus("--version").stdout.strip()


async def test_a_publish_over_http_has_the_spans_of_request_publish_and_delivery(traced, collector):
    async with await EventStream.open(traced, events_path("/topics/orders", trace="true")) as stream:
        await stream.start()
        post(traced, 1, "/topics/orders/messages?id=m-1", SAMPLED)
        trace, told = context((await stream.next()).json)
        [request] = await collector.wait("POST /topics/{name}/messages")
        [publish] = await collector.wait("publish orders")
        [deliver] = await collector.wait("deliver orders")
    assert (request.trace, request.parent, request.kind) == (TRACE, SPAN, "server")
    assert (publish.trace, publish.parent) == (TRACE, request.id)
    assert (deliver.trace, deliver.parent) == (TRACE, publish.id)
    assert (trace, told) == (TRACE, publish.id) and publish.attributes["messaging.message.id"] == "m-1"
    client = request.attributes.pop("client.address")
    assert re.fullmatch(r"127\.0\.0\.1(:\d+)?", client)
    assert request.attributes == {
        "http.request.method": "POST", "url.path": "/topics/orders/messages", "url.scheme": traced.url.split(":")[0],
        "http.route": "/topics/{name}/messages", "http.response.status_code": 201}
    assert request.start <= publish.start <= publish.end <= request.end


async def test_what_comes_at_once_is_one_delivery_linked_to_each_trace(traced, collector):
    async with await Client.open(traced) as client:
        await client.subscribe("orders", "c")
        others = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 41)]
        # One write, so that one read has them all; untraced ones in between.
        commands = []
        for trace in others:
            commands.append({"type": "publish", "topic": "orders", "trace": trace, "message": new_message(1)})
            commands.append({"type": "publish", "topic": "orders", "message": new_message(2)})
        await asyncio.gather(*(client.send(**command) for command in commands))
        for _ in range(160):
            await client.receive()
        published = await collector.wait("publish orders", 40)
        linked = lambda: [link for span in collector.named("deliver orders") for link in span.links]
        delivered = lambda: sum(span.attributes["apus.deliveries"] for span in collector.named("deliver orders"))
        await until(lambda: delivered() >= 40, "all deliveries")
    assert {(span.trace, span.parent) for span in published} == {tuple(trace.split("-")[1:3]) for trace in others}
    assert set(linked()) <= {(span.trace, span.id) for span in published}
    for span in collector.named("deliver orders"):
        assert (span.trace, span.parent) == span.links[0]
        # The bound on the traces of one delivery.
        assert len(span.links) <= 32


async def test_only_what_its_beginner_records_has_spans(traced, collector):
    async with await Client.open(traced) as client:
        await client.subscribe("orders", "c", trace=True)
        message = await client.send_publish("orders", 1, trace=UNSAMPLED)
        await client.expect(type="ack", topic="orders", status="ok")
        await client.expect(type="event", topic="orders", message=message, trace=UNSAMPLED)
        post(traced, 2, trace=UNSAMPLED)
        assert (await client.receive())["trace"] == UNSAMPLED
        post(traced, 3)
        assert "trace" not in await client.receive()
        # What ends behind them comes behind them.
        post(traced, 4, trace=SAMPLED)
        await client.receive()
    await collector.wait("deliver orders")
    assert len(collector.spans) == 3


async def test_requests_without_a_trace_begin_one_at_the_ratio_but_probes_do_not(collector):
    with Server("--tracing-endpoint", f"{collector.url}/v1/traces", "--tracing-sample", "1",
                "--tracing-service-name", "shop", "--tracing-headers", "X-Tenant=a=b",
                env={"APUS_TRACING_QUEUE": "10"}) as server:
        server.create("orders")
        for path in ("/health", "/metrics", "/docs", "/livez"):
            assert server.rest("GET", path).status == 200
        async with await Client.open(server) as client:
            await client.subscribe("orders", "c", trace=True)
            post(server, 1)
            trace, told = context(await client.receive())
        missing = server.rest("GET", "/topics/none")
        assert missing.status == 404
        await collector.wait("GET /topics/{name}")
    [create] = collector.named("POST /topics")
    [publish] = collector.named("publish orders")
    [request] = collector.named("POST /topics/{name}/messages")
    assert create.parent is None and request.parent is None and create.trace != request.trace
    assert (publish.trace, publish.parent) == (request.trace, request.id)
    assert (trace, told) == (publish.trace, publish.id)
    [absent] = collector.named("GET /topics/{name}")
    # A client's mistake is no error of the server.
    assert absent.attributes["http.response.status_code"] == 404 and not absent.is_error
    assert {span.name for span in collector.spans} == {
        "POST /topics", "POST /topics/{name}/messages", "publish orders", "deliver orders", "GET /topics/{name}"}
    assert create.resource["service.name"] == "shop"
    path, headers = collector.headers[0]
    assert path == "/v1/traces" and headers["X-Tenant"] == "a=b" and headers["User-Agent"].startswith("apus/")


async def test_a_refused_publish_is_an_error_in_its_span(traced, collector):
    response = traced.rest("POST", "/topics/none/messages", 1, {"traceparent": SAMPLED})
    assert response.status == 404
    async with await Client.open(traced) as client:
        await client.send(type="publish", topic="none", trace=SAMPLED, message=new_message(1))
        await client.expect_error("TOPIC_NOT_FOUND")
    spans = await collector.wait("publish none", 2)
    assert {span.attributes["error.type"] for span in spans} == {"TOPIC_NOT_FOUND"}
    assert all(span.is_error for span in spans)


async def test_a_publish_to_a_topic_on_the_disk_ends_its_span_when_it_is_kept(tmp_path, collector):
    with Server("--data", str(tmp_path / "data"), "--tracing-endpoint", collector.url) as server:
        server.create("orders")
        async with await Client.open(server) as client:
            await client.subscribe("orders", "c", trace=True)
            await client.send_publish("orders", 1, trace=SAMPLED)
            await client.expect(type="ack", topic="orders", status="ok")
            _, told = context(await client.receive())
            [publish] = await collector.wait("publish orders")
            [deliver] = await collector.wait("deliver orders")
    assert publish.id == told == deliver.parent and publish.attributes["apus.stored"] == "disk"
    # Nobody sees a message before it is kept, and its publisher's span goes on until then.
    assert publish.start < deliver.start


# The collector


async def test_without_a_collector_nothing_is_sent_and_there_are_no_metrics(collector):
    with Server() as server:
        server.create("orders")
        async with await Client.open(server) as client:
            await client.subscribe("orders", "c", trace=True)
            post(server, 1, trace=SAMPLED)
            assert (await client.receive())["trace"] == SAMPLED
        assert not [name for name in scrape(server).types if "spans" in name]
    assert collector.requests == 0


async def test_the_last_spans_go_when_the_server_ends(collector):
    with Server("--tracing-endpoint", collector.url) as server:
        server.create("orders")
        post(server, 1, trace=SAMPLED)
    assert len(collector.named("publish orders")) == 1


async def busy(server):
    """Publishes and reads as if there were no collector: each answer must come."""
    async with await Client.open(server) as client:
        await client.subscribe("orders", "c", trace=True)
        for number in range(50):
            message = await client.send_publish("orders", number, trace=SAMPLED)
            await client.expect(type="ack", topic="orders", status="ok")
            assert (await client.receive())["message"] == message


@pytest.mark.parametrize("kind", ["hangs", "gone"])
async def test_nobody_waits_for_a_collector_that_hangs_or_is_gone(kind):
    with Collector(hangs=True) as collector, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = collector.url if kind == "hangs" else f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Server("--tracing-endpoint", url, "--tracing-queue", "20") as server:
            server.create("orders")
            await busy(server)
            if kind == "hangs":
                await until(lambda: collector.requests, "a request")
            await busy(server)
            # What does not fit into the queue is counted, and what cannot be sent.
            told = scrape(server)
            assert told["apus_spans_waiting"] <= 20
            dropped = lambda: scrape(server).labelled("apus_spans_dropped_total", "reason")
            await until(lambda: dropped()["queue"] > 0, "drops")
            await until(lambda: dropped()["export"] > 0, "failures", TIMEOUT * 2)
            server.wait_for_log("the collector does not take spans")
            begun = time.monotonic()
        # The end waits for the collector only so long.
        assert time.monotonic() - begun < TIMEOUT
        assert len([line for line in server.log if "collector does not take" in line]) <= 2


async def test_a_collector_that_is_busy_is_asked_once_more_and_one_that_refuses_is_not():
    with Collector(statuses=(503, 200)) as collector:
        with Server("--tracing-endpoint", collector.url) as server:
            server.create("orders")
            post(server, 1, trace=SAMPLED)
            await collector.wait("publish orders")
            assert collector.requests == 2
            eventually(lambda: scrape(server)["apus_spans_exported_total"] >= 2, "what was taken is counted")
    with Collector(statuses=(400,)) as collector:
        with Server("--tracing-endpoint", collector.url) as server:
            server.create("orders")
            post(server, 1, trace=SAMPLED)
            eventually(lambda: scrape(server).labelled("apus_spans_dropped_total", "reason")["export"] >= 2, "drops")
            assert "it answered 400" in server.wait_for_log("does not take spans")
        assert collector.requests == 1


async def test_what_the_collector_says_it_did_not_take_is_counted():
    with Collector(answer=b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}') as collector:
        with Server("--tracing-endpoint", collector.url) as server:
            server.create("orders")
            post(server, 1, trace=SAMPLED)
            eventually(lambda: scrape(server).labelled("apus_spans_dropped_total", "reason")["export"] == 1, "a drop")
            assert scrape(server)["apus_spans_exported_total"] == 1


@pytest.mark.parametrize("flag, value", [
    ("--tracing-endpoint", "127.0.0.1:4318"), ("--tracing-endpoint", "http://"),
    ("--tracing-endpoint", "http://user:secret@host/"), ("--tracing-sample", "2"), ("--tracing-sample", "often"),
    ("--tracing-queue", "0"), ("--tracing-headers", "no-value"), ("--tracing-headers", "Bad Name=x"),
    ("--tracing-service-name", ""),
])
def test_a_bad_value_is_a_sentence_and_78(flag, value):
    ended = apus("serve", "--port", "0", flag, value)
    assert ended.returncode == 78 and flag in ended.stderr and "is not" in ended.stderr


def test_the_credential_for_the_collector_is_not_shown():
    shown = apus("config", "print", "--tracing-headers", "Authorization=Bearer abc")
    assert shown.returncode == 0 and "abc" not in shown.stdout and "***" in shown.stdout
    refused = apus("serve", "--port", "0", "--tracing-headers", "Bearer abc")
    assert refused.returncode == 78 and "abc" not in refused.stderr
