"""The commands of section 2: their fields, their errors, the echo of `request_id`, the order of answers."""

import json
import re
import uuid

import pytest

from apus_e2e import BASE, V1, Client

MESSAGE = {"id": "550e8400-e29b-41d4-a716-446655440000", "payload": 1}


@pytest.mark.parametrize("request_id", [
    '"req-1"', '""', '"ü 日本"', "0", "-7", "17", "1.50", "-0.0", "1e2", "1E+2", "12345678901234567890", "0.1000",
    "1" * 256, f'"{"r" * 256}"', f'"{"é" * 128}"',
])
async def test_a_request_id_is_echoed_as_it_was_given(server, topic, dialect, request_id):
    async with await Client.open(server, dialect) as client:
        for rest, kind in [
            ('"type":"ping"', "pong"),
            (f'"type":"subscribe","topic":"{topic}","client_id":"c"', "ack"),
            (f'"type":"unsubscribe","topic":"{topic}","client_id":"c"', "ack"),
            (f'"type":"publish","topic":"{topic}","message":{json.dumps(MESSAGE)}', "ack"),
            ('"type":"nonsense"', "error"),
            ('"type":"subscribe","topic":"nowhere","client_id":"c"', "error"),
        ]:
            for text in (f'{{{rest},"request_id":{request_id}}}', f'{{ "request_id" : {request_id} , {rest} }}'):
                await client.send(text)
                answer = await client.receive_text()
                assert json.loads(answer)["type"] == kind
                assert re.search(rf'"request_id"\s*:\s*{re.escape(request_id)}\s*[,}}]', answer), answer


@pytest.mark.parametrize("request_id", [
    "true", "false", "{}", '{"a":1}', "[]", "[1]", "1" * 257, f'"{"r" * 257}"', f'"{"é" * 129}"',
])
async def test_a_request_id_that_is_too_long_or_of_another_kind_is_a_bad_request(server, request_id):
    async with await Client.open(server) as client:
        await client.send(f'{{"type":"ping","request_id":{request_id}}}')
        answer = await client.receive()
        assert (answer["type"], answer["error"]["code"]) == ("error", "BAD_REQUEST")
        await client.expect_alive()


async def test_a_request_id_that_is_absent_or_null_stays_absent(server, topic):
    async with await Client.open(server) as client:
        for fields in ({}, {"request_id": None}):
            await client.send(type="ping", **fields)
            await client.expect(type="pong")
            await client.subscribe(topic, **fields)
            await client.send(type="nonsense", **fields)
            await client.expect_error("BAD_REQUEST")


VALID = {
    "subscribe": {"topic": "?", "client_id": "c"},
    "unsubscribe": {"topic": "?", "client_id": "c"},
    "publish": {"topic": "?", "message": MESSAGE},
}
WRONG = {"topic": [None, "", 1, True, [], {}], "client_id": [None, "", 1, False, ["c"], {}],
         "message": [None, "", "text", 1, True, [], {}]}


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, fields in VALID.items() for field in fields])
async def test_a_required_field_that_is_missing_or_wrong_is_a_bad_request(server, topic, dialect, kind, field):
    async with await Client.open(server, dialect) as client:
        valid = VALID[kind] | {"type": kind, "topic": topic, "request_id": "r"}
        for value in WRONG[field]:
            await client.send(**valid | {field: value})
            await client.expect_error("BAD_REQUEST", request_id="r")
        del valid[field]
        await client.send(**valid)
        await client.expect_error("BAD_REQUEST", request_id="r")
        await client.expect_alive()


@pytest.mark.parametrize("kind", ["", "Ping", "PING", "ping ", "pings", "event", "ack", None, 1, True, [], {}])
async def test_an_unknown_type_is_a_bad_request(server, kind):
    async with await Client.open(server) as client:
        await client.send(type=kind, request_id=5)
        await client.expect_error("BAD_REQUEST", request_id=5)
        await client.send(request_id=6)
        await client.expect_error("BAD_REQUEST", request_id=6)
        await client.expect_alive()


@pytest.mark.parametrize("identifier", [
    str(uuid.uuid4()), uuid.uuid4().hex, str(uuid.uuid4()).upper(), uuid.uuid1().hex.upper(),
    "00000000-0000-0000-0000-000000000000", "FfFfFfFf-FfFf-FfFf-FfFf-FfFfFfFfFfFf",
], ids=["dashes", "plain", "capitals", "of the clock", "zero", "mixed"])
async def test_a_uuid_may_be_written_with_dashes_or_without(server, topic, dialect, identifier):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(topic)
        message = {"id": identifier, "payload": {}}
        await client.send(type="publish", topic=topic, message=message)
        await client.expect(type="ack", topic=topic, status="ok")
        await client.expect_event(topic, message)


NO_UUIDS = ["x", "550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-4466554400000",
            "550e8400-e29b-41d4-a716-44665544000g", "550e8400e29b-41d4-a716-4466-55440000", " " * 36, "z" * 32,
            "550e8400-e29b-41d4-a716-446655440000 ", "-" * 36, "٣" * 32]


@pytest.mark.parametrize("identifier", NO_UUIDS)
async def test_an_id_that_is_no_uuid_is_a_bad_request_on_ws_and_fine_on_v1(server, topic, identifier):
    command = {"type": "publish", "topic": topic, "message": {"id": identifier, "payload": 1}, "request_id": "r"}
    async with await Client.open(server, BASE) as base, await Client.open(server, V1) as v1:
        await base.send(**command)
        assert "UUID" in await base.expect_error("BAD_REQUEST", request_id="r")
        await v1.send(**command)
        await v1.expect(type="ack", topic=topic, status="ok", request_id="r")
    assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 1


@pytest.mark.parametrize("message", [
    {"payload": 1}, {"id": None, "payload": 1}, {"id": "", "payload": 1}, {"id": 7, "payload": 1},
    {"id": [], "payload": 1}, {"id": MESSAGE["id"]},
])
async def test_a_message_without_a_good_id_or_a_payload_is_a_bad_request(server, topic, dialect, message):
    async with await Client.open(server, dialect) as client:
        await client.send(type="publish", topic=topic, message=message, request_id="r")
        await client.expect_error("BAD_REQUEST", request_id="r")
        await client.expect_alive()


@pytest.mark.parametrize(("last_n", "expected"), [
    (0, 0), (1, 1), (3, 3), (5, 5), (100, 5), (10**30, 5), ("2", 2), ("0", 0), ("100", 5), (None, 0),
])
async def test_last_n_replays_the_newest_messages_oldest_first(server, topic, dialect, last_n, expected):
    async with await Client.open(server, dialect) as client:
        messages = [await client.publish(topic, number) for number in range(5)]
        await client.subscribe(topic, last_n=last_n)
        for message in messages[5 - expected:]:
            await client.expect_event(topic, message)
        await client.expect_alive()


@pytest.mark.parametrize("last_n", [-1, -10**30, 1.5, "-1", "1.5", "", "x", "1x", "0x1", True, [], [1], {}])
async def test_a_last_n_that_is_no_count_is_a_bad_request(server, topic, last_n):
    async with await Client.open(server) as client:
        await client.send(type="subscribe", topic=topic, client_id="c", last_n=last_n, request_id="r")
        await client.expect_error("BAD_REQUEST", request_id="r")
        assert server.subscribers(topic) == 0


async def test_unknown_fields_and_those_of_other_commands_are_ignored(server, topic):
    async with await Client.open(server) as client:
        await client.send(type="ping", topic=5, client_id=[], message="x", last_n=-1, api_key={}, more={"type": 1})
        await client.expect(type="pong")
        await client.subscribe(topic, message=7, remark={"topic": "other", "deep": [[]]})
        await client.send(type="publish", topic=topic, client_id=9, last_n="many", message=MESSAGE, qos=1)
        await client.expect(type="ack", topic=topic, status="ok")
        await client.expect_event(topic, MESSAGE)
        await client.unsubscribe(topic, last_n=-5, message=None)


@pytest.mark.parametrize("kind", VALID)
async def test_the_error_for_a_topic_that_does_not_exist_names_it(server, dialect, kind):
    async with await Client.open(server, dialect) as client:
        await client.send(**VALID[kind] | {"type": kind, "topic": "no such topic", "request_id": "r"})
        assert "no such topic" in await client.expect_error("TOPIC_NOT_FOUND", request_id="r")
        await client.expect_alive()


@pytest.mark.parametrize("fields", [
    {"type": "subscribe"}, {"type": "unsubscribe", "client_id": ""},
    {"type": "subscribe", "client_id": "c", "last_n": -1}, {"type": "publish"},
    {"type": "publish", "message": {"id": "no uuid", "payload": 1}},
    {"type": "publish", "message": {"id": MESSAGE["id"]}},
])
async def test_a_malformed_command_on_a_topic_that_does_not_exist_is_malformed_first(server, fields):
    async with await Client.open(server) as client:
        await client.send(topic="nowhere", request_id="r", **fields)
        await client.expect_error("BAD_REQUEST", request_id="r")


async def test_a_client_id_is_taken_up_to_its_limit(server, topic):
    async with await Client.open(server) as client:
        await client.subscribe(topic, "c" * 1024)
        await client.send(type="subscribe", topic=topic, client_id="c" * 1025)
        await client.expect_error("BAD_REQUEST")
        assert server.subscribers(topic) == 1


async def test_a_binary_message_with_json_is_taken_like_text(server, topic):
    async with await Client.open(server) as client:
        await client.send(json.dumps({"type": "subscribe", "topic": topic, "client_id": "ü"}).encode())
        await client.expect(type="ack", topic=topic, status="ok")
        await client.send(b"no json")
        await client.expect_error("BAD_REQUEST")
        await client.send(json.dumps({"type": "publish", "topic": topic, "message": MESSAGE}).encode())
        await client.expect(type="ack", topic=topic, status="ok")
        await client.expect_event(topic, MESSAGE)


async def test_commands_sent_in_one_burst_are_answered_in_their_order(server, topic, dialect):
    kinds = [
        ({"type": "ping"}, "pong"), ({"type": "publish", "topic": topic, "message": MESSAGE}, "ack"),
        ({"type": "subscribe", "topic": topic, "client_id": "c", "last_n": 2}, "ack"), ({"type": "what"}, "error"),
        ({"type": "publish", "topic": "nowhere", "message": MESSAGE}, "error"),
        ({"type": "unsubscribe", "topic": topic, "client_id": "c"}, "ack"),
    ]
    async with await Client.open(server, dialect) as client:
        commands = [kinds[number * number % 7 % len(kinds)] for number in range(500)]
        for number, (command, _) in enumerate(commands):
            await client.send(**command, request_id=number)
        answers = []
        while len(answers) < len(commands):
            if (message := await client.receive())["type"] != "event":
                answers.append((message["request_id"], message["type"]))
        assert answers == [(number, kind) for number, (_, kind) in enumerate(commands)]
