"""Clients that others wrote, over TLS: curl, Python's, a browser, OpenSSL's own; and ours."""

import asyncio
import json
import subprocess
import urllib.request
from contextlib import asynccontextmanager

import pytest
from websockets.sync.client import connect

from apus_e2e import TIMEOUT, Server, apus, eventually
from certificates import authority, client_context, openssl
from chromium import Page
from cli_processes import Sub, subscribed
from secure import secure

pytestmark = pytest.mark.one_server("it is about TLS with one server")

@pytest.fixture(scope="module")
def server():
    with secure() as running:
        yield running


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--cacert", authority().certificate, *arguments], capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_curl_publishes_reads_and_keeps_its_connection(server, topic, version, http):
    messages = f"{server.url}/topics/{topic}/messages"
    limits = [f"--tlsv{version}", "--tls-max", version, http]
    made = curl(*limits, "--json", '{"a":1}', messages, "--next", *limits, "--cacert", authority().certificate, "-sS",
                f"{messages}?last_n=1", "-w", "\n%{num_connects} %{http_version} %{ssl_verify_result}")
    assert made.splitlines()[-1] == "0 1.1 0"
    assert '"payload":{"a":1}' in made
    large = curl(*limits, "-H", "Expect: 100-continue", "-H", "Content-Type: application/json", "--data-binary",
                 json.dumps("x" * 60_000), messages)
    assert json.loads(large)["offset"] == 2


def test_curl_follows_an_event_stream(server, topic):
    process = subprocess.Popen(["curl", "-sSN", "--cacert", authority().certificate, f"{server.url}/topics/{topic}/events"],
                               stdout=subprocess.PIPE, text=True)
    try:
        eventually(lambda: server.subscribers(topic) == 1, "it follows")
        server.rest("POST", f"/topics/{topic}/messages", "streamed")
        assert next(line for line in process.stdout if "streamed" in line)
    finally:
        process.kill()
        process.wait()


def test_a_client_that_does_not_trust_the_server_says_so_and_the_server_goes_on(server):
    done = subprocess.run(["curl", "-sS", f"{server.url}/health"], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 60, done.stderr
    assert server.rest("GET", "/health").status == 200


def test_python_s_clients_speak_both_ways(server, topic):
    with urllib.request.urlopen(f"{server.url}/health", context=client_context(), timeout=TIMEOUT) as answer:
        assert answer.status == 200
    with connect(f"wss://localhost:{server.port}/ws", ssl=client_context(), proxy=None, open_timeout=TIMEOUT) as client:
        client.send(json.dumps({"type": "subscribe", "topic": topic, "client_id": "c"}))
        assert json.loads(client.recv(TIMEOUT))["type"] == "ack"
        server.rest("POST", f"/topics/{topic}/messages", "z" * 200_000)
        assert json.loads(client.recv(TIMEOUT))["message"]["payload"] == "z" * 200_000
        assert client.ping().wait(TIMEOUT)


SCRIPT = """(async () => {
    const seen = {}, topic = "/topics/TOPIC";
    const first = source => new Promise((done, failed) => {
        source.addEventListener("message", event => {
            const value = JSON.parse(event.data);
            if (value.type === "event") done(value.message.payload);
        });
        source.onerror = failed;
    });
    const stream = new EventSource(topic + "/events"), streamed = first(stream);
    await new Promise(done => stream.onopen = done);
    const socket = new WebSocket("wss://" + location.host + "/ws"), received = first(socket);
    await new Promise((done, failed) => { socket.onopen = done; socket.onerror = failed; });
    socket.send(JSON.stringify({type: "subscribe", topic: "TOPIC", client_id: "page"}));
    await new Promise(done => socket.addEventListener("message", done, {once: true}));
    seen.status = (await fetch(topic + "/messages", {method: "POST", body: '"from a page"',
        headers: {"Content-Type": "application/json"}})).status;
    seen.socket = await received;
    seen.stream = await streamed;
    seen.page = (await (await fetch(topic + "/messages?last_n=1")).json()).messages[0].message.payload;
    socket.close();
    stream.close();
    return seen;
})()"""


@pytest.mark.limit(120)
async def test_a_browser_uses_fetch_websocket_and_event_source(server, topic):
    async with Page.open(f"https://localhost:{server.port}/health") as page:
        seen = await page.evaluate(SCRIPT.replace("TOPIC", topic))
        said = "from a page"
        assert seen == {"status": 201, "socket": said, "stream": said, "page": said}
        # Of what was asked for, only the picture that browsers ask for by themselves is not there.
        assert all("favicon" in json.dumps(complaint) for complaint in page.complaints)


# What it says when the handshake is over, and what has the server say something.
READY = b"Verify return code"
ASK = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def openssl_client(server, *arguments):
    """OpenSSL's own client, which does what its standard input says, as a process."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", authority().certificate,
        "-verify_return_error", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process, text):
    """Reads until it says this; what it has said."""
    data = b""
    async with asyncio.timeout(TIMEOUT):
        while text not in data:
            part = await process.stdout.read(1 << 16)
            assert part, data
            data += part
    return data


@pytest.mark.parametrize("key", [b"k", b"K"], ids=["its own", "both"])
async def test_openssl_changes_keys_in_the_midst(server, key):
    async with openssl_client(server, "-tls1_3") as process:
        await said(process, READY)
        for _ in range(3):
            process.stdin.write(key + b"\n")
            await said(process, b"KEYUPDATE")
            process.stdin.write(ASK)
            await said(process, b"uptime_sec")


async def test_openssl_may_not_negotiate_again(server):
    async with openssl_client(server, "-tls1_2") as process:
        assert b"Secure Renegotiation IS supported" in await said(process, READY)
        process.stdin.write(b"R\n")
        await said(process, b"no renegotiation")
    assert server.rest("GET", "/health").status == 200


async def test_early_data_is_not_offered(server, tmp_path):
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(ASK)
    async with openssl_client(server, "-tls1_3", "-sess_out", session) as process:
        await said(process, READY)
        process.stdin.write(ASK)
        await said(process, b"uptime_sec")
        process.stdin.write(b"Q\n")
        await process.wait()
    assert b"Max Early Data: 0\n" in openssl("sess_id", "-in", session, "-noout", "-text")
    async with openssl_client(server, "-tls1_3", "-sess_in", session, "-early_data", early) as process:
        told = await said(process, READY)
        assert b"Reused, TLSv1.3" in told and b"Early data was not sent" in told


# The program's own commands


def test_the_command_line_trusts_an_authority(server, topic, tmp_path):
    trust = ["--url", server.url, "--ca", str(authority().certificate)]
    (tmp_path / "sub").mkdir()
    with Sub(tmp_path / "sub", topic, "--ca", str(authority().certificate), url=server.url) as sub:
        subscribed(server, topic)
        done = apus("pub", topic, '{"n":1}', *trust)
        assert done.returncode == 0, done.stderr
        assert sub.payloads(1) == [{"n": 1}]
    assert topic in apus("topics", *trust).stdout
    assert apus("healthcheck", *trust).returncode == 0
    by_variable = apus("topics", "--url", server.url, env={"APUS_CA": str(authority().certificate)})
    assert topic in by_variable.stdout


def test_the_command_line_says_why_it_does_not_go_on(server, tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    distrust = apus("topics", "--url", server.url, env={"APUS_CA": ""})
    assert distrust.returncode != 0 and "certificate" in distrust.stderr.lower()
    for file in (garbage, tmp_path / "none.pem"):
        done = apus("topics", "--url", server.url, "--ca", str(file))
        assert done.returncode == 78 and str(file) in done.stderr, done.stderr
    plain = apus("topics", "--url", server.url.replace("https", "http"))
    assert plain.returncode != 0 and "TLS" in plain.stderr, plain.stderr
    with Server(tls=False) as without:
        done = apus("topics", "--url", without.url.replace("http", "https"))
        assert done.returncode != 0 and "does not speak TLS" in done.stderr


def test_verify_cuts_its_clients_off_and_loses_nothing(server):
    done = apus("verify", server.url, "--ca", str(authority().certificate), "--duration", "1s", "--subscribers", "6", "--json",
                timeout=6 * TIMEOUT)
    assert done.returncode == 0, done.stderr


def test_bench_measures_through_tls(server):
    trust = ["--ca", str(authority().certificate)]
    load = ["--subs", "4", "--pubs", "2", "--size", "20000", "--duration", "300ms", "--warmup", "50ms", "--threads", "2", "--json"]
    done = apus("bench", server.url, *trust, *load, timeout=4 * TIMEOUT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["server"].endswith("with TLS")
    deliveries = found["deliveries"]
    # On a busy machine, so large messages are dropped for slow subscribers, who are told.
    assert deliveries["received"] + deliveries["announced"] == 4 * found["publishes"]["total"]
    assert deliveries["received"] > 0 == deliveries["lost"]
    distrust = apus("bench", server.url, *load, env={"APUS_CA": ""})
    assert distrust.returncode == 69 and "certificate" in distrust.stderr.lower(), distrust.stderr
    missing = apus("bench", server.url, "--ca", "/no/such.pem", *load)
    assert missing.returncode == 78 and "/no/such.pem" in missing.stderr, missing.stderr
