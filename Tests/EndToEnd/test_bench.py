"""`apus bench` against a running server, and against one behind a proxy that damages what it sends."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree

import pytest

from apus_e2e import PATIENCE, TIMEOUT, Server, apus, client_environment, eventually

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

SHORT = ["--duration", "500ms", "--warmup", "100ms"]
NOWHERE = "http://127.0.0.1:1"


def bench(server, *arguments, **options):
    return apus("bench", server.url, *arguments, timeout=60 * PATIENCE, **options)


def result(server, *arguments, code=0, **options):
    """The JSON of a short run."""
    run = bench(server, *SHORT, "--json", *arguments, **options)
    assert run.returncode == code, f"{run.returncode}: {run.stderr}{run.stdout[:1000]}"
    assert run.stderr == "" and run.stdout.count("\n") == 1
    return json.loads(run.stdout)


def topics(server):
    return [topic["name"] for topic in server.rest("GET", "/topics").json["topics"]]


@pytest.fixture(autouse=True)
def leaves_no_topics(server):
    """Whatever happens, the topics of a run are deleted at its end."""
    yield
    eventually(lambda: not [name for name in topics(server) if name.startswith("apus-bench-")], "topics deleted")


def test_a_closed_loop_has_rates_latencies_and_the_servers_cost(server):
    found = result(server, "--subs", "5", "--pubs", "2", "--window", "8", "--size", "200")
    assert found["wire"] == "apus" and found["violations"] == [] and found["errors"] == 0
    options = found["options"]
    assert (options["subscribers"], options["publishers"], options["window"]) == (5, 2, 8)
    assert options["payload_bytes"] == 200 and "rate" not in options
    assert 0.4 < found["measured_seconds"] < 0.5 + PATIENCE
    deliveries, publishes = found["deliveries"], found["publishes"]
    assert deliveries["expected"] == deliveries["received"] == 5 * publishes["total"] > 0
    assert publishes["acked"] == publishes["total"]
    assert deliveries["lost"] == deliveries["doubled"] == deliveries["out_of_order"] == 0
    assert deliveries["per_second"] > 0 and publishes["per_second"] > 0
    for latency in found["latency"], found["ack_latency"]:
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p999"] <= latency["max"]
        assert latency["curve"][-1]["percentile"] == 100
    usage = found["server_usage"]
    assert usage["pids"] == [server.process.pid]
    assert usage["cpu_microseconds_per_delivery"] > 0 and usage["resident_bytes_at_end"] > 1 << 20
    loops = found["server_loops"]
    assert loops["count"] >= 1 and loops["mean_lag_us"] >= 0 and loops["held_publishes"] >= 0
    assert found["generator"]["cpu_percent"] > 0
    assert found["connections"]["count"] == 7 and found["connections"]["per_second"] > 0
    assert found["timeline"] and all(moment["seconds"] > 0 for moment in found["timeline"])


@pytest.mark.over_tls
def test_an_open_loop_publishes_at_its_rate(server):
    found = result(server, "--subs", "3", "--topics", "3", "--rate", "300", "--duration", "1s")
    assert found["options"]["rate"] == 300 and "window" not in found["options"]
    assert 300 <= found["publishes"]["total"] <= 340
    assert found["deliveries"]["received"] == found["publishes"]["total"]
    assert found["generator"]["lateness"]["p50"] >= 0


@pytest.mark.parametrize("preset, load", [
    ("light", (5, 10, 20)), ("medium", (10, 25, 50)), ("heavy", (25, 50, 100)), ("extreme", (50, 100, 200)),
])
def test_presets(server, preset, load):
    # At a tenth of the messages: what a preset demands is not what a test machine is for.
    options = result(server, "--preset", preset, "--rate", "500")["options"]
    assert (options["topics"], options["publishers"], options["subscribers"]) == load


def test_a_preset_brings_its_rate_and_gives_way_to_other_options(server):
    options = result(server, "--preset", "light", "--subs", "2")["options"]
    assert (options["rate"], options["topics"], options["subscribers"]) == (1000, 5, 2)
    assert result(server, "--preset", "light", "--window", "2")["options"]["window"] == 2


def test_idle_connections(server):
    found = result(server, "--connections", "50")
    assert found["connections"]["count"] == 50 and found["publishes"]["total"] == 0
    assert found["violations"] == [] and found["connections"]["resident_bytes_each"] is not None
    found = result(server, "--connections", "50", "--rate", "100")
    assert found["deliveries"]["received"] == 50 * found["publishes"]["total"] > 0


@pytest.mark.over_tls
def test_large_messages(server):
    found = result(server, "--subs", "3", "--window", "2", "--size", "300000")
    assert found["deliveries"]["received"] == 3 * found["publishes"]["total"] > 0


@pytest.mark.over_tls
def test_slow_readers_are_told_of_what_they_miss(server):
    found = result(server, "--subs", "4", "--slow", "1", "--window", "64", "--size", "4096", "--duration", "1s")
    stalled = found["stalled"]
    assert stalled["subscribers"] == 1 and stalled["received"] > 0
    assert stalled["received"] + stalled["announced"] == stalled["expected"] and stalled["unannounced"] == 0
    assert found["violations"] == []


@pytest.mark.over_tls
def test_the_v1_dialect_and_several_threads(server):
    run = apus("bench", server.url + "/v1", *SHORT, "--subs", "4", "--pubs", "4", "--threads", "2", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["violations"] == []


def test_credit_by_delivery(server):
    found = result(server, "--subs", "2", "--window", "4", "--credit", "delivery")
    assert found["options"]["credit"] == "delivery" and found["publishes"]["total"] > 4


def test_the_table_says_what_matters(server):
    run = bench(server, *SHORT, "--subs", "2")
    assert run.returncode == 0 and run.stderr == ""
    for name in ("load", "connections", "publishes", "deliveries", "checks", "latency", "server CPU", "generator"):
        assert re.search(rf"^{name} +\S", run.stdout, re.MULTILINE), name
    assert re.search(r"^verdict +nothing lost, nothing doubled, nothing out of order$", run.stdout, re.MULTILINE)


def test_the_report_is_one_file_with_plots(server, tmp_path):
    path = tmp_path / "report.html"
    assert bench(server, *SHORT, "--subs", "2", "--rate", "200", "--report", path).returncode == 0
    text = path.read_text()
    page = xml.etree.ElementTree.fromstring(re.sub(r"<meta ([^>]*)>", r"<meta \1/>", text.split("\n", 1)[1]))
    titles = [figure.find("figcaption").text.strip() for figure in page.iter("figure")]
    assert titles == ["Throughput", "Latency by percentile", "Server's processor time", "Server's memory"]
    for figure in page.iter("figure"):
        lines = list(figure.iter("polyline"))
        assert lines and all(len(line.get("points").split()) > 1 for line in lines)
        for point in (point for line in lines for point in line.get("points").split()):
            x, y = map(float, point.split(","))
            assert 0 <= x <= 640 and 0 <= y <= 260
    assert "prefers-color-scheme: dark" in text
    # Nothing from elsewhere.
    assert not re.search(r"https?://(?!127\.0\.0\.1)|<script|<link|<img|url\(|@import", text)


@pytest.mark.parametrize("arguments, words", [
    (["--window", "4", "--rate", "10"], "--window and --rate exclude each other"),
    (["--subs", "0", "--pubs", "0"], "nothing to do"),
    (["--subs=-1"], "fewer than 0"),
    (["--size", "41"], "too small for the numbers it must carry"),
    (["--size", "2000000", "--subs", "1"], "more than the server takes"),
    (["--size", "99999999999"], "at most"),
    (["--topics", "100001"], "topics must be from 1 to 100000"),
    (["--slow", "200"], "cannot be slow"),
    (["--connections", "100000000"], "ulimit"),
    (["--connections", "5", "--subs", "5"], "--connections and --subs exclude each other"),
    (["--connections", "5", "--window", "5"], "--connections goes with --rate"),
    (["--rate", "nan"], "rate must be"),
    (["--window", "0"], "window must be"),
    (["--threads", "0"], "threads must be"),
    (["--credit", "delivery", "--subs", "1", "--topics", "2"], "needs a subscriber"),
    (["--preset", "gigantic"], "'light', 'medium', 'heavy'"),
    (["--report", "/no/such/folder/report.html"], "cannot write"),
    (["--duration", "0s"], "duration"),
])
def test_what_cannot_be_done_is_said_in_a_sentence(server, arguments, words):
    run = bench(server, *arguments)
    assert run.returncode == 64, run.stdout
    assert words in run.stderr and run.stdout == ""


def test_servers_that_cannot_be_used(server):
    gone = apus("bench", NOWHERE)
    assert gone.returncode == 69 and "is the server running" in gone.stderr
    assert apus("bench", "nonsense").returncode == 64


def test_api_keys():
    with Server("--api-key", "secret") as server:
        refused = bench(server, *SHORT)
        assert refused.returncode == 77 and "--api-key" in refused.stderr
        assert bench(server, *SHORT, "--subs", "2", "--api-key", "secret").returncode == 0
        assert bench(server, *SHORT, "--subs", "2", env={"APUS_API_KEY": "secret"}).returncode == 0


def test_an_interrupt_ends_a_run_in_good_order(server):
    process = subprocess.Popen(
        [os.environ["APUS_BIN"], "bench", server.url, "--subs", "2", "--duration", "10m", "--json"],
        env=client_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: any(topic["messages"] for name, topic in server.rest("GET", "/stats").json["topics"].items()
                           if name.startswith("apus-bench-")), "the run has begun")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
    found = json.loads(output)
    assert found["is_interrupted"] and found["deliveries"]["received"] == found["deliveries"]["expected"]


class Meddler:
    """A proxy that hands on everything, but every tenth event not as it came."""

    def __init__(self, server, meddle):
        self.upstream, self.meddle, self.events = server.port, meddle, 0

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        start = asyncio.start_server(self.connected, "127.0.0.1", 0)
        listening = asyncio.run_coroutine_threadsafe(start, self.loop).result(TIMEOUT)
        self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT)

    async def connected(self, reader, writer):
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await asyncio.gather(self.copy(reader, upstream_writer), self.copy_frames(upstream_reader, writer))

    async def copy(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def copy_frames(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while b" 101 " not in head and (data := await reader.read(65536)):
            writer.write(data)
        while b" 101 " in head:
            start = await reader.readexactly(2)
            if start[1] == 126:
                start += await reader.readexactly(2)
            length = int.from_bytes(start[2:]) if len(start) > 2 else start[1]
            frame = start + await reader.readexactly(length)
            if b'"event"' in frame:
                self.events += 1
                frame = self.meddle(frame) if self.events % 10 == 0 else frame
            writer.write(frame)


@pytest.mark.plain("it meddles with what TLS would hide from it")
@pytest.mark.parametrize("meddle, what", [(lambda frame: b"", "lost"), (lambda frame: frame * 2, "doubled")])
def test_a_fault_fails_the_run(server, meddle, what):
    with Meddler(server, meddle) as proxy:
        run = apus("bench", proxy.url, *SHORT, "--subs", "3", "--window", "2", "--json", timeout=60 * PATIENCE)
    assert run.returncode == 1, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["deliveries"][what] > 0
    assert [violation for violation in found["violations"] if what in violation]
