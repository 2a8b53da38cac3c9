"""Fields of the wrong kind, combinations that make no sense: the documented error, and nothing taken by halves."""

import json
import random

import pytest

from apus_e2e import Client
from extensions import (describe, expect_bad, head, listing, new_message, offsets, publish_batch, receive_events,
                        subscribe)

NOT_BOOLEANS = ["true", "", 0, 1, -1, 1.5, [], [True], {}]
NOT_DURATIONS = ["", " ", "s", "10", "10x", "-10m", "1.5.5s", "10 m", "m10", "1h30", "\u0661s", "10m ", "1e3s"]
NOT_TIMES = ["yesterday", "ALL", "All", "all ", "2025-08-25", "2025-08-25T10:00:00", "2025-13-01T00:00:00Z",
             "2025-02-30T00:00:00Z", "2025-08-25 10:00:00", "2025-08-25T25:00:00Z", "2025-08-25T10:00:00+99:00",
             "2025-08-25T10:00:00.Z", "T", "9" * 400 + "s", "x" * 5000]
NOT_POSITIONS = [{}, {"epoch": "e"}, {"offset": 1}, {"epoch": None, "offset": 1}, {"epoch": "", "offset": 1},
                 {"epoch": 1, "offset": 1}, {"epoch": ["e"], "offset": 1}, {"epoch": "e", "offset": None},
                 {"epoch": "e", "offset": -1}, {"epoch": "e", "offset": 1.5}, {"epoch": "e", "offset": "1"},
                 {"epoch": "e", "offset": True}, {"epoch": "e", "offset": []}, {"epoch": "e", "offset": 10**30}]

SUBSCRIBE = {
    "positions": NOT_BOOLEANS,
    "echo": NOT_BOOLEANS,
    "presence": NOT_BOOLEANS,
    "since": [*NOT_DURATIONS, *NOT_TIMES, *NOT_POSITIONS, 0, 1, -1, 1.5, True, False, [], ["all"]],
    "overflow": ["", "drop", "DROP-OLDEST", "drop_oldest", "drop-oldest ", "none", 0, 1, True, False, [], ["latest"],
                 {}],
    "queue": [0, -1, 100_001, 1.5, "1", "many", "", True, False, [], [5], {}, 10**30, -10**30],
}
PUBLISH = {
    "outcome": NOT_BOOLEANS,
    "ttl": [*NOT_DURATIONS, 0, -1, -0.5, "0s", "0", True, False, [], {}, "all"],
    "key": ["", "k" * 257, "é" * 129, 0, 1, 1.5, True, False, [], ["k"], {}],
    "messages": ["", "x", 0, 1, 1.5, True, False, {}, []],
}


def cases(fields):
    return [pytest.param(name, wrong, id=f"{name}={json.dumps(wrong)[:40]}")
            for name, values in fields.items() for wrong in values]


@pytest.mark.parametrize(("name", "wrong"), cases(SUBSCRIBE))
async def test_a_wrong_field_of_subscribe_is_named_and_nothing_is_subscribed(server, topic, name, wrong):
    async with await Client.open(server) as client:
        await expect_bad(client, name, type="subscribe", topic=topic, client_id="c", **{name: wrong})
        # Malformed comes before missing.
        await expect_bad(client, name, type="subscribe", topic="nowhere", client_id="c", **{name: wrong})
        assert server.subscribers(topic) == 0
        await client.publish(topic, 1)
        await client.expect_alive()


@pytest.mark.parametrize(("name", "wrong"), cases(PUBLISH))
async def test_a_wrong_field_of_publish_is_named_and_nothing_is_published(server, topic, name, wrong):
    async with await Client.open(server) as client:
        await client.subscribe(topic)
        command = {"type": "publish", "topic": topic, "message": new_message(1)}
        if name == "messages":
            del command["message"]
        await expect_bad(client, name, **command, **{name: wrong})
        await expect_bad(client, name, **command | {"topic": "nowhere"}, **{name: wrong})
        await client.expect_alive()
    assert await head(server, topic) == 0


@pytest.mark.parametrize(("fields", "named"), [
    ({"since": "all", "last_n": 1}, "last_n"), ({"since": {"epoch": "e", "offset": 0}, "last_n": 0}, "last_n"),
    ({"since": "10m", "last_n": "5"}, "since"), ({"since": "bad", "last_n": 1}, "since"),
    ({"positions": True, "queue": 0}, "queue"), ({"overflow": "latest", "queue": 100_001}, "queue"),
    ({"positions": True, "since": "all", "last_n": 10**30}, "last_n"), ({"last_n": -1, "positions": True}, "last_n"),
])
async def test_a_combination_that_makes_no_sense_is_refused(server, topic, fields, named):
    async with await Client.open(server) as client:
        await expect_bad(client, named, type="subscribe", topic=topic, client_id="c", **fields)
        assert server.subscribers(topic) == 0
        await client.expect_alive()


async def test_a_refused_command_leaves_the_subscription_as_it_was(server, topic):
    async with await Client.open(server) as client:
        await subscribe(client, topic, positions=True, overflow="latest", queue=33)
        for fields in ({"queue": 0}, {"overflow": "x"}, {"since": "all", "last_n": 1}, {"positions": "no"}, {"echo": 1},
                       {"overflow": "drop-newest", "queue": 44, "presence": "x"}):
            await expect_bad(client, next(reversed(fields)), type="subscribe", topic=topic, client_id="c", **fields)
        message = await client.publish(topic, 1)
        await client.expect(type="event", topic=topic, message=message, offset=1)
        entry, = listing(server, topic)["subscribers"]
        assert (entry["policy"], entry["queue"]) == ("latest", 33)


@pytest.mark.parametrize("name", [*SUBSCRIBE, *PUBLISH])
async def test_null_counts_as_absent(server, topic, dialect, name):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(topic, **({name: None} if name in SUBSCRIBE else {}))
        message = await client.publish(topic, 1, **({name: None} if name in PUBLISH else {}))
        await client.expect_event(topic, message)


@pytest.mark.parametrize("name", [*SUBSCRIBE, *PUBLISH])
async def test_fields_of_another_command_are_ignored(server, topic, name):
    async with await Client.open(server) as client:
        for wrong in ((SUBSCRIBE | PUBLISH)[name])[:5]:
            wrong = {name: wrong}
            await client.send(type="ping", **wrong)
            await client.expect(type="pong")
            await client.unsubscribe(topic, **wrong)
            if name in PUBLISH:
                await client.subscribe(topic, **wrong)
                await client.unsubscribe(topic)
            else:
                await client.publish(topic, 1, **wrong)


@pytest.mark.parametrize("last_n", [101, 10**6, 2**63 - 1, 2**63, 2**64, 10**30, "1" + "0" * 50])
async def test_a_huge_last_n_replays_what_is_kept(server, topic, last_n):
    async with await Client.open(server) as client:
        await publish_batch(client, topic, list(range(1, 121)))
        ack = await subscribe(client, topic, positions=True, last_n=last_n)
        assert ack["offset"] == 20
        assert offsets(await receive_events(client, topic, 100)) == list(range(21, 121))


@pytest.mark.parametrize("size", [1, 100, 10_000])
async def test_an_epoch_may_be_any_text_and_is_another_one(server, topic, size):
    async with await Client.open(server) as client:
        await publish_batch(client, topic, [1])
        for epoch in ("x" * size, "ü" * size, '"\\' * size, "\u0000" * size):
            ack = await subscribe(client, topic, since={"epoch": epoch, "offset": 1, "more": [1]})
            assert ack == {"epoch": describe(server, topic)["epoch"], "offset": 0, "recovered": False}
            assert offsets(await receive_events(client, topic, 1)) == [1]


def random_value(chance, depth=0):
    return chance.choice([
        lambda: None, lambda: True, lambda: False, lambda: chance.randint(-5, 200), lambda: chance.random() * 10,
        lambda: chance.choice(["all", "10m", "latest", "throttle", "k", "", "x" * 300, "2025-08-25T10:00:00Z"]),
        lambda: [] if depth else [random_value(chance, 1)],
        lambda: {"epoch": random_value(chance, 1), "offset": random_value(chance, 1)} if not depth else {},
        lambda: {"id": chance.choice([new_message(0)["id"], "x"]), "payload": 0},
    ])()


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_thrown_at_it_each_command_gets_one_answer(server, topic, seed):
    chance = random.Random(seed)
    async with await Client.open(server) as client:
        taken = 0
        for number in range(400):
            command = {"type": chance.choice(["subscribe", "publish", "unsubscribe"]), "client_id": "c",
                       "topic": chance.choice([topic, topic, f"{topic}.*", "nowhere", "a*"]), "message": new_message(0)}
            for name in chance.sample([*SUBSCRIBE, *PUBLISH, "last_n", "message", "topic"], chance.randint(0, 3)):
                command[name] = random_value(chance)
            await client.send(**command, request_id=number)
            while (answer := await client.receive())["type"] in ("event", "info"):
                pass
            assert (answer["request_id"], answer["type"]) in ((number, "ack"), (number, "error"))
            if answer["type"] == "error":
                assert answer["error"]["code"] in ("BAD_REQUEST", "TOPIC_NOT_FOUND"), answer
            elif command["type"] == "publish":
                taken += answer.get("count", 1)
    # Acked is in the log, refused is not.
    assert await head(server, topic) == taken
