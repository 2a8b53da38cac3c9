"""/metrics in the format of OpenMetrics, read by the parser of Prometheus' own client, with exemplars."""

import asyncio
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

from apus_e2e import Client, Server, until
from extensions import PLENTY, pour, read, stalled
from otlp_collector import Collector

pytestmark = pytest.mark.one_server("it is about a server's own figures")

OPEN = "application/openmetrics-text"
# What Prometheus sends.
PROMETHEUS = f"{OPEN};version=1.0.0,{OPEN};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def families(server, accept=PROMETHEUS):
    """All families by name. The parser refuses a text that is not right in every respect."""
    response = server.rest("GET", "/metrics", headers={"Accept": accept})
    assert response.status == 200
    assert response.headers["Content-Type"] == f"{OPEN}; version=1.0.0; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(response.body.decode())}


def exemplars(family):
    """Those of a family by the label that tells its series apart."""
    return {sample.labels.get("reason", sample.labels.get("le")): sample.exemplar
            for sample in family.samples if sample.exemplar}


@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", f"text/plain, {OPEN};q=0.5", f"{OPEN};q=0"])
def test_who_does_not_prefer_openmetrics_gets_the_text_format_of_before(server, accept):
    response = server.rest("GET", "/metrics", headers={} if accept is None else {"Accept": accept})
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in response.body and b" # {" not in response.body


def test_both_formats_have_the_same_families_and_series(server):
    def series(found):
        return {(sample.name, *sorted(pair for pair in sample.labels.items() if pair[0] != "le"))
                for family in found for sample in family.samples}
    plain = server.rest("GET", "/metrics").body.decode()
    assert series(families(server, OPEN).values()) == series(prometheus_families(plain))
    assert families(server)["apus_messages_dropped"].type == "counter"
    assert not exemplars(families(server)["apus_messages_dropped"])


@pytest.mark.parametrize("overflow", ["drop-oldest", "drop-newest"])
async def test_dropped_messages_name_a_subscription_that_missed_some(server, topic, overflow):
    begun = time.time()
    raw, _ = stalled(server, topic, "slow", overflow=overflow, queue=20)
    with raw:
        async with await Client.open(server) as publisher:
            await pour(publisher, topic, range(PLENTY))
        dropped = lambda: families(server)["apus_messages_dropped"]
        await until(lambda: overflow in exemplars(dropped()), "an exemplar")
        exemplar = exemplars(dropped())[overflow]
        listed = server.rest("GET", f"/topics/{topic}/subscribers").json["subscribers"][0]
        assert exemplar.labels == {"connection": str(listed["connection"]), "topic": topic, "client_id": "slow"}
        # The clocks are one, but of milliseconds.
        assert exemplar.value > 0 and begun - 0.01 <= float(exemplar.timestamp) <= time.time() + 0.01
        await asyncio.to_thread(read, raw, lambda seen: seen.accounted == PLENTY)


async def test_what_ends_with_messages_pending_is_named_too():
    topic = "t" * 255
    with Server() as server:
        server.create(topic)
        raw, _ = stalled(server, topic, "c" * 1000, queue=100_000)
        with raw:
            async with await Client.open(server) as publisher:
                await pour(publisher, topic, range(PLENTY))
        await until(lambda: "ended" in exemplars(families(server)["apus_messages_dropped"]), "an exemplar")
        labels = exemplars(families(server)["apus_messages_dropped"])["ended"].labels
    # All of them may have 128 characters: the names are cut, the number of the connection is not.
    assert sum(len(name) + len(value) for name, value in labels.items()) <= 128
    assert labels["connection"].isdigit() and topic.startswith(labels["topic"]) and len(labels["topic"]) > 30


def test_durations_of_requests_name_a_trace_that_was_recorded():
    with Collector() as collector, Server("--tracing-endpoint", collector.url) as server:
        assert not exemplars(families(server)["apus_http_request_duration_seconds"])
        for flags in ("00", "01"):
            server.rest("GET", "/topics", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-{flags}"})
        [(bucket, exemplar)] = exemplars(families(server)["apus_http_request_duration_seconds"]).items()
    assert exemplar.labels == {"trace_id": TRACE} and 0 < exemplar.value <= float(bucket)
