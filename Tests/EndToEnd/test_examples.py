"""The Swift programs in Examples, built with the tests and run: `E2E_EXAMPLES=.build/debug`."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess

import pytest

from apus_e2e import PATIENCE, TIMEOUT, Client, Dialect, Server, eventually, until
from event_stream import EventStream

LIVE = Dialect("/live", "ts", "uptime_sec")
FOLDER = os.environ.get("E2E_EXAMPLES")
pytestmark = [pytest.mark.one_server("it is about pages that name one server"),
              pytest.mark.skipif(not FOLDER, reason="E2E_EXAMPLES does not say where they are built"),
              pytest.mark.plain("the programs trust no authority of the tests")]


def program(name):
    path = os.path.join(FOLDER, f"example-{name}")
    assert os.access(path, os.X_OK), f"{path} is not built"
    return path


def output(name, *arguments):
    return subprocess.run([program(name), *arguments], capture_output=True, text=True, timeout=6 * TIMEOUT, check=True).stdout


def test_a_program_publishes_and_subscribes_without_a_server():
    assert output("embed").splitlines() == [
        "order 1 of 9.5, offset 1", "order 2 of 19.0, offset 2", "order 3 of 28.5, offset 3", "orders.eu: topicDeleted",
    ]


def test_a_program_of_the_swift_client_has_what_it_publishes():
    with Server() as server:
        lines = output("orders", server.url).splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["published:"] * 3
    assert 'Order(order: "ORD-3", amount: 3.5)' in lines[5]


class App:
    """The Hummingbird application, on a port of its own; looks like a `Server` to clients."""

    tls = None

    def __init__(self):
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
            self.port = probe.getsockname()[1]

    def __enter__(self):
        self.process = subprocess.Popen([program("hummingbird-app"), str(self.port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            eventually(self.is_listening, "the application listens")
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        assert kind or code == 0, code

    def is_listening(self):
        assert self.process.poll() is None, "the application ended"
        with contextlib.suppress(OSError):
            return self.ask("GET", "/")[0] == 200

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


async def test_an_application_has_its_routes_and_apus_below_a_path():
    with App() as app:
        assert app.ask("GET", "/nothing")[0] == 404
        assert app.ask("GET", "/livez")[0] == 404
        status, body = app.ask("GET", "/live/topics")
        assert status == 200 and [topic["name"] for topic in json.loads(body)["topics"]] == ["orders"]
        assert app.ask("GET", "/live/readyz")[0] == 200
        assert app.ask("GET", "/live/nothing")[0] == 404
        async with await Client.open(app, LIVE) as client:
            await client.subscribe("orders")
            async with await EventStream.open(app, "/live/topics/orders/events") as stream:
                assert stream.status == 200
                status, body = await asyncio.to_thread(app.ask, "POST", "/orders/7")
                assert (status, body) == (200, "order 7 went to 2 subscribers\n")
                assert (await client.receive())["message"]["payload"] == {"number": 7}
                assert (await stream.next()).json["message"]["payload"] == {"number": 7}
                status, body = await asyncio.to_thread(app.ask, "GET", "/live/subscribers")
                assert status == 200
                assert sorted(one["transport"] for one in json.loads(body)["subscribers"]) == ["sse", "websocket"]


async def test_an_application_that_stops_closes_its_clients_connections_in_good_order():
    with App() as app:
        async with await Client.open(app, LIVE) as client:
            await client.subscribe("orders")
            async with await EventStream.open(app, "/live/topics/orders/events") as stream:
                app.process.send_signal(signal.SIGTERM)
                await client.expect_close(1001)
                assert (await stream.next()).json["msg"] == "shutdown"
                assert await stream.next() is None
                await until(lambda: app.process.poll() is not None, "the application ends")


async def test_an_application_that_stops_does_not_wait_for_requests_that_wait():
    with App() as app:
        poll = asyncio.create_task(asyncio.to_thread(app.ask, "GET", "/live/topics/orders/messages?wait=5m"))
        await until(lambda: json.loads(app.ask("GET", "/live/topics")[1])["topics"][0]["subscribers"] == 1, "it waits")
        app.process.send_signal(signal.SIGTERM)
        status, body = await poll
        assert status == 200 and json.loads(body)["messages"] == []
        await until(lambda: app.process.poll() is not None, "the application ends")
