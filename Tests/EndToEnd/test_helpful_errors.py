"""The mistakes of a first hour with Apus: each answer says what was wrong, where, and what to do."""

import json
import socket

import pytest

from apus_e2e import OVER_TLS, Client, Server, apus

pytestmark = pytest.mark.one_server("it is about one process")

NAMES = ("history, history_age, history_bytes, queue, overflow, durability, dedupe_window, ttl, topic_rate, topic_burst")


@pytest.fixture(scope="module")
def server():
    with Server("--max-message", "1KiB") as server:
        server.rest("POST", "/topics", {"name": "orders"})
        yield server


def refused(command, *said, code):
    assert command.returncode == code, command.stderr
    for text in said:
        assert text in command.stderr, command.stderr


@pytest.mark.parametrize("method, path, body, status, said", [
    ("POST", "/topics", b"", 400, "The body is not valid JSON: it is empty"),
    ("POST", "/topics", b"{'name':'a'}", 400, "The body is not valid JSON: unexpected character at byte 1"),
    ("POST", "/topics", b'{"name":"a",}', 400, "The body is not valid JSON: unexpected character at byte 12"),
    ("POST", "/topics", b'{"name":"\xff"}', 400, "The body is not valid UTF-8"),
    ("POST", "/topics", b'{"name":"a"} x', 400, "The body is not valid JSON: something follows the value, at byte 13"),
    ("PUT", "/topics/orders", b'{"histroy":5}', 400, f"'histroy' is no setting of a topic; those are {NAMES}"),
    ("POST", "/topics/orders/messages", b"hello", 400, "The body is not valid JSON: unexpected character at byte 0"),
    ("POST", "/topics/orders/messages", b"[" * 200 + b"]" * 200, 400, "The body is nested too deep"),
    ("POST", "/topics/orders/messages", b"1" * 1025, 413, "The body is larger than 1024 bytes, the server's max_message"),
    ("POST", "/topics", b"1" * 65537, 413, "The body is larger than 65536 bytes"),
    ("GET", "/topic", None, 404, "There is nothing at /topic; GET / lists what there is"),
    ("GET", "/topics/", None, 404, "There is nothing at /topics/; leave out the last slash"),
    ("PATCH", "/topics", b"", 405, "PATCH is not allowed here; use one of: GET, HEAD, POST"),
    ("GET", "/ws", None, 426, "This is a WebSocket endpoint: connect with a WebSocket client, to ws:// or wss://"),
])
def test_a_refused_request_says_what_to_do(server, method, path, body, status, said):
    answer = server.rest(method, path, body)
    assert (answer.status, answer.json["detail"][:len(said)]) == (status, said)


def test_a_missing_line_of_a_batch_names_the_line_and_the_place(server):
    answer = server.rest("POST", "/topics/orders/messages", b"1\n{a\n", {"Content-Type": "application/x-ndjson"})
    assert answer.json["detail"] == "Payload 2 of the body is not valid JSON: unexpected character at byte 1"


@pytest.mark.parametrize("command, said", [
    ({"type": "sub"}, "unknown 'type': 'sub'; it must be subscribe, unsubscribe, publish, ping or auth"),
    ({"type": "auth"}, "'api_key' or 'token' is required"),
    ({"type": "subscribe", "topic": "orders", "client_id": "a", "since": "yesterday"},
     '\'since\' must be a position such as {"epoch":"k3v9","offset":42}, a duration such as "10m"'),
])
async def test_a_refused_command_says_what_it_may_be(server, command, said):
    async with await Client.open(server) as client:
        await client.send(**command)
        assert said in (await client.receive())["error"]["message"]


def test_a_missing_key_says_where_it_goes():
    with Server("--api-key", "right") as server:
        assert "X-API-Key: KEY or Authorization: Bearer TOKEN" in server.rest("GET", "/topics").json["detail"]


@pytest.mark.parametrize("text, said", [
    ("log_format: text\nhistory: 1k\n", "history: '1k' (from file {}:2) is not a whole number"),
    ("topics:\n  on_delete: drop\n", "topics.on_delete: 'drop' (from file {}:2) is not one of info, disconnect"),
    ("topics:\n\n  declare: orders\n", 'unexpected character at byte 0; write a list such as [{{"name":"orders"}}]'),
    ("\ntopics: orders\n", "topics: 'orders' (from file {}:2) is not a mapping"),
    ("port: 0\nmax_conections: 5\n", "max_conections: '5' (from file {}:2) is for no setting, but looks like a limit "
     "that was meant to protect the server, so it does not start while it is there; did you mean 'max_connections'?"),
])
def test_a_bad_setting_in_a_file_is_found_by_its_line(tmp_path, text, said):
    file = tmp_path / "apus.yaml"
    file.write_text(text)
    refused(apus("config", "check", "--config", str(file)), said.format(file), code=78)


def test_the_line_of_a_bad_setting_in_json_is_known_too(tmp_path):
    file = tmp_path / "apus.json"
    file.write_text(json.dumps({"port": 0, "queue": "many"}, indent=2))
    refused(apus("config", "check", "--config", str(file)), f"queue: 'many' (from file {file}:3)", code=78)


def test_a_clients_credential_on_a_server_says_what_it_is():
    refused(apus("config", "check", env={"APUS_API_KEY": "k"}), "looks like a secret that was meant to protect the server, "
            "so it does not start while it is there; it is the credential of client commands, so unset it here",
            "APUS_API_KEYS", code=78)


def test_a_rule_with_an_unknown_action_says_which_one_and_those_that_there_are():
    rules = json.dumps([{"actions": ["subscribe", "pub"], "topics": [">"]}])
    refused(apus("config", "check", "--anonymous", rules), "rule 1", "action 2 is not one of subscribe, history, publish", code=78)


def test_a_port_in_use_says_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(apus("serve", "--port", str(port)), "address already in use", "or choose another address or port", code=1)


def test_a_folder_of_something_else_says_what_to_do(tmp_path):
    (tmp_path / "notes").write_text("mine")
    refused(apus("serve", "--port", "0", "--data", str(tmp_path)), f"data: {tmp_path} holds other files",
            "name an empty or a new folder", "(from flag --data)", code=73)
    refused(apus("data", "check", str(tmp_path)), "holds no data of Apus; name the folder that a server has as --data", code=73)


@pytest.mark.parametrize("arguments, said", [
    (["publish"], "There is no 'apus publish'; there are: serve, pub, sub"),
    (["--url", "http://127.0.0.1:1", "pub", "orders", "1"], "Options go after the command: apus pub … --url …"),
    (["topics", "--url", "http://127.0.0.1:1", "create", "a"], "Options go after the command: apus topics create … --url …"),
    (["topics", "show"], "There is no 'apus topics show'; there are: list, create, delete"),
    (["bench", "--url", "http://127.0.0.1:1"], "The address of the server is an argument here: apus bench URL"),
    (["conformance", "--url", "http://127.0.0.1:1"], "The address of the server is an argument here: apus conformance URL"),
    (["conformance", "--timeout", "1s", "client", "--bogus"],
     "Options go after the command: apus conformance client … --timeout …"),
])
def test_wrong_arguments_show_how_the_command_is_written(arguments, said):
    refused(apus(*arguments), said, code=64)


def test_arguments_that_a_command_explains_itself_get_no_second_advice():
    assert apus("pub").stderr.splitlines()[-1].strip() == "See 'apus pub --help' for more information."
    last = apus("conformance", "http://127.0.0.1:1", "--bogus").stderr.splitlines()[-1].strip()
    assert last == "See 'apus conformance server --help' for more information."


def test_a_context_that_there_is_not_is_named_once(tmp_path):
    result = apus("context", "use", "nope", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert result.stderr.startswith("apus context use: no context 'nope'; there is none yet; add it with: ")


@pytest.mark.skipif(OVER_TLS, reason="this is about a server without TLS")
def test_an_address_that_is_wrong_is_told_from_a_server_that_is_gone(server):
    port = server.url.rsplit(":", 1)[1]
    refused(apus("topics", "--url", f"https://127.0.0.1:{port}"), "it does not speak TLS; use http:// or ws://", code=69)
    refused(apus("topics", "--url", f"{server.url}/eu"), "there is nothing at /eu/topics", "the path in the server's address", code=1)
    refused(apus("topics", "--url", "http://nowhere.invalid"), "is the name in the server's address right?", code=69)
    refused(apus("topics", "--url", "http://127.0.0.1:1"), "is the server running? Start one with: apus serve", code=69)
