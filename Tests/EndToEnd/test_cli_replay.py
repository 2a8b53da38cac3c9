"""`apus replay`: events of a file, and of a topic's history, published again."""

import json
import signal

import pytest

from apus_e2e import Server, apus
from cli_processes import cli
from pseudo_terminal import PseudoTerminal

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")


def publish(server, topic, *payloads, key=None):
    keyed = ["--key", key] if key else []
    cli(server, "pub", topic, "-", *keyed, stdin="".join(json.dumps(payload) + "\n" for payload in payloads))


def kept(server, topic):
    page = server.rest("GET", f"/topics/{topic}/messages?since=all&limit=1000").json
    return page["messages"]


def payloads(server, topic):
    return [message["message"]["payload"] for message in kept(server, topic)]


def event(topic, payload, seconds=0):
    at = f"2026-01-01T00:00:{seconds:06.3f}Z"
    return json.dumps({"type": "event", "topic": topic, "message": {"id": "x", "payload": payload}, "ts": at})


def replay(server, *arguments, stdin=None, code=0):
    result = apus("replay", *arguments, "--json", "--url", server.url, stdin=stdin)
    assert result.returncode == code, result.stderr
    assert "▕" not in result.stderr
    return json.loads(result.stdout)


def test_what_sub_has_printed_is_published_again_with_its_keys(server, topic, tmp_path):
    publish(server, topic, 1, {"a": [1.50, "x"]}, key="k")
    file = tmp_path / "events"
    file.write_text(cli(server, "sub", topic, "--since", "all", "--count", "2"))
    summary = replay(server, str(file), "--to", f"{topic}-copy", "--create")
    assert (summary["published"], summary["refused"]) == (2, 0)
    copy, original = kept(server, f"{topic}-copy"), kept(server, topic)
    assert [each["message"]["payload"] for each in copy] == [1, {"a": [1.5, "x"]}]
    assert [each["key"] for each in copy] == ["k", "k"]
    assert not {each["message"]["id"] for each in copy} & {each["message"]["id"] for each in original}
    replay(server, str(file), "--to", f"{topic}-copy", "--keep-ids")
    assert [each["message"]["id"] for each in kept(server, f"{topic}-copy")][2:] == [
        each["message"]["id"] for each in original]


def test_an_export_goes_to_the_topics_that_it_names(server, topic, tmp_path):
    with Server("--data", str(tmp_path / "data")) as other:
        settings = b'{"durability":"os"}'
        assert other.rest("PUT", f"/topics/{topic}", settings).status in (200, 201)
        publish(other, topic, 1, 2, 3)
    export = apus("data", "export", str(tmp_path / "data"), topic)
    assert export.returncode == 0, export.stderr
    assert replay(server, "-", "--speed", "max", stdin=export.stdout)["published"] == 3
    assert payloads(server, topic) == [1, 2, 3]


def test_the_events_keep_their_distances_or_come_faster(server, topic):
    lines = "\n".join(event(topic, number, number * 0.4) for number in range(3))
    for flags, shortest, longest in ((["--speed", "1x"], 0.8, None), (["--speed", "100x"], 0, 0.8), (["--max-gap", "50ms"], 0.1, 0.8)):
        seconds = replay(server, "-", *flags, stdin=lines)["seconds"]
        assert seconds >= shortest and (longest is None or seconds < longest + 5), (flags, seconds)
    assert replay(server, "-", "--rate", "10", stdin=lines)["seconds"] >= 0.2


def test_history_goes_to_another_topic_page_by_page(server, topic):
    with Server("--history", "5000") as server:
        for name in ("old", "new"):
            assert server.create(name).status == 201
        publish(server, "old", *range(2500))
        summary = replay(server, "--topic", "old", "--to", "new", "--speed", "max", "--where", "payload >= 100")
        assert (summary["published"], summary["filtered"]) == (2400, 100)
        assert payloads(server, "new") == list(range(100, 1100))
        assert replay(server, "--topic", "old", "--last", "3", "--to", "new", "--speed", "max")["published"] == 3
        assert replay(server, "--topic", "old", "--to", "new", "--speed", "max", "--limit", "7")["published"] == 7


@pytest.mark.parametrize("arguments, stdin, said, code", [
    (["-", "--to", "TOPIC"], '{"a":1}', 'line 1): no event: it has no "message"', 1),
    (["-", "--to", "TOPIC"], "hello", "not a JSON object", 1),
    (["-"], '{"message":{"payload":1}}', "say where it goes with --to", 1),
    (["-", "--to", "nope"], '{"message":{"payload":1}}', "topic 'nope' not found", 1),
    (["/nowhere/file"], None, "'/nowhere/file': no such file", 64),
    (["--topic", "TOPIC"], None, "needs another topic with --to", 64),
    ([], None, "give a file (or -), or a --topic", 64),
    (["-", "--speed", "fast"], "", "--speed", 64),
    (["--topic", "nope", "--to", "TOPIC"], None, "topic 'nope' not found", 1),
])
def test_mistakes_are_explained(server, topic, arguments, stdin, said, code):
    arguments = [argument.replace("TOPIC", topic) for argument in arguments]
    result = apus("replay", *arguments, "--url", server.url, stdin=stdin)
    assert result.returncode == code and said in result.stderr, result.stderr


def test_a_terminal_shows_a_bar_and_a_signal_ends_it_after_what_is_on_its_way(server, topic, tmp_path):
    file = tmp_path / "events"
    # It would take an hour.
    file.write_text("\n".join(event(topic, number, number * 0.01) for number in range(4)) + "\n" + json.dumps(
        {"topic": topic, "message": {"payload": 9}, "ts": "2026-01-01T01:00:00Z"}) + "\n")
    with PseudoTerminal("replay", str(file), "--url", server.url) as terminal:
        terminal.says("4 messages")
        terminal.says("▕")
        terminal.signal(signal.SIGINT)
        assert terminal.wait() == 0
        assert "published 4 messages" in terminal.output
    assert payloads(server, topic) == [0, 1, 2, 3]
