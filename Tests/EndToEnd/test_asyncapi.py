"""The WebSocket's commands and messages as the AsyncAPI document has them.

No official schema of AsyncAPI 3.0 is to be had from a package registry that we reach. The structure is checked by the object
model of `asyncapi3`, which refuses unknown members and wrong values, and what that does not look at (references, channels and
their messages, schemas) by the tests here.
"""

import asyncio
import contextlib
import json
import re

import asyncapi3
import pytest
from websockets.exceptions import ConnectionClosed

from apus_e2e import BASE, V1, Client, Server
from asyncapi_document import Document, references
from extensions import configure, new_message, pour, read, stalled

KEY = "secret"
# Several times what the buffers of a stalled reader's socket hold, at 64 KiB each.
MANY = 200
TYPE = "application/vnd.aai.asyncapi+json;version=3.0.0"


@pytest.fixture(scope="module")
def server():
    with Server("--max-queue", "77") as running:
        yield running


@pytest.fixture(scope="module")
def document(server):
    answer = server.rest("GET", "/asyncapi.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == TYPE
    return Document(answer.json)


DIALECTS = pytest.mark.parametrize("dialect", [BASE, V1], ids=["base", "v1"])


def test_it_is_an_asyncapi_document(document):
    asyncapi3.AsyncAPI3.model_validate(document.json)
    assert document.json["asyncapi"] == "3.0.0"


def test_every_reference_leads_somewhere_and_every_component_is_used(document):
    used = set(references(document.json))
    for reference in used:
        document.at(reference)
    components = document.json["components"]
    # Without credentials none of the schemes is used.
    own = {f"#/components/{kind}/{name}" for kind in components.keys() - {"securitySchemes"} for name in components[kind]}
    assert own == {each for each in used if each.startswith("#/components/")}


def test_operations_use_the_messages_of_their_channels_and_each_message_has_one(document):
    used = set()
    for operation in document.json["operations"].values():
        for part in (operation, *([operation["reply"]] if "reply" in operation else [])):
            messages = [each["$ref"] for each in part["messages"]]
            assert all(each.startswith(f"{part['channel']['$ref']}/messages/") for each in messages)
            used.update(messages)
    assert used == {f"#/channels/{channel}/messages/{name}" for channel, its in document.json["channels"].items()
                    for name in its["messages"]}


def test_every_schema_is_valid_and_every_example_is_of_its_own(document):
    for name, message in document.messages.items():
        document.validator(message["payload"])
        assert message["examples"], name
        for example in message["examples"]:
            document.check(name, example["payload"])
        assert all("description" in document.resolved(member) or "const" in member
                   for member in message["payload"]["properties"].values()), name


def test_numbers_are_those_of_the_server(document):
    assert document.messages["subscribe"]["payload"]["properties"]["queue"]["maximum"] == 77


def test_it_names_the_prefix_tls_and_credentials():
    with Server("--base-path", "/some/apus", "--api-key", KEY) as running:
        answer = running.rest("GET", "/some/apus/asyncapi.json")
        server = answer.json["servers"]["apus"]
        assert server["pathname"] == "/some/apus" and server["protocol"] == ("wss" if running.tls else "ws")
        document = Document(answer.json)
        assert [document.resolved(each)["type"] for each in server["security"]] == ["httpApiKey", "httpApiKey", "http",
                                                                                    "httpApiKey"]
        links = running.rest("GET", "/some/apus/").json["links"]
        assert links["asyncapi"] == "/some/apus/asyncapi.json"


# MARK: Against the server


def answers(document, command, dialect):
    """The names of the messages that may answer it, the error last."""
    reply = document.operation(command, dialect)["reply"]["messages"]
    return [document.at(each["$ref"])["$ref"].rpartition("/")[2] for each in reply]


@DIALECTS
async def test_every_example_of_a_command_is_acknowledged_as_the_document_says(server, document, dialect):
    suffix = "V1" if dialect is V1 else ""
    sent = 0
    server.create("orders")
    async with await Client.open(server, dialect) as client:
        for name in ("subscribe", "unsubscribe", "publish", "publishBatch", "ping"):
            for example in document.messages[name + suffix]["examples"]:
                await client.connection.send(json.dumps(example["payload"]))
                message = await pushes_until_an_answer(client, document, suffix)
                ack, error = answers(document, name, dialect)
                assert message["type"] != "error", f"{example} is answered {message}"
                document.check(ack, message)
                sent += 1
        await client.connection.send("nonsense")
        document.check(error, await pushes_until_an_answer(client, document, suffix))
    assert sent == 13
    server.delete("orders")


async def pushes_until_an_answer(client, document, suffix):
    """The answer. What comes before it must be what the document says, too."""
    while True:
        message = json.loads(await client.receive_text())
        if message["type"] in ("ack", "pong", "error"):
            return message
        document.check(document.kind(message, suffix), message)


@DIALECTS
async def test_the_examples_of_credentials_are_taken(document, dialect):
    suffix = "V1" if dialect is V1 else ""
    with Server("--api-key", KEY) as running:
        for example in document.messages["auth" + suffix]["examples"]:
            async with await Client.open(running, dialect) as client:
                await client.connection.send(json.dumps(example["payload"]))
                document.check("ackAuth" + suffix, json.loads(await client.receive_text()))


@pytest.mark.plain("the sizes of buffers are others")
@pytest.mark.limit(60)
@DIALECTS
async def test_the_server_sends_no_member_that_the_document_does_not_have(document, dialect):
    """A scenario with each kind of message that a server without credentials sends, each as the document has it."""
    suffix = "V1" if dialect is V1 else ""
    seen = set()

    def check(text):
        message = json.loads(text)
        name = "ack" if message["type"] == "ack" else document.kind(message, suffix)
        if name != "ack":
            document.check(name, message)
        seen.add(name.removesuffix("V1"))
        return message

    async def command(client, name, **fields):
        await client.connection.send(json.dumps(fields))
        while (message := check(await client.receive_text()))["type"] not in ("ack", "pong", "error"):
            pass
        document.check(next(each for each in answers(document, name, dialect)
                            if document.messages[each]["payload"]["properties"]["type"]["const"] == message["type"]), message)
        return message

    with Server("--heartbeat", "1s") as running:
        configure(running, "orders", dedupe_window="1m", history=5)
        configure(running, "quick", topic_rate=1)
        async with await Client.open(running, dialect) as one, await Client.open(running, dialect) as other:
            one.sees_heartbeats = True
            following = {"type": "subscribe", "client_id": "c", "topic": "orders"}
            await command(one, "subscribe", **following, presence=True, positions=True)
            epoch = (await command(other, "subscribe", **following, since="all"))["epoch"]
            message = new_message(1)
            publication = {"type": "publish", "topic": "orders", "key": "k", "ttl": 60, "outcome": True}
            await command(other, "publish", **publication, message=message)
            assert (await command(other, "publish", **publication, message=message))["duplicate"]
            for _ in range(3):
                batch = [message] + [new_message(n) for n in range(3)]
                assert (await command(other, "publishBatch", **publication, messages=batch))["duplicates"] == 1
            missed = await command(other, "subscribe", **following, since={"epoch": epoch, "offset": 1})
            assert missed["missed"]["from"] == 2
            await command(other, "unsubscribe", type="unsubscribe", topic="orders", client_id="c")
            await command(other, "subscribe", type="subscribe", topic="later", client_id="w", wait=True,
                          since={"epoch": "gone", "offset": 3})
            running.create("later")
            await command(other, "publish", type="publish", topic="quick", message=new_message(1))
            refused = await command(other, "publish", type="publish", topic="quick", message=new_message(1))
            assert refused["error"]["retry_after_ms"] > 0
            path = f"{dialect.prefix}/ws"
            slow = [stalled(running, "later", path=path, overflow=policy, queue=10, positions=True)[0]
                    for policy in ("disconnect", "drop-oldest")]
            async with await Client.open(running) as publisher:
                await pour(publisher, "later", range(MANY))
            running.delete("orders")
            while "infoPing" not in seen or "infoTopicDeleted" not in seen:
                check(await one.receive_text())
            cut, dropped = await asyncio.to_thread(lambda: (read(slow[0]), read(
                slow[1], lambda seen: seen.accounted >= MANY)))
            for message in cut.messages + dropped.messages:
                check(json.dumps(message))
            for raw in slow:
                raw.abort()
            running.stop()
            await asyncio.gather(drained(one, check), drained(other, check))
    assert {"ack", "event", "error", "infoPing", "infoTopicDeleted", "infoTopicCreated", "infoNotRecovered",
            "infoSlowConsumerWarning", "infoMessagesDropped", "infoJoined", "infoLeft", "infoShutdown"} - seen == set()


async def drained(client, check):
    """What still comes until the connection ends."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            check(await client.receive_text())


def test_the_console_and_the_page_of_the_http_interface_lead_to_it(server):
    assert re.search(rb'href="asyncapi.json"', server.rest("GET", "/docs").body)
