"""JSON as text: strict, bounded in depth, and what is published forwarded byte for byte."""

import json

import pytest

from apus_e2e import Client

UUID = "550e8400-e29b-41d4-a716-446655440000"

MALFORMED = [
    "", " ", "{", "}", "[", "]", "x", "{}x", "{]", "{,}", '{"type"}', '{"type":}', '{"type":"ping"', '{"type":"ping",}',
    '{"type":"ping",,"a":1}', '{"type" "ping"}', '{type:"ping"}', "{'type':'ping'}", '{"type":ping}', '{"type":"ping}',
    '{"type":"ping"} x', '{"type":"ping"}{"type":"ping"}', '{"type":"ping"},', ',{"type":"ping"}', '{"type":"ping"}}',
    '{"type":"ping","a":[1,]}', '{"type":"ping","a":[,1]}', '{"type":"ping","a":[1 2]}', '{"type":"ping","a":{"b"}}',
    '{"type":"ping","a":[}', '{"type":"ping","a":{]}', '{"type":"ping",1:2}', '{"type":"ping",null:1}',
    '{"type":"ping"} // comment', '/* comment */{"type":"ping"}', '\ufeff{"type":"ping"}', '{"type":"ping"}\u0000',
    '{"type":"ping"}\u00a0', '{"type":"ping"}\u2028', '\x0c{"type":"ping"}', '\x0b{"type":"ping"}',
    *(f'{{"type":"ping","a":{value}}}' for value in [
        "01", "-01", "+1", ".5", "1.", "1.e1", "1e", "1e+", "-", "--1", "0x10", "1_000", "1,000", "NaN", "-NaN",
        "Infinity", "-Infinity", "tru", "True", "truefalse", "nul", "None", "undefined", "fals", '"\\x41"',
        '"\\u12"', '"\\u12G4"',
        '"\\U0041"', '"\\', '"a\nb"', '"a\tb"', '"a\rb"', '"a\u0000b"', '"a\u001fb"', '"\\\n"', "'a'", "`a`", '"a"b"',
        "\\u0031", "1 1", "١",
    ]),
]
NOT_OBJECTS = ["[]", '[{"type":"ping"}]', '"ping"', '"{\\"type\\":\\"ping\\"}"', "null", "true", "false", "0", "-1.5e3"]


@pytest.mark.parametrize("text", MALFORMED + NOT_OBJECTS)
async def test_text_that_is_no_json_object_is_a_bad_request_and_the_connection_stays_open(server, text):
    async with await Client.open(server) as client:
        await client.send(text)
        await client.expect_error("BAD_REQUEST")
        await client.send(text.encode())
        await client.expect_error("BAD_REQUEST")
        await client.expect_alive()


@pytest.mark.parametrize("text", [
    ' \t\r\n{ \t\r\n"type" \t\r\n: \t\r\n"ping" \t\r\n} \t\r\n', '{"\\u0074ype":"p\\u0069ng"}', '{"a":1,"type":"ping"}',
    '{"a":-0,"b":0.0,"c":1e400,"d":-1E-400,"e":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000","f":[ ],"g":{ },"type":"ping"}',
    '{"a":"\u007f\u0080\u2028\U0010ffff\ufeff","type":"ping"}', '{"":0,"type":"ping"}',
    '{"a":"\\ud83d\\ude00","type":"ping"}',
    '{"a":[true,false,null,[[{}]]],"type":"ping"}',
])
async def test_json_is_taken_however_it_is_written(server, text):
    async with await Client.open(server) as client:
        await client.send(text)
        await client.expect(type="pong")


PAYLOADS = [
    "null", "true", "false", "0", "-0", "1e400", "-1E-400", "1.0", "1.50", "1E+2", "12345678901234567890123456789",
    "3.14159265358979323846264338327950288", '""', '"\\u0041\\/\\ud83d\\ude00"', '"\\ud800"', '"é😀\u2028\u007f"',
    '"\\"type\\":\\"ping\\""', '"}]{["', "[]", "[ ]", "{}", "{ }", "[1 ,2,\t3 , [ ] ]", '{"b":1,"a":2}',
    '{"a":1,"a":2,"a":{"a":3}}', '{ "z" : [ 1.0 , 1e2 ] ,\n\t"a" : { } }',
    '{"type":"publish","topic":"other","request_id":"x"}',
    '"' + "x" * 70_000 + '"', "[" + ",".join(map(str, range(20_000))) + "]", '"' + "\\\\" * 5000 + '"',
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:24])
async def test_a_message_is_forwarded_byte_for_byte(server, topic, dialect, payload):
    async with await Client.open(server, dialect) as client:
        await client.subscribe(topic)
        for message in (
            f'{{"id":"{UUID}","payload":{payload}}}',
            f'{{ "payload" :\t{payload} ,"x": [1 , {{}}],\r\n "\\u0069d" : "{UUID}", "headers":{{"b":1,"b":2}} }}',
        ):
            await client.send(f' {{"message" : {message} , "topic": "{topic}","type":"publish"}} ')
            await client.expect(type="ack", topic=topic, status="ok")
            live = await client.receive_text()
            assert json.loads(live)["type"] == "event" and f'"message":{message}' in live
            await client.subscribe(topic, last_n=1)
            assert await client.receive_text() == live


async def test_topics_and_client_ids_are_compared_unescaped(server, topic):
    escaped = "".join(f"\\u{ord(character):04x}" for character in topic)
    async with await Client.open(server) as client:
        await client.send(f'{{"type":"subscribe","topic":"{escaped}","client_id":"\\u0063"}}')
        await client.expect(type="ack", topic=topic, status="ok")
        await client.subscribe(topic, "c")
        assert server.subscribers(topic) == 1
        await client.send(f'{{"type":"publish","topic":"{escaped}","message":{{"id":"{UUID}","payload":1}}}}')
        await client.expect(type="ack", topic=topic, status="ok")
        await client.expect_event(topic, {"id": UUID, "payload": 1})


async def test_topics_that_differ_only_in_unicode_normalization_do_not_share_messages(server):
    names = ["norm\u00e9", "norme\u0301"]
    for name in names:
        assert server.create(name).status == 201
    async with await Client.open(server) as client:
        await client.subscribe(names[0])
        await client.publish(names[1], "elsewhere")
        await client.expect_event(names[0], await client.publish(names[0], "here"))
        await client.subscribe(names[0], "\u00e9")
        await client.subscribe(names[0], "e\u0301")
        assert server.subscribers(names[0]) == 3


def nested(depth, opening="[", closing="]"):
    return opening * depth + closing * depth


@pytest.mark.parametrize(("opening", "inner", "closing"), [("[", "", "]"), ('{"a":', "1", "}")])
async def test_nesting_is_taken_to_128_levels_and_no_further(server, topic, opening, inner, closing):
    def ping(depth):
        # The command itself is the first level.
        return f'{{"type":"ping","x":{opening * (depth - 1)}{inner}{closing * (depth - 1)}}}'

    def publish(depth):
        # The command and the message are the first two.
        payload = opening * (depth - 2) + inner + closing * (depth - 2)
        return f'{{"type":"publish","topic":"{topic}","message":{{"id":"{UUID}","payload":{payload}}}}}'

    async with await Client.open(server) as client:
        await client.send(ping(128))
        await client.expect(type="pong")
        await client.send(publish(128))
        await client.expect(type="ack", topic=topic, status="ok")
        for depth in (129, 1000, 100_000):
            for text in (ping(depth), publish(depth)):
                await client.send(text)
                await client.expect_error("BAD_REQUEST")
        await client.expect_alive()
    assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, nested(100_000), '[{"":' * 50_000])
async def test_endless_nesting_is_a_bad_request(server, text):
    async with await Client.open(server) as client:
        await client.send(text)
        await client.expect_error("BAD_REQUEST")
        await client.expect_alive()


def test_a_rest_body_nested_too_deeply_harms_nothing(server):
    body = f'{{"x":{nested(30_000)},"name":"deep"}}'.encode()
    assert server.rest("POST", "/topics", body).status in (201, 400)
    assert server.rest("GET", "/health").status == 200
