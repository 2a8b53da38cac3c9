"""The files of Deploy/observability: what they ask for is there, and alerts fire when they should."""

import asyncio
import json
import re
import subprocess
import sys
from collections import defaultdict
from contextlib import AsyncExitStack

import pytest
import yaml

from apus_e2e import DEFLATED, Client, Server, eventually, until
from certificates import authority, client_context, local_pair
from event_stream import EventStream, events_path
from extensions import configure, pour, publish_batch, stalled, topic_path
from flood import KIB, numbered
from prometheus import scrape
from prometheus_server import FILES, PATIENT, Prometheus, copied, promtool
from promql import OF_SCRAPES, dashboard, named, panel_queries, replaced, rules
from test_reload import Reloadable

pytestmark = pytest.mark.one_server("it is about a server's own figures")

PAGE = FILES.parents[1] / "docs/observability.md"
READER = {"id": "prometheus", "key": "reader", "rights": [{"actions": ["stats"], "topics": [">"]}]}
ANYBODY = [{"actions": ["subscribe", "history", "publish", "manage"], "topics": [">"]}]
# Made by Prometheus itself.
ITS_OWN = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity", "instance"}}


async def publish_and_read(publisher, readers, count=20, size=16 * KIB):
    """Each message is acknowledged, and reaches every reader, before the end."""
    for number in range(count):
        await publisher.send(numbered("t", number, size))
    for _ in range(count):
        assert (await publisher.receive())["type"] == "ack"
    for reader in readers:
        for _ in range(count):
            assert (await reader.receive())["type"] == "event"


async def all_kinds_of_events(server):
    """Deliveries, drops, a slow subscriber that is disconnected, waits, errors, denials, commits."""
    configure(server, "t", history=10)
    configure(server, "kept", durability="disk")
    configure(server, "limited", topic_rate="1/h")
    dropping, _ = stalled(server, "t", "dropping", overflow="drop-oldest", queue=10)
    leaving, _ = stalled(server, "t", "leaving", overflow="disconnect", queue=10)
    with dropping, leaving:
        async with (await Client.open(server, DEFLATED) as publisher, await Client.open(server, DEFLATED) as reader,
                    await EventStream.open(server, events_path(topic_path("kept")))):
            await reader.subscribe("t")

            def is_enough():
                told = scrape(server, headers={"X-API-Key": READER["key"]})
                return told.labelled("apus_errors_total", "code")["SLOW_CONSUMER"] \
                    and told.labelled("apus_messages_dropped_total", "reason")["drop-oldest"]
            while not await asyncio.to_thread(is_enough):
                await publish_and_read(publisher, [reader])
            await publish_batch(publisher, "kept", list(range(10)))
            for _ in range(3):
                await publisher.send("no json")
                await publisher.expect_error("BAD_REQUEST")
            assert server.rest("GET", "/subscribers").status == 403
            assert server.rest("GET", "/subscribers", headers={"X-API-Key": "wrong"}).status == 401
            statuses = [server.rest("POST", "/topics/limited/messages", {"a": 1}).status for _ in range(2)]
            assert statuses == [201, 429]


class Watched:
    """A server with all features in use, to which everything has happened, and the Prometheus that watches it."""

    def __init__(self, server, prometheus):
        self.server, self.prometheus = server, prometheus

    @property
    def told(self):
        return scrape(self.server, headers={"X-API-Key": READER["key"]})


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    flags = ["--data", str(folder / "kept"), "--keys", json.dumps([READER]), "--anonymous", json.dumps(ANYBODY),
             "--data-bytes", "1GiB", "--max-memory", "1GiB", *local_pair().flags]
    with Server(*flags, tls=client_context()) as server, \
            Prometheus(folder, server, key=READER["key"], ca=authority().certificate) as prometheus:
        prometheus.wait_for_scrape("apus_build_info")
        asyncio.run(all_kinds_of_events(server))
        published = scrape(server, headers={"X-API-Key": READER["key"]})["apus_messages_published_total"]
        prometheus.wait_for_scrape(f"apus_messages_published_total >= {published}")
        yield Watched(server, prometheus)


def test_every_metric_and_label_that_a_rule_or_panel_names_is_there(watched):
    labels, values = defaultdict(set), defaultdict(set)
    for metric, pairs in watched.told.samples:
        labels[metric] |= {name for name, _ in pairs} | OF_SCRAPES
        for name, value in pairs:
            values[metric, name].add(value)
    labels |= ITS_OWN
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    expressions = [rule["expr"] for rule in rules()] + [query for _, query, _ in panel_queries()]
    expressions += [replaced(note["expr"]) for note in dashboard()["annotations"]["list"]]
    found = [(text, name) for text in expressions for name in named(text)]
    assert len({name.metric for _, name in found}) > 70
    for text, name in found:
        if ":" in name.metric:
            assert name.metric in recorded, text
            continue
        assert name.metric in labels, f"{name.metric} in {text}"
        assert name.labels | set(name.values) <= labels[name.metric], f"{name} in {text}"
        for label, wanted in name.values.items():
            if label not in OF_SCRAPES and name.metric not in ITS_OWN:
                assert set(wanted) <= values[name.metric, label], f"{label} of {name.metric} in {text}"


def result(prometheus, query):
    """The series that it results in, if one of them has a value."""
    found = prometheus.query(query)
    return found if any(series["value"][1] != "NaN" for series in found) else None


def test_every_query_of_the_dashboard_has_a_result(watched):
    titles = set()
    for title, query, legend in panel_queries():
        # A rate needs two scrapes, and some series begin with the first event.
        found = eventually(lambda: result(watched.prometheus, query), f"a result of {title}: {query}")
        titles.add(title)
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            assert all(label in series["metric"] for series in found), f"{title}: {legend}"
    assert len(titles) > 50


def test_every_rule_can_be_evaluated(watched):
    def evaluated():
        told = [rule for group in watched.prometheus.get("rules")["groups"] for rule in group["rules"]]
        assert all(rule["health"] in ("ok", "unknown") for rule in told), told
        return len(told) == len(rules()) and all(rule["health"] == "ok" for rule in told)
    eventually(evaluated, "all rules were evaluated", PATIENT)


async def until_seen(prometheus, *names):
    """Waits until each of the alerts has fired; what Prometheus said of them."""
    seen = {}

    def all_seen():
        seen.update(prometheus.firing())
        return set(names) <= seen.keys()
    try:
        await until(all_seen, "alerts", PATIENT)
    except AssertionError:
        raise AssertionError(f"of {names} only {sorted(seen)} fired") from None
    return {name: seen[name] for name in names}


async def publish_on(publisher, reader):
    while True:
        await publish_and_read(publisher, [reader])
        # It is about a reader who lags, not about a busy server.
        await asyncio.sleep(0.05)


async def fill(server, publisher, share):
    """Publishes to history until so much of the memory's limit is in use."""
    told, size = scrape(server), 64 * KIB
    count = int((share * told["apus_memory_limit_bytes"] - told["apus_memory_bytes"]) / size)
    await pour(publisher, "big", range(count), size)


@pytest.mark.limit(180)
async def test_alerts_fire_for_what_happens_to_a_server(tmp_path):
    settings = {"max_memory": "128MiB", "history": 10}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Reloadable(tmp_path, settings, exit_code=None))
        secrets = {"ca": authority().certificate} if server.tls else {}
        prometheus = stack.enter_context(Prometheus(tmp_path, server, **secrets))
        await asyncio.to_thread(prometheus.wait_for_scrape)
        configure(server, "t")
        configure(server, "big", history=100_000)
        await until(lambda: not prometheus.firing(), "no alert")
        for client_id, overflow in (("dropping", "drop-oldest"), ("leaving", "disconnect")):
            stack.enter_context(stalled(server, "t", client_id, overflow=overflow, queue=10)[0])
        publisher = await stack.enter_async_context(await Client.open(server, close_timeout=0.1))
        filler = await stack.enter_async_context(await Client.open(server, close_timeout=0.1))
        reader = await stack.enter_async_context(await Client.open(server, close_timeout=0.1))
        await reader.subscribe("t")
        server.reload('{"history": "none"}')
        publishing = asyncio.create_task(publish_on(publisher, reader))
        try:
            await until_seen(prometheus, "ApusMessagesDropped", "ApusSlowConsumersDisconnected", "ApusReloadFailed")
        finally:
            publishing.cancel()
        await fill(server, filler, 0.88)
        told = (await until_seen(prometheus, "ApusMemoryNearLimit"))["ApusMemoryNearLimit"]["annotations"]
        assert re.fullmatch(rf"Apus at 127.0.0.1:{server.port} uses [89]\d(\.\d+)?% of max_memory.", told["summary"])
        server.kill()
        await until_seen(prometheus, "ApusDown")


def test_the_files_are_what_prometheus_takes(tmp_path):
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "recording.yml", "alerts.yml")
    promtool("check", "config", copied(tmp_path, 443, key="k", ca=authority().certificate))


def test_each_alert_fires_when_it_should_and_only_then():
    promtool("test", "rules", "alerts.test.yml")
    tried = set()
    for test in yaml.safe_load((FILES / "alerts.test.yml").read_text())["tests"]:
        first, last = test["promql_expr_test"][0], test["promql_expr_test"][-1]
        tried |= set(re.findall(r'alertname="(\w+)"', str(last.get("exp_samples"))))
        # There is a moment before it fires, at which it does not.
        assert test["name"] not in str(first.get("exp_samples", "")), test["name"]
    assert tried == {rule["alert"] for rule in rules() if "alert" in rule}


def test_each_alert_has_a_text_and_a_section_that_says_what_to_do():
    headings = re.findall(r"^### (Apus\w+)$", PAGE.read_text(), re.M)
    assert sorted(headings) == sorted(rule["alert"] for rule in rules() if "alert" in rule)
    for rule in rules():
        if "alert" not in rule:
            continue
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".") and rule["annotations"]["description"].endswith(".")
        address, _, section = rule["annotations"]["runbook_url"].partition("#")
        assert address.endswith("/observability/") and section == rule["alert"].lower()


def test_the_dashboard_is_what_its_tables_say():
    subprocess.run([sys.executable, "-B", FILES / "dashboard.py", "--check"], check=True)


def test_the_dashboard_has_the_form_that_grafana_documents():
    told = dashboard()
    assert told["id"] is None and 8 <= len(told["uid"]) <= 40 and told["title"]
    # The classic model: 36 is what the schema's description begins with.
    assert type(told["schemaVersion"]) is int and told["schemaVersion"] >= 36
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] >= 0 and 0 < place["w"] and place["x"] + place["w"] <= 24 and place["h"] > 0
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in
                 range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Overview", "Delivery", "Slow consumers", "Connections", "Memory", "Loops", "Durability", "HTTP", "Errors",
        "Access"]
    for panel in (panel for panel in panels if panel["type"] != "row"):
        assert panel["type"] in ("timeseries", "stat") and panel["title"] and panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["targets"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            # Every metric is that of the servers that were chosen.
            assert all(name.values["job"] == ["apus"] and name.values["instance"] == [".*"]
                       for name in named(replaced(target["expr"])))
    variables = {variable["name"]: variable for variable in told["templating"]["list"]}
    assert [(name, variable["type"]) for name, variable in variables.items()] == [
        ("datasource", "datasource"), ("job", "query"), ("instance", "query")]
    assert variables["instance"]["multi"] and variables["instance"]["includeAll"]
