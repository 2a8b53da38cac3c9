"""Where settings come from, and what is said about bad ones: section 7."""

import json
import os
import re
import socket

import pytest

from apus_e2e import BASE, TIME, Client, Server, apus

pytestmark = [pytest.mark.plain("it is about settings"),
              pytest.mark.one_server("it is about how a server starts, listens and ends")]

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


PLATFORMS = ["x86_64-conda-linux-gnu", "x86_64-apple-darwin13.4.0", "aarch64-linux-gnu", "i686-w64-mingw32"]
LINKS = {"APUS_SERVICE_HOST": "10.0.0.1", "APUS_SERVICE_PORT": "8080", "APUS_SERVICE_PORT_HTTP": "8080",
         "APUS_PORT": "tcp://10.0.0.1:8080", "APUS_PORT_8080_TCP": "tcp://10.0.0.1:8080",
         "APUS_PORT_8080_TCP_PROTO": "tcp", "APUS_PORT_8080_TCP_PORT": "8080", "APUS_PORT_8080_TCP_ADDR": "10.0.0.1",
         # Of services whose names are like a secret's and a limit's.
         "APUS_TOKEN_SERVICE_HOST": "10.0.0.2", "APUS_TOKEN_PORT": "tcp://10.0.0.2:80",
         "APUS_TOKEN_PORT_80_TCP_ADDR": "10.0.0.2", "APUS_MAX_PORT_53_UDP": "udp://10.0.0.3:53"}


def test_what_kubernetes_sets_for_a_service_of_our_name_is_ignored_with_a_warning():
    with Server("--api-key", "k", env=LINKS) as server:
        ignored = server.wait_for_log("APUS_PORT='tcp://10.0.0.1:8080' is ignored")
        others = server.wait_for_log("APUS_MAX_PORT_53_UDP, ")
        assert " warning " in ignored and " warning " in others and "and 6 more" in others
        assert len([line for line in server.log if " warning " in line]) == 2
        # What has a value of ours behind one that is not is taken.
        assert effective(env=LINKS | {"PORT": "9001"})["port"] == ("9001", "from environment PORT")
        assert apus("healthcheck", env=LINKS | {"PORT": str(server.port)}).returncode == 0


@pytest.mark.parametrize(("name", "value"), [
    ("APUS_PORT", "tcp://10.0.0.1:8080"), ("APUS_PORT", " TCP://[fd00::1]:8080 "), ("PUBSUB_PORT", "udp://10.0.0.1:53"),
    ("PORT", "sctp://10.0.0.1:1"), ("APUS_HOST", "tcp://10.0.0.1:8080"),
    *((name, value) for name in ("HOST", "PUBSUB_HOST", "APUS_HOST") for value in PLATFORMS),
])
def test_a_value_that_is_not_ours_is_ignored_with_a_warning_that_names_it(name, value):
    result = apus("config", "print", env={name: value})
    assert result.returncode == 0
    assert result.stderr.startswith(f"apus: warning: {name}='{value.strip()}' is ignored: ")
    assert re.search(r"^port: 8080 .*default", result.stdout, re.M) and '"127.0.0.1"' in result.stdout


@pytest.mark.parametrize(("name", "value"), [
    ("APUS_PORT", "http://10.0.0.1:8080"), ("APUS_PORT", "8080/tcp"), ("PORT", "tcp:8080"), ("PORT", "://"),
    ("HOST", "http://localhost"), ("HOST", "x86_64 conda"), ("APUS_PORT", " "), ("APUS_HOST", "\t"),
])
def test_a_value_that_is_only_like_it_is_a_mistake(name, value):
    result = apus("config", "check", env={name: value})
    assert result.returncode == 78 and f"(from environment {name})" in result.stderr and value.strip() in result.stderr


@pytest.mark.parametrize(("name", "hint"), [
    ("APUS_API_KEY", "APUS_API_KEYS"), ("APUS_APIKEYS", "APUS_API_KEYS"), ("apus_api_keys", "APUS_API_KEYS"),
    ("APUS-API-KEYS", "APUS_API_KEYS"), ("APUS_API_KEYS_FIL", "APUS_API_KEYS_FILE"), ("APUS_API_KEY_FILE", "APUS_API_KEYS_FILE"),
    ("APUS_TOKEN", None), ("APUS_AUTH_PASSWORD", None), ("APUS_KEYS", None), ("APUS_TLS_SECRET", None), ("APUS_PASWORD", None),
])
def test_an_unknown_variable_that_resembles_a_secret_stops_the_start_and_is_not_shown(name, hint):
    for command in (["serve", "--port", "0"], ["config", "check"]):
        result = apus(*command, env={name: "s3cret"})
        assert result.returncode == 78 and name in result.stderr and "s3cret" not in result.stderr
        assert hint is None or f"did you mean '{hint}'?" in result.stderr
        assert "listening" not in result.stderr


@pytest.mark.parametrize(("name", "hint"), [
    ("APUS_MAX_CONECTIONS", "APUS_MAX_CONNECTIONS"), ("APUS_MAXTOPICS", "APUS_MAX_TOPICS"), ("APUS_MAX_CONNS", None),
    ("APUS_RECONECT_RATE", "APUS_RECONNECT_RATE"), ("APUS_RATE_LIMIT", None), ("APUS_THROTLE_TIMEOUT", "APUS_THROTTLE_TIMEOUT"),
])
def test_an_unknown_variable_that_resembles_a_limit_stops_the_start(name, hint):
    result = apus("serve", "--port", "0", env={name: "5"})
    assert result.returncode == 78 and f"{name}: '5' (from environment {name})" in result.stderr
    assert hint is None or f"did you mean '{hint}'?" in result.stderr


def test_any_other_unknown_variable_is_a_warning_with_the_nearest_name():
    env = {"APUS_QUEU": "5", "APUS_LOGLEVEL": "debug", "APUS_FAVOURITE": "swift", "APUS_MAX_CONECTIONS": "", "apus": "1",
           "APUS_BIN": "/bin/true", "APUS_URL": "http://localhost"}
    with Server(env=env) as server:
        server.wait_for_log("unknown variable 'APUS_QUEU' in the environment; did you mean 'APUS_QUEUE'?")
        server.wait_for_log("unknown variable 'APUS_LOGLEVEL' in the environment; did you mean 'APUS_LOG_LEVEL'?")
        assert server.wait_for_log("APUS_FAVOURITE").endswith("in the environment")
        assert len([line for line in server.log if " warning " in line]) == 3


def test_many_unknown_variables_are_few_warnings():
    result = apus("config", "check", env={f"APUS_FOO_{number}": "1" for number in range(300)})
    assert result.returncode == 0
    assert len(result.stderr.splitlines()) == 21 and "280 more" in result.stderr


def test_a_client_s_key_in_the_environment_is_no_mistake_where_the_server_has_keys_of_its_own():
    with Server("--api-key", "k", env={"APUS_API_KEY": "k"}) as server:
        assert server.rest("GET", "/topics").status == 401
        assert not [line for line in server.log if " warning " in line]


@pytest.mark.parametrize("text", [
    "api_key: s3cret\n", "api-keys: [s3cret]\n", "API_KEYS: s3cret\n", "APUS_API_KEYS: s3cret\n", "token: s3cret\n",
    "auth: {password: s3cret}\n", "server:\n  api_keys: [s3cret]\n", "apus:\n  security:\n    - token: s3cret\n",
    "topics:\n  api_key: s3cret\n", "api_keys:\n", "limits:\n  api_key: s3cret\n", "users: [{secret: s3cret}]\n",
])
def test_an_unknown_key_in_the_file_that_resembles_a_secret_stops_the_start(tmp_path, text):
    file = tmp_path / "apus.yaml"
    file.write_text(text)
    result = apus("serve", "--port", "0", "--config", str(file))
    assert result.returncode == 78 and str(file) in result.stderr and "s3cret" not in result.stderr
    assert "listening" not in result.stderr


@pytest.mark.parametrize(("text", "key"), [
    ("max_conections: 5\n", "max_conections: '5'"), ("limits: {connections: 5}\n", "limits: the value"),
    ("server: {max_topics: 7}\n", "server.max_topics: '7'"), ("topics: {max_topic: 7}\n", "topics.max_topic: '7'"),
])
def test_an_unknown_key_in_the_file_that_resembles_a_limit_stops_the_start(tmp_path, text, key):
    for name in ("apus.yaml", "apus.conf"):
        file = tmp_path / name
        file.write_text(text)
        result = apus("config", "check", "--config", str(file))
        assert result.returncode == 78 and result.stderr.startswith(f"apus: {key} (from file {file}:1)")


@pytest.mark.parametrize("contents", [b"k-one", b"k-one\n", b"k-one\r\n", b"\xef\xbb\xbfk-one\n", b"k-one,k-two\n", b"k-two\nk-one"])
def test_keys_can_come_from_a_file(tmp_path, contents):
    file = tmp_path / "keys"
    file.write_bytes(contents)
    env = {"APUS_API_KEYS_FILE": str(file)}
    with Server(env=env) as server:
        assert server.rest("GET", "/topics", headers={"X-API-Key": "k-one"}).status == 200
        assert server.rest("GET", "/topics").status == 401
        # The clients' key can, too.
        file.write_bytes(b"k-one\n")
        assert apus("topics", "--url", server.url, env={"APUS_API_KEY_FILE": str(file)}).returncode == 0
        assert apus("topics", "--url", server.url, env={"APUS_API_KEY": " k-one\n"}).returncode == 0
    printed = apus("config", "print", env=env).stdout
    assert re.search(r'^api_keys: "\*\*\*" +# from environment APUS_API_KEYS_FILE$', printed, re.M) and "k-one" not in printed


@pytest.mark.parametrize(("contents", "why"), [
    (None, "no such file"), (b"", "empty key"), (b"\n", "empty key"), (b"a\n\n", "empty key"), (b"a\n\nb\n", "empty key"),
    (b"\xff\xfe", "not UTF-8"), (b"x" * 65537, "larger than 65536"), (b"a b\n", "visible ASCII"), (b"x" * 1025, "1024"),
])
def test_a_file_of_keys_that_cannot_be_used_stops_the_start(tmp_path, contents, why):
    file = tmp_path / "keys"
    if contents is not None:
        file.write_bytes(contents)
    result = apus("serve", "--port", "0", env={"APUS_API_KEYS_FILE": str(file)})
    assert result.returncode == 78 and "(from environment APUS_API_KEYS_FILE)" in result.stderr and why in result.stderr


def test_a_secret_that_is_there_twice_stops_the_start(tmp_path):
    file = tmp_path / "key"
    file.write_text("a")
    both = {"APUS_API_KEYS_FILE": str(file), "APUS_API_KEYS": "b"}
    assert apus("config", "check", env=both).returncode == 78
    both = {"APUS_API_KEY_FILE": str(file), "APUS_API_KEY": "b"}
    assert apus("topics", "--url", "http://127.0.0.1:1", env=both).returncode == 78
    assert apus("topics", "--url", "http://127.0.0.1:1", env={"APUS_API_KEY_FILE": str(tmp_path)}).returncode == 78


@pytest.mark.parametrize(("name", "text"), [
    ("apus.yaml", "history: 3\n"), ("apus.json", '{"history": 3}'), ("apus.conf", '{"history": 3}'), ("apus.conf", "history: 3"),
    ("apus.yaml", "---\nhistory: 3\n...\n"), ("apus.yaml", "history: 3\r\n"),
])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path, name, text):
    file = tmp_path / name
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert effective("--config", str(file))["history"][0] == "3"
    assert effective(env={"APUS_CONFIG": f" {file} "})["history"][0] == "3"


@pytest.mark.parametrize(("name", "text", "key"), [
    ("apus.json", '{"queue": 1, "queue": 2}', "queue"), ("apus.json", '{"queue": 1, "\\u0071ueue": 1}', "queue"),
    ("apus.json", '{"topics": {"on_delete": "info", "on_delete": "info"}}', "on_delete"),
    ("apus.json", '{"topics": {}, "topics": {"on_delete": "disconnect"}}', "topics"),
    ("apus.json", '{"unheard_of": [{"a": 1, "a": 2}]}', "a"), ("apus.json", '{"api_keys": null, "api_keys": ["k"]}', "api_keys"),
    ("apus.yaml", "queue: 1\nqueue: 2\n", "queue"), ("apus.yaml", "queue: 1\n'queue': 2\n", "queue"),
    ("apus.yaml", "{queue: 1, \"queue\": 2}", "queue"), ("apus.yaml", "topics:\n  on_delete: info\n  on_delete: info\n", "on_delete"),
    ("apus.yaml", "1: a\n'1': b\n", "1"), ("apus.yaml", "topics.on_delete: info\ntopics: {on_delete: info}\n", "topics.on_delete"),
])
def test_a_key_that_is_there_twice_is_refused_and_named(tmp_path, name, text, key):
    file = tmp_path / name
    file.write_text(text)
    result = apus("serve", "--port", "0", "--config", str(file))
    assert result.returncode == 78 and name in result.stderr
    assert re.search(rf"\b{re.escape(key)}\b.* a second time", result.stderr), result.stderr


@pytest.mark.parametrize("value", [" {} ", "\t{}", "{}\n", "\n {}\r\n"])
def test_white_space_around_a_value_is_no_part_of_it_for_any_command(tmp_path, value):
    with Server("--api-key", "k") as server:
        port = value.format(server.port)
        assert effective(env={"APUS_PORT": port})["port"][0] == str(server.port)
        assert apus("healthcheck", env={"APUS_PORT": port, "APUS_HOST": value.format("127.0.0.1")}).returncode == 0
        env = {"APUS_URL": value.format(server.url), "APUS_API_KEY": value.format("k")}
        for command in (["topics"], ["healthcheck"], ["bench", "--subs", "1", "--duration", "50ms", "--warmup", "0s"]):
            assert apus(*command, env=env).returncode in ([0, 64] if command[0] == "bench" else [0])
    with Server(env={"APUS_LOG_FORMAT": value.format("json"), "APUS_API_KEYS": value.format("k , l")}) as server:
        assert json.loads(server.log[0])
        for key in ("k", "l"):
            assert server.rest("GET", "/topics", headers={"X-API-Key": key}).status == 200


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
