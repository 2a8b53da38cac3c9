"""Where settings come from, and what is said about bad ones: section 7."""

import json
import os
import re
import socket

import pytest

from apus_e2e import BASE, TIME, Client, Server, apus

SETTINGS = {
    "host": ("10.1.2.3", "10.1.2.4", "10.1.2.5"), "port": ("7001", "7002", "7003"), "threads": ("1", "2", "3"),
    "log_level": ("error", "debug", "warning"), "log_format": ("json", "text", "json"), "queue": ("11", "12", "13"),
    "history": ("21", "22", "23"), "overflow": ("disconnect", "throttle", "disconnect"),
    "throttle_timeout": ("31s", "32s", "33s"), "ping_interval": ("26s", "27s", "28s"),
    "pong_timeout": ("21s", "22s", "23s"), "heartbeat": ("41s", "42s", "43s"), "max_message": ("1001", "1002", "1003"),
    "max_depth": ("64", "65", "66"), "drain_timeout": ("11s", "12s", "13s"),
}
ALIASES = [
    ("host", "PUBSUB_HOST"), ("host", "HOST"), ("port", "PUBSUB_PORT"), ("port", "PORT"),
    ("log_level", "PUBSUB_LOG_LEVEL"), ("log_level", "LOG_LEVEL"), ("queue", "PUBSUB_MAX_QUEUE_SIZE"),
    ("queue", "MAX_QUEUE_SIZE"), ("queue", "MAX_SUBSCRIBER_QUEUE_SIZE"), ("history", "PUBSUB_HISTORY_SIZE"),
    ("history", "MAX_MESSAGES"), ("history", "TOPIC_HISTORY_SIZE"),
]


def flag(setting):
    return "--" + setting.replace("_", "-")


def effective(*arguments, env=None):
    """The settings that `config print` shows, as text: {setting: (value, comment)}."""
    result = apus("config", "print", *arguments, env=env)
    assert result.returncode == 0, result.stderr
    settings, parent = {}, ""
    for line in result.stdout.splitlines():
        if match := re.fullmatch(r"""( *)([a-z_]+): *("[^"]*"|'[^']*'|\[.*?\]|[^ #]*) *(?:#\s*(.*))?""", line):
            indent, name, value, comment = match.groups()
            if not indent:
                parent = name
            settings[f"{parent}.{name}" if indent else name] = (value.strip("\"'"), comment or "")
    return settings


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path, setting):
    in_flag, in_environment, in_file = SETTINGS[setting]
    file = tmp_path / "apus.yaml"
    file.write_text(f"{setting}: {in_file}\n")
    config, env = ("--config", str(file)), {f"APUS_{setting.upper()}": in_environment}
    sources = [effective()[setting], effective(*config)[setting], effective(*config, env=env)[setting],
               effective(*config, flag(setting), in_flag, env=env)[setting]]
    values, comments = zip(*sources)
    assert values[1:] == (in_file, in_environment, in_flag)
    # A choice of two has no third value to be the default.
    assert values[0] not in (in_file, in_environment) or setting == "log_format"
    assert "default" in comments[0] and "file" in comments[1] and "flag" in comments[3]
    assert "env" in comments[2] or f"APUS_{setting.upper()}" in comments[2]


@pytest.mark.parametrize(("setting", "alias"), ALIASES)
def test_the_references_names_are_aliases_and_ours_wins(setting, alias):
    ours, theirs, _ = SETTINGS[setting]
    assert effective(env={alias: theirs})[setting][0] == theirs
    assert effective(env={alias: theirs, f"APUS_{setting.upper()}": ours})[setting][0] == ours
    assert effective(flag(setting), ours, env={alias: theirs})[setting][0] == ours


def test_of_two_aliases_the_one_with_the_prefix_wins():
    assert effective(env={"PORT": "7001", "PUBSUB_PORT": "7002"})["port"][0] == "7002"
    assert effective(env={"MAX_QUEUE_SIZE": "7", "PUBSUB_MAX_QUEUE_SIZE": "8"})["queue"][0] == "8"


def test_the_defaults_are_the_documented_ones():
    documented = {"host": "127.0.0.1", "port": "8080", "log_level": "info", "log_format": "text", "queue": "1000",
                  "history": "100", "overflow": "drop-oldest", "throttle_timeout": "30s", "ping_interval": "25s",
                  "pong_timeout": "20s", "heartbeat": "30s", "max_message": "1048576", "max_depth": "128",
                  "drain_timeout": "10s", "topics.create_existing": "conflict", "topics.on_delete": "info"}
    settings = effective()
    assert {name: settings[name][0] for name in documented} == documented


@pytest.mark.parametrize(("name", "text"), [
    ("apus.yaml", "history: 3\ntopics:\n  create_existing: ok\n  on_delete: disconnect\n"),
    ("apus.yml", "# comment\n'history': \"3\"\ntopics: {create_existing: ok, on_delete: disconnect}\n"),
    ("apus.json", '{"history": 3, "topics": {"create_existing": "ok", "on_delete": "disconnect"}}'),
])
@pytest.mark.parametrize("by", ["flag", "environment"])
async def test_a_server_obeys_its_file(tmp_path, name, text, by):
    file = tmp_path / name
    file.write_text(text)
    flags, env = (("--config", str(file)), {}) if by == "flag" else ((), {"APUS_CONFIG": str(file)})
    with Server(*flags, env=env) as server:
        assert [server.create("t").status, server.create("t").status] == [201, 200]
        async with await Client.open(server, BASE) as client:
            messages = [await client.publish("t", number) for number in range(5)]
            await client.subscribe("t", last_n=100)
            for message in messages[2:]:
                await client.expect_event("t", message)
            server.delete("t")
            assert len(await client.expect_close(1000, "TOPIC_DELETED")) == 1


BAD = [("port", "65536"), ("port", "-1"), ("port", "http"), ("queue", "-1"), ("queue", "many"), ("history", "-1"),
       ("overflow", "explode"), ("log_level", "loud"), ("log_format", "xml"), ("heartbeat", "soon"),
       ("ping_interval", "-5s"), ("max_message", "1 parsec"), ("max_depth", "0"), ("max_depth", "1025"),
       ("threads", "-2"), ("topics.on_delete", "explode"), ("topics.create_existing", "maybe")]


@pytest.mark.parametrize(("setting", "value"), BAD)
@pytest.mark.parametrize("source", ["flag", "environment", "file"])
@pytest.mark.parametrize("command", [["serve"], ["config", "check"]])
def test_a_bad_value_names_its_setting_and_exits_78(tmp_path, setting, value, source, command):
    name = setting.replace(".", "_")
    arguments, env = [], {}
    if source == "flag":
        arguments = [f"{flag(name)}={value}"]
    elif source == "environment":
        env = {f"APUS_{name.upper()}": value}
    else:
        file = tmp_path / "apus.yaml"
        *parents, leaf = setting.split(".")
        file.write_text("".join(f"{parent}:\n  " for parent in parents) + f"{leaf}: {value}\n")
        arguments = ["--config", str(file)]
    result = apus(*command, *arguments, env=env)
    assert result.returncode == 78, result
    assert name in re.sub(r"[-.]", "_", result.stderr.lower()) and value in result.stderr
    assert "listening" not in result.stderr


@pytest.mark.parametrize(("name", "text"), [
    ("apus.yaml", "queue: [1\n"), ("apus.yaml", "queue: 1\n  history: 2\n"), ("apus.json", '{"queue": 1'),
    ("apus.json", "queue: 1"), ("apus.json", "[]"), ("apus.json", ""),
])
def test_a_malformed_file_exits_78_and_is_named(tmp_path, name, text):
    file = tmp_path / name
    file.write_text(text)
    result = apus("serve", "--port", "0", "--config", str(file))
    assert result.returncode == 78 and name in result.stderr


def test_a_file_that_is_missing_or_cannot_be_read_exits_78(tmp_path):
    result = apus("serve", "--port", "0", "--config", str(tmp_path / "missing.yaml"))
    assert result.returncode == 78 and "missing.yaml" in result.stderr
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert apus("serve", "--port", "0", "--config", str(folder)).returncode == 78
    if os.geteuid() != 0:
        locked = tmp_path / "locked.yaml"
        locked.write_text("queue: 1\n")
        locked.chmod(0)
        assert apus("serve", "--port", "0", "--config", str(locked)).returncode == 78


def test_an_unknown_key_in_the_file_is_a_warning(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("queu: 5\nhistory: 7\n")
    with Server("--config", str(file)) as server:
        assert "warning" in server.wait_for_log("queu")


def test_a_port_in_use_exits_1_and_says_so():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = apus("serve", "--port", str(port))
        assert result.returncode == 1 and result.stdout == ""
        assert f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr


@pytest.mark.parametrize("arguments", [["serve", "--nope"], ["serve", "extra"], ["nope"], ["config", "nope"]])
def test_a_bad_flag_is_a_usage_error(arguments):
    result = apus(*arguments)
    assert result.returncode == 64 and "Usage" in result.stderr


def test_config_check_says_that_a_good_configuration_is_valid():
    result = apus("config", "check", "--queue", "5")
    assert (result.returncode, result.stdout.strip()) == (0, "configuration is valid")


def test_what_config_print_shows_is_a_valid_file(tmp_path):
    file = tmp_path / "printed.yaml"
    file.write_text(apus("config", "print", "--queue", "77", "--topics-on-delete", "disconnect").stdout)
    settings = effective("--config", str(file))
    assert (settings["queue"][0], settings["topics.on_delete"][0]) == ("77", "disconnect")


def test_api_keys_are_never_printed(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("api_keys: [k3y-in-file]\n")
    for arguments, env in [(["--api-key", "k3y-in-flag"], {}), ([], {"APUS_API_KEYS": "k3y-in-env,k3y-two"}),
                           (["--config", str(file)], {})]:
        result = apus("config", "print", *arguments, env=env)
        assert result.returncode == 0 and "***" in result.stdout and "k3y" not in result.stdout + result.stderr
        with Server(*arguments, "--log-level", "trace", env=env) as server:
            assert server.rest("GET", "/topics", headers={"X-API-Key": "k3y-wrong"}).status == 401
        assert not [line for line in server.log if "k3y-in" in line or "k3y-two" in line]


def test_logs_are_text_or_json_one_record_a_line():
    with Server() as text:
        pass
    for line in text.log[:-1]:
        assert TIME.match(line) and re.match(r"\S+ (trace|debug|info|notice|warning|error|critical) \S", line), line
    with Server("--log-format", "json") as structured:
        pass
    for line in structured.log[:-1]:
        record = json.loads(line)
        assert TIME.fullmatch(record["ts"]) and record["level"] and record["message"], line


def test_the_log_level_is_obeyed():
    with Server("--log-level", "trace") as loud:
        loud.rest("GET", "/health")
    with Server() as normal:
        normal.rest("GET", "/health")
    assert len(loud.log) > len(normal.log)
