"""Connections that an administrator closes: `DELETE /connections/{id}`."""

import asyncio
import json

import pytest

from apus_e2e import BASE, PATIENCE, Client, Server, eventually

pytestmark = pytest.mark.one_server("a connection is ended by its own node")

KEYS = [{"id": "boss", "key": "boss-key", "rights": [{"actions": ["*"], "topics": [">"]}]},
        {"id": "ann", "key": "ann-key", "rights": [{"actions": ["subscribe", "history", "publish", "stats", "manage"],
                                                    "topics": [">"]}]}]
BOSS, ANN = {"X-API-Key": "boss-key"}, {"X-API-Key": "ann-key"}


@pytest.fixture(scope="module")
def server():
    with Server("--keys", json.dumps(KEYS)) as running:
        assert running.create("orders", headers=BOSS).status == 201
        yield running


def numbers(server, **wanted):
    """The numbers of the connections whose subscriptions have these fields."""
    listed = server.rest("GET", "/subscribers?limit=1000", headers=BOSS).json["subscribers"]
    return [row["connection"] for row in listed if wanted.items() <= row.items()]


def kick(server, number, headers=BOSS):
    return server.rest("DELETE", f"/connections/{number}", headers=headers)


async def test_a_websocket_is_closed_as_kicked_and_others_stay(server, dialect):
    async with await Client.open(server, dialect, additional_headers=ANN) as kicked, \
            await Client.open(server, dialect, additional_headers=ANN) as other:
        await kicked.subscribe("orders", "kicked")
        await other.subscribe("orders", "other")
        [number] = numbers(server, client_id="kicked")
        answer = kick(server, number)
        assert (answer.status, answer.body) == (204, b"")
        assert await kicked.expect_close(1008, "KICKED") == []
        await other.expect_alive()
        assert kick(server, number).status == 404
        assert numbers(server, client_id="kicked") == []
    gone = server.rest("GET", "/subscribers", headers=BOSS).json["gone"]
    assert [row["reason"] for row in gone if row["connection"] == number] == ["KICKED"]


async def test_event_streams_and_waiting_requests_end_too(server):
    last = server.rest("GET", "/topics/orders", headers=ANN).json["last"]
    paths = ["/topics/orders/events?client_id=s", f"/topics/orders/messages?after={last}&wait=1m"]
    requests = [asyncio.create_task(asyncio.to_thread(server.rest, "GET", path, None, ANN, 60 * PATIENCE))
                for path in paths]

    def waiting():
        found = numbers(server, transport="sse") + numbers(server, transport="poll")
        return found if len(found) == 2 else None

    for number in await asyncio.to_thread(eventually, waiting, "both requests wait"):
        assert kick(server, number).status == 204
    stream, poll = await asyncio.gather(*requests)
    assert stream.body.decode().split("data: ")[-1].startswith('{"type":"error","error":{"code":"KICKED"')
    assert (poll.status, poll.json["code"]) == (403, "KICKED")


async def test_who_is_no_administrator_closes_nothing_and_learns_nothing(server):
    async with await Client.open(server, additional_headers=ANN) as client:
        await client.subscribe("orders", "stays")
        [number] = numbers(server, client_id="stays")
        answers = [kick(server, target, headers=ANN) for target in (number, 10 ** 9, "nonsense")]
        assert [(answer.status, answer.json["code"]) for answer in answers] == [(403, "FORBIDDEN")] * 3
        assert len({answer.json["detail"] for answer in answers}) == 1
        assert kick(server, number, headers={}).status == 401
        await client.expect_alive()


@pytest.mark.parametrize("number", ["0", "-1", "x", "18446744073709551616", "1.5"])
def test_there_is_no_connection_with_another_number(server, number):
    answer = kick(server, number)
    assert (answer.status, answer.json["code"]) == (404, "NOT_FOUND")


async def test_the_close_is_counted_and_logged_with_who_did_it(server):
    async with await Client.open(server, BASE, additional_headers=ANN) as client:
        await client.subscribe("orders", "counted")
        [number] = numbers(server, client_id="counted")
        assert kick(server, number).status == 204
        await client.expect_close(1008, "KICKED")
    metrics = server.rest("GET", "/metrics", headers=BOSS).body.decode()
    [line] = [line for line in metrics.splitlines() if 'apus_connections_closed_total{reason="KICKED"}' in line]
    assert int(line.split()[-1]) >= 1
    server.wait_for_log("connection kicked")
    assert any("connection kicked" in line and "by=boss" in line and f"connection.id={number}" in line.split()
               for line in server.log)


async def test_an_open_server_lets_everybody_kick():
    with Server() as open_server:
        open_server.create("t")
        async with await Client.open(open_server) as client:
            await client.subscribe("t")
            [row] = open_server.rest("GET", "/subscribers").json["subscribers"]
            assert kick(open_server, row["connection"], headers={}).status == 204
            await client.expect_close(1008, "KICKED")
