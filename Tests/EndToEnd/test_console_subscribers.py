"""The console's subscribers: who lags, who was dropped and why, who has gone, and who must go."""

import socket

import pytest

from apus_e2e import Client
from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")


@pytest.mark.limit(120)
async def test_subscribers_come_and_go_and_are_searched(server, topic):
    async with Console.open(server, f"#/subscribers?topic={topic}") as console:
        await console.shows("Nobody subscribes")
        async with await Client.open(server) as client:
            await client.subscribe(topic, "worker-1")
            await client.subscribe(topic, "worker-2")
            await console.until(f"{rows()}.length === 2")
            await console.write("[data-search]", "worker-2")
            await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('worker-2')")
            await console.click(".row[data-index='0']")
            await console.shows("It keeps up", "dialog")
            await console.press("Escape")
        await console.shows("DISCONNECTED", ".gone")
        await console.shows("the client left", ".gone")
        await console.reload()
        assert await console.page.evaluate("document.querySelector('[data-search]').value") == "worker-2"


@pytest.mark.plain("its reader is a bare socket")
@pytest.mark.limit(120)
async def test_a_subscriber_that_does_not_read_is_explained(server, topic):
    server.rest("PUT", f"/topics/{topic}", {"history": 10})
    with socket.socket() as sleeper:
        # Little fits on the way to it.
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.connect(("127.0.0.1", server.port))
        request = f"GET /topics/{topic}/events?client_id=sleeper&queue=10 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        sleeper.sendall(request.encode())
        async with Console.open(server, f"#/subscribers?topic={topic}") as console:
            await console.shows("sleeper", ".rows")
            body = "\n".join('"' + "x" * 20_000 + '"' for _ in range(40)).encode()
            for _ in range(10):
                server.rest("POST", f"/topics/{topic}/messages", body, {"Content-Type": "application/x-ndjson"})
            await console.until("Number(document.querySelector('.row[data-index=\"0\"] .bad')?.innerText) > 0", "drops")
            await console.click(".row[data-index='0']")
            await console.shows("were not delivered: it did not read fast enough", "dialog")
            await console.shows("its oldest waiting messages are skipped", "dialog")


@pytest.mark.limit(120)
async def test_a_connection_is_ended_after_a_question(server, topic):
    client = await Client.open(server)
    async with Console.open(server, f"#/subscribers?topic={topic}") as console:
        await client.subscribe(topic, "unwanted")
        await console.click(".row button", "Kick")
        await console.shows("Disconnect unwanted?", "dialog")
        await console.click("dialog button", "Cancel")
        await console.click(".row[data-index='0']")
        await console.click("dialog button.danger", "Disconnect…")
        await console.click("dialog button.danger", "Disconnect")
        await console.shows("is closed.", "#toast")
        await client.connection.wait_closed()
        await console.shows("an administrator disconnected it", ".gone")
