"""What whoever reads the log, the metrics, or the settings does not find there: keys, tokens and messages."""

import subprocess
import uuid

import pytest

from apus_e2e import Client, Server, apus
from raw_http import RawHTTP, request

pytestmark = pytest.mark.one_server("it is about one process")

GOOD = f"good-{uuid.uuid4()}"
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
           "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.fixture(scope="module")
def talkative():
    """A server that logs all that it can."""
    with Server("--log-level", "trace", env={"APUS_API_KEYS": GOOD}) as running:
        assert running.create("t", headers={"X-API-Key": GOOD}).status == 201
        yield running


# Each has a text that is secret, and what a client sends.
REQUESTS = {
    "header": lambda text: request("GET", "/topics", X_API_Key=text),
    "bearer": lambda text: request("GET", "/topics", Authorization=f"Bearer {text}"),
    "address": lambda text: request("GET", f"/topics?api_key={text}"),
    "unknown path": lambda text: request("GET", f"/nowhere?api_key={text}"),
    "stream": lambda text: request("GET", f"/topics/t/events?api_key={text}"),
    "handshake": lambda text: request("GET", f"/ws?api_key={text}", **UPGRADE),
    "subprotocol": lambda text: request("GET", "/ws", Sec_WebSocket_Protocol=f"apus, bearer.{text}", **UPGRADE),
    "foreign page": lambda text: request("GET", f"/ws?api_key={text}", Origin="https://evil.example", **UPGRADE),
    "broken head": lambda text: f"GET /ws?api_key={text} HTTP/1.1\r\nHost: \x01{text}\r\n\r\n".encode(),
    "no protocol": lambda text: f"{text}\r\n\r\n".encode(),
    "revocation": lambda text: request("POST", "/revocations", b'{"key":"%s"}' % text.encode(), X_API_Key=GOOD,
                                       Content_Type="application/json"),
    "message": lambda text: request("POST", "/topics/t/messages", b'"%s"' % text.encode(), X_API_Key=GOOD),
    "bad message": lambda text: request("POST", "/topics/t/messages", b'{"%s' % text.encode(), X_API_Key=GOOD),
}


@pytest.mark.parametrize("way", REQUESTS)
def test_what_comes_with_a_request_is_not_logged(talkative, way):
    text = f"secret-{uuid.uuid4()}"
    with RawHTTP(talkative) as raw:
        raw.send(REQUESTS[way](text))
        assert raw.head()[0] < 500
    assert_not_logged(talkative, text)


async def test_what_comes_over_a_websocket_is_not_logged(talkative):
    wrong, message = (f"secret-{uuid.uuid4()}" for _ in range(2))
    for key in (wrong, GOOD):
        async with await Client.open(talkative) as client:
            await client.send(type="auth", api_key=key)
            await client.receive()
            if key == GOOD:
                await client.subscribe("t")
                await client.send_publish("t", message)
                await client.receive()
                await client.send('{"type":"publish","topic":"t","message":"%s"' % message)
                await client.receive()
    assert_not_logged(talkative, wrong, message)


def assert_not_logged(server, *texts):
    # Logged after all that was before it: what is there by then is all that there will be.
    end = f"/end-{uuid.uuid4()}"
    assert server.rest("GET", end).status == 404
    server.wait_for_log(end)
    log = "\n".join(server.log)
    assert not any(text in log for text in (*texts, GOOD)), [line for line in server.log if texts[0] in line]


def test_the_command_that_prints_settings_has_no_secrets():
    secrets = {"APUS_API_KEYS": GOOD, "APUS_TOKENS_KEYS": f'[{{"alg": "HS256", "secret": "{GOOD}{GOOD}"}}]',
               "APUS_KEYS": f'[{{"id": "a", "key": "{GOOD}"}}]'}
    printed = apus("config", "print", env=secrets)
    assert printed.returncode == 0 and '"***"' in printed.stdout and GOOD not in printed.stdout + printed.stderr


def test_another_user_cannot_read_the_environment_of_the_server(talkative):
    mode = subprocess.run(["stat", "-c", "%a", f"/proc/{talkative.process.pid}/environ"], capture_output=True, text=True)
    assert mode.stdout == "400\n"
