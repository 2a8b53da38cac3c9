"""The client without asyncio."""

import concurrent.futures
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import apus
from apus.sync import Client


def test_publish_subscribe_and_manage(server, topic):
    with Client(server.url) as client:
        assert client.topics.create(topic, history=100)
        with client.subscribe(topic) as subscription:
            outcome = client.publish(topic, {"id": 1}, key="k")
            message = subscription.get(10)
            assert (message.payload, message.key) == ({"id": 1}, "k")
            assert message.position == subscription.position == outcome.position
            assert client.publish_batch(topic, [1, 2, 3]).count == 3
            seen = []
            for message in subscription:
                seen.append(message.payload)
                if message.payload == 3:
                    break
            assert seen == [1, 2, 3]
            with pytest.raises(TimeoutError):
                subscription.get(0.01)
            assert list(subscription.messages(timeout=0.01)) == []
        assert [m.payload for m in client.topics.messages(topic, last_n=2).messages] == [2, 3]
        assert client.topics.get(topic).last == 4
        assert client.topics.purge(topic) == 4
        assert topic in [summary.name for summary in client.topics.list()]
        assert client.state == "open"
        assert client.client_id.startswith("py-")
        assert "topics" in client.stats()
        assert client.health()["topics"] >= 1
        assert client.request("GET", f"/topics/{topic}")["name"] == topic
    assert client.state == "closed"


def test_refusals_are_raised_where_they_happen(server, topic):
    with Client(server.url) as client:
        with pytest.raises(apus.TopicNotFound):
            client.subscribe(topic)
        with pytest.raises(apus.TopicNotFound):
            client.publish(topic, 1)
        with pytest.raises(apus.TopicNotFound):
            client.enqueue(topic, 1).result(10)
        with pytest.raises(TypeError):
            client.enqueue(topic, {1}).result(10)
    with pytest.raises(apus.Closed):
        client.publish(topic, 1)
    with pytest.raises(apus.Closed):
        client.__enter__()
    with pytest.raises(apus.Closed, match="with Client"):
        Client(server.url).publish(topic, 1)
    with pytest.raises(apus.ConnectionFailed), Client("http://127.0.0.1:1"):
        pass


def test_what_is_enqueued_keeps_its_order(server, topic):
    with Client(server.url) as client:
        client.topics.create(topic)
        outcomes = [client.enqueue(topic, number) for number in range(100)]
        done = concurrent.futures.wait(outcomes, 10).done
        assert len(done) == 100
        assert [outcome.result().offset for outcome in outcomes] == list(range(1, 101))
        client.flush()


def test_the_loop_ends_with_the_topic_and_tells_what_it_is_told(server, topic):
    with Client(server.url) as client:
        client.topics.create(topic)
        with client.subscribe(topic, notices=True) as subscription:
            client.publish(topic, 1)
            client.topics.delete(topic)
            items = list(subscription)
            assert isinstance(items[0], apus.Message)
            assert items[1:] == [apus.TopicDeleted(topic)]
            with pytest.raises(apus.Closed):
                subscription.get()


def test_several_threads_share_a_client(server, topic):
    with Client(server.url) as client:
        client.topics.create(topic, history=1000)
        threads = [
            threading.Thread(target=lambda: [client.publish(topic, number) for number in range(50)]) for _ in range(4)
        ]
        with client.subscribe(topic) as subscription:
            for thread in threads:
                thread.start()
            assert sum(subscription.get(10).payload for _ in range(200)) == 4 * sum(range(50))
        for thread in threads:
            thread.join()


def test_a_callback_that_waits_for_its_own_client_is_refused_and_not_blocked(server, topic):
    caught = []

    def token():
        try:
            client.publish(topic, 1)
        except apus.Closed as error:
            caught.append(error)
        return "t"

    client = Client(server.url, token=token)
    with pytest.raises(apus.ApusError), client:
        client.publish(topic, 1)
    assert caught


SOURCES = str(Path(__file__).parents[1] / "src")
PROGRAM = """
import signal, sys
from apus.sync import Client
# Whoever runs the tests in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    with Client(sys.argv[1]) as client, client.subscribe(sys.argv[2], wait=True) as subscription:
        print("ready", flush=True)
        for message in subscription:
            pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_a_program_at_once_and_leaves_nothing(server, topic):
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, server.url, topic],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": SOURCES, "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (output, errors, process.returncode) == ("interrupted\n", "", 0)
