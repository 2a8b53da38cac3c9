"""What is there after a restart with `--data`, however the server ended."""

import asyncio
import contextlib
import json
import os

import pytest

from apus_e2e import BASE, PATIENCE, V1, Client, Server, apus, until
from extensions import new_message, position, publish, publish_batch, subscribe
from history import history
from storm import Publisher, readers
from websockets.exceptions import ConnectionClosed

TOPIC = "orders"
# How often the server is killed in a storm of publishes; 200 by command, see docs/durability.md.
ROUNDS = int(os.environ.get("APUS_STORM_ROUNDS", "4"))


def put(server, topic=TOPIC, **settings):
    response = server.rest("PUT", f"/topics/{topic}", settings)
    assert response.status in (200, 201), response.body
    return response.json


@pytest.fixture(params=["stopped", "killed"])
def restart(request, tmp_path):
    """Starts a server on a folder; the next call ends it first, in order or with `kill -9`."""
    running = []

    def start(*flags):
        if running and request.param == "killed":
            running[-1].kill()
        if running:
            running[-1].__exit__(None, None, None)
        exit_code = 0 if request.param == "stopped" else None
        running.append(Server("--data", str(tmp_path / "data"), *flags, exit_code=exit_code).__enter__())
        return running[-1]

    yield start
    running[-1].__exit__(None, None, None)


async def test_topics_messages_and_positions_are_there_after_a_restart(restart):
    server = restart()
    made = put(server, history=1000, history_age="1h", queue=50)
    assert made["settings"]["durability"] == "disk"
    async with await Client.open(server) as client:
        for number in range(5):
            _, outcome = await publish(client, TOPIC, number, key=f"k{number % 2}")
            assert (outcome["stored"], outcome["offset"]) == ("disk", number + 1)
        seen = await subscribe(client, TOPIC, positions=True)
    before = history(server, TOPIC)
    server = restart()
    now = server.rest("GET", f"/topics/{TOPIC}").json
    assert (now["settings"], now["epoch"], now["last"]) == (made["settings"], made["epoch"], 5)
    assert history(server, TOPIC) == before
    async with await Client.open(server) as client:
        await publish(client, TOPIC, "after")
        ack = await subscribe(client, TOPIC, since=position(seen), positions=True)
        assert ack["recovered"] is True
        event = await client.receive()
        assert (event["offset"], event["message"]["payload"]) == (6, "after")


async def test_each_level_says_what_it_is_and_memory_begins_anew(restart):
    server = restart()
    for level in ("memory", "os", "disk"):
        assert put(server, level, durability=level)["settings"]["durability"] == level
    epochs = {}
    async with await Client.open(server) as client:
        for level in ("memory", "os", "disk"):
            _, outcome = await publish(client, level, 1)
            assert outcome["stored"] == level
            epochs[level] = outcome["epoch"]
    answer = server.rest("POST", "/topics/os/messages", {"a": 1})
    assert (answer.status, answer.json["stored"]) == (201, "os")
    server = restart()
    for level, last in (("memory", 0), ("os", 2), ("disk", 1)):
        topic = server.rest("GET", f"/topics/{level}").json
        assert topic["settings"]["durability"] == level
        assert topic["last"] == last
        assert (topic["epoch"] == epochs[level]) == (level != "memory")


async def test_a_topic_changes_its_level_and_takes_its_messages_along(restart):
    server = restart()
    put(server, durability="memory")
    async with await Client.open(server) as client:
        await publish_batch(client, TOPIC, range(3))
        put(server, durability="disk")
        await publish(client, TOPIC, 3)
    before = history(server, TOPIC)
    server = restart()
    assert [message["message"]["payload"] for message in history(server, TOPIC)] == [0, 1, 2, 3]
    assert history(server, TOPIC) == before
    put(server, durability="memory")
    server = restart()
    assert history(server, TOPIC) == []
    # Kept again: what was there two restarts ago must not come back.
    put(server, durability="disk")
    server.rest("POST", f"/topics/{TOPIC}/messages", b"9", {"Content-Type": "application/json"})
    server = restart()
    assert [message["message"]["payload"] for message in history(server, TOPIC)] == [9]


@pytest.mark.parametrize("lifetime", ["ttl", "history_age"])
async def test_a_topic_whose_messages_have_expired_goes_on_behind_them_when_it_is_kept(restart, lifetime):
    server = restart()
    put(server, durability="memory", **{lifetime: "10ms"})
    async with await Client.open(server) as client:
        for number in range(3):
            _, outcome = await publish(client, TOPIC, number)
    await until(lambda: server.rest("GET", f"/topics/{TOPIC}").json["bytes"] == 0, "all has expired")
    put(server, durability="disk")
    server = restart()
    topic = server.rest("GET", f"/topics/{TOPIC}").json
    # An offset that somebody has seen means the same message as long as the epoch is the same.
    assert topic["epoch"] != outcome["epoch"] or topic["last"] == 3


async def test_message_ids_are_recognized_and_lifetimes_go_on(restart):
    server = restart()
    put(server, dedupe_window="1h")
    message = new_message("once")
    async with await Client.open(server) as client:
        await client.send(type="publish", topic=TOPIC, message=message, outcome=True)
        first = await client.receive()
        await publish(client, TOPIC, "short", ttl="1ms")
        await publish(client, TOPIC, "long", ttl="1h")
    server = restart()
    async with await Client.open(server) as client:
        await client.send(type="publish", topic=TOPIC, message=message, outcome=True)
        again = await client.receive()
    assert (again["offset"], again["duplicate"]) == (first["offset"], True)
    assert [found["message"]["payload"] for found in history(server, TOPIC)] == ["once", "long"]


async def test_a_deleted_topic_stays_deleted_and_its_successor_is_another(restart):
    server = restart()
    first = put(server)["epoch"]
    server.rest("POST", f"/topics/{TOPIC}/messages", {"a": 1})
    assert server.delete(TOPIC).status == 200
    server = restart()
    assert server.rest("GET", f"/topics/{TOPIC}").status == 404
    assert put(server)["epoch"] != first
    server = restart()
    topic = server.rest("GET", f"/topics/{TOPIC}").json
    assert (topic["last"], topic["epoch"] != first) == (0, True)


async def test_replies_keep_their_order_while_the_disk_is_written(tmp_path):
    with Server("--data", str(tmp_path / "data")) as server:
        put(server)
        put(server, "quick", durability="memory")
        async with await Client.open(server) as client:
            expected = []
            for number in range(200):
                topic = TOPIC if number % 3 else "quick"
                await client.send_publish(topic, number, request_id=f"p{number}")
                expected.append(f"p{number}")
                if number % 10 == 0:
                    await client.send(type="ping", request_id=f"g{number}")
                    expected.append(f"g{number}")
            await client.send(type="subscribe", topic=TOPIC, client_id="c", last_n=1, request_id="s")
            expected.append("s")
            received = [await client.receive() for _ in expected]
            assert [message["request_id"] for message in received] == expected
            # What the subscription brings comes after its ack.
            assert (await client.receive())["type"] == "event"


async def test_a_client_that_closes_gets_its_acks_first(tmp_path):
    with Server("--data", str(tmp_path / "data")) as server:
        put(server)
        client = await Client.open(server)
        for number in range(50):
            await client.send_publish(TOPIC, number, request_id=str(number))
        closing = asyncio.ensure_future(client.connection.close())
        acks = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                acks.append((await client.receive())["request_id"])
        await closing
        assert acks == [str(number) for number in range(50)]


@pytest.mark.limit(60 + 15 * ROUNDS)
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_a_storm(tmp_path):
    data, topics = tmp_path / "data", {TOPIC: "disk", "clicks": "os"}
    publishers = [Publisher(f"p{number}", list(topics)[number % 5 == 0], dialect=(BASE, V1)[number % 2])
                  for number in range(50)]
    watchers = readers(TOPIC)
    for _ in range(ROUNDS):
        with Server("--data", str(data), exit_code=None) as server:
            for topic, durability in topics.items():
                put(server, topic, history=1_000_000, durability=durability)
            parties = [asyncio.ensure_future(party.run(server)) for party in [*publishers, *watchers]]
            target = max(len(watcher.seen) for watcher in watchers) + 1000
            await until(lambda: all(len(watcher.seen) >= target for watcher in watchers) or failed(parties),
                        "every watcher has seen more", 60 * PATIENCE)
            server.kill()
            await asyncio.gather(*parties)
    with Server("--data", str(data)) as server:
        kept = {topic: history(server, topic) for topic in topics}
    for topic, messages in kept.items():
        assert [message["offset"] for message in messages] == list(range(1, len(messages) + 1))
        kept[topic] = [message["message"] for message in messages]
    for watcher in watchers:
        assert watcher.seen == kept[TOPIC][:len(watcher.seen)], f"{type(watcher).__name__} has seen what is not there"
    for publisher in publishers:
        publisher.expect_all_in([message["payload"] for message in kept[publisher.topic]])


def failed(tasks):
    return any(task.done() and task.exception() for task in tasks)


async def test_publishing_is_refused_while_there_is_no_room_and_goes_on_after(tmp_path):
    with Server("--data", str(tmp_path / "data"), "--data-bytes", "300KiB", "--history", "100000") as server:
        put(server)
        put(server, "quick", durability="memory")
        big = json.dumps("x" * 10_000).encode()
        answers = [server.rest("POST", f"/topics/{TOPIC}/messages", big, {"Content-Type": "application/json"})
                   for _ in range(40)]
        taken = [answer.status for answer in answers].count(201)
        assert 20 < taken < 40
        refused = answers[-1]
        assert (refused.status, refused.json["code"]) == (503, "UNAVAILABLE")
        assert "data_bytes" in refused.json["detail"]
        assert len(history(server, TOPIC)) == taken
        assert server.rest("POST", "/topics/quick/messages", {"a": 1}).status == 201
        assert server.rest("GET", "/readyz").status == 200
        async with await Client.open(server) as client:
            await client.send_publish(TOPIC, "x" * 10_000, request_id="no")
            await client.expect_error("UNAVAILABLE", "no")
            await client.expect_alive()
        assert server.rest("GET", f"/topics/{TOPIC}").json["last"] == taken


def serve(data, *flags):
    """Runs a server that must not start; its exit code and what it says."""
    result = apus("serve", "--port", "0", "--data", str(data), *flags)
    return result.returncode, result.stderr


def test_a_folder_has_one_server(tmp_path):
    data = tmp_path / "data"
    with Server("--data", str(data)) as server:
        code, text = serve(data)
        assert (code, f"process {server.process.pid}" in text, str(data) in text) == (73, True, True), text


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    code, text = serve(tmp_path)
    assert (code, "other files" in text) == (73, True), text
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_damage_stops_the_start_and_is_named(tmp_path):
    data = tmp_path / "data"
    with Server("--data", str(data)) as server:
        put(server)
        for number in range(3):
            server.rest("POST", f"/topics/{TOPIC}/messages", {"number": number})
    segment = data / "segments" / "0000000001.seg"
    whole = segment.read_bytes()
    place = whole.rindex(b'"number":')
    segment.write_bytes(whole[:place] + b"?" + whole[place + 1:])
    code, text = serve(data)
    assert code == 78, text
    assert all(part in text for part in (segment.name, TOPIC, "offset 3")), text
    segment.write_bytes(whole)
    segment.rename(data / "elsewhere")
    code, text = serve(data)
    assert (code, segment.name in text, "missing" in text) == (78, True, True), text


def test_more_than_the_server_has_is_a_bad_request():
    with Server() as server:
        answer = server.rest("PUT", f"/topics/{TOPIC}", {"durability": "disk"})
        assert (answer.status, answer.json["code"]) == (400, "BAD_REQUEST")
        assert "--data" in answer.json["detail"]
        assert server.rest("GET", f"/topics/{TOPIC}").status == 404
        assert put(server, durability="memory")["settings"]["durability"] == "memory"
        assert apus("topics", "--url", server.url).returncode == 0
