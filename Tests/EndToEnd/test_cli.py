"""The other commands of the program, against a running server."""

import json
import os
import re
import signal
import subprocess
import tempfile

import pytest

from apus_e2e import TIMEOUT, Client, Server, apus, client_environment, eventually

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

NOWHERE = "http://127.0.0.1:1"


class Subscriber:
    """`apus sub …` printing to a file, once the server counts its subscription."""

    def __init__(self, server, topic, *flags, prefix=""):
        self.server, self.topic = server, topic
        self.arguments = [os.environ["APUS_BIN"], "sub", topic, "--url", server.url + prefix, *flags]

    def __enter__(self):
        before = self.server.subscribers(self.topic)
        self.output = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(self.arguments, env=client_environment(), stdout=self.output,
                                        stderr=subprocess.DEVNULL)
        eventually(lambda: self.server.subscribers(self.topic) == before + 1, "apus sub subscribed")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()

    @property
    def lines(self):
        with open(self.output.name) as output:
            return output.readlines()

    def payloads(self, count):
        """The payloads printed, once there are so many lines."""
        eventually(lambda: len(self.lines) >= count, f"{count} lines printed")
        return [payload(json.loads(line)) for line in self.lines]

    def interrupt(self):
        """Ends it by SIGINT; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(TIMEOUT)


def payload(record):
    """The payload of a line of NDJSON, which is an event as it came, or its message."""
    return record.get("message", record)["payload"]


def cli(server, *arguments, prefix="", **options):
    return apus(*arguments, "--url", server.url + prefix, **options)


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_topics_are_created_listed_and_deleted(server, prefix):
    created = cli(server, "topics", "create", "cli a", "cli/b", prefix=prefix)
    assert created.returncode == 0, created.stderr
    for arguments in (["topics"], ["topics", "list"]):
        listed = cli(server, *arguments, prefix=prefix)
        assert listed.returncode == 0 and "cli a" in listed.stdout and "cli/b" in listed.stdout
    assert "cli/b" in json.dumps(json.loads(cli(server, "topics", "list", "--json", prefix=prefix).stdout))
    again = cli(server, "topics", "create", "cli a", prefix=prefix)
    assert again.returncode == 1 and "already exists" in again.stderr
    assert cli(server, "topics", "delete", "cli a", "cli/b", prefix=prefix).returncode == 0
    gone = cli(server, "topics", "delete", "cli a", prefix=prefix)
    assert gone.returncode == 1 and "not found" in gone.stderr
    assert "cli a" not in cli(server, "topics").stdout


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_what_pub_publishes_sub_prints_as_ndjson_and_sigint_ends_it_with_0(server, topic, prefix):
    with Subscriber(server, topic, prefix=prefix) as subscriber:
        for text in ('{"b": 1, "a": [1e2]}', '"text"', "17", "null"):
            assert cli(server, "pub", topic, text, prefix=prefix).returncode == 0
        published = [{"b": 1, "a": [100.0]}, "text", 17, None]
        assert subscriber.payloads(4) == published
        assert subscriber.interrupt() == 0
        assert subscriber.payloads(4) == published


def test_pub_reads_one_message_a_line_from_its_input(server, topic):
    with Subscriber(server, topic) as subscriber:
        lines = "".join(f'{{"number": {number}}}\n' for number in range(1000))
        result = cli(server, "pub", topic, "-", stdin=lines)
        assert result.returncode == 0, result.stderr
        assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 1000
        assert subscriber.payloads(1000) == [{"number": number} for number in range(1000)]
        assert subscriber.interrupt() == 0


async def test_sub_replays_the_last_messages(server, topic):
    async with await Client.open(server) as client:
        for number in range(10):
            await client.publish(topic, number)
    with Subscriber(server, topic, "--last", "3") as subscriber:
        assert subscriber.payloads(3) == [7, 8, 9]
        assert subscriber.interrupt() == 0


def test_a_topic_that_does_not_exist_is_a_failure_that_names_it(server):
    for arguments in (["pub", "no-such-topic", "1"], ["sub", "no-such-topic"], ["topics", "delete", "no-such-topic"]):
        result = cli(server, *arguments)
        assert result.returncode == 1 and "no-such-topic" in result.stderr


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_the_url_may_be_of_either_scheme_or_come_from_the_environment(server, topic, scheme):
    url = f"{scheme}{'s' if server.tls else ''}://127.0.0.1:{server.port}"
    assert apus("pub", topic, "1", "--url", url).returncode == 0
    assert topic in apus("topics", env={"APUS_URL": url}).stdout
    assert server.rest("GET", "/stats").json["topics"][topic]["messages"] == 1


def test_healthcheck_tells_by_its_exit_code(server):
    assert cli(server, "healthcheck").returncode == 0
    assert apus("healthcheck", "--url", NOWHERE).returncode != 0


@pytest.mark.parametrize(("arguments", "env"), [
    (["--url", NOWHERE], {}), (["--url", "nonsense"], {}), (["--nope"], {}), (["extra"], {}), (["--timeout", "x"], {}),
    (["--url"], {}), ([], {"APUS_URL": "nonsense"}), ([], {"APUS_PORT": "http"}), ([], {"APUS_PORT": "0"}),
    ([], {"APUS_HOST": "a b"}), ([], {"APUS_CONFIG": "/nonexistent"}), ([], {"APUS_LISTEN": "nonsense"}),
    ([], {"APUS_LISTEN": "unix:/nonexistent/apus.sock"}), (["--url", "unix:/nonexistent"], {}), (["--quiet", "--url", "x"], {}),
])
def test_healthcheck_has_two_answers_whatever_goes_wrong(arguments, env):
    result = apus("healthcheck", *arguments, env={"APUS_PORT": "1"} | env)
    assert result.returncode == 1 and result.stdout == ""
    assert bool(result.stderr) == ("--quiet" not in arguments)


def test_healthcheck_helps_and_says_its_version_with_0():
    assert apus("healthcheck", "--help").returncode == 0
    assert apus("healthcheck", "--version").returncode == 0


def test_healthcheck_finds_the_server_of_a_file_and_of_other_mistakes(server, tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text(f"port: {server.port}\nqueue: many\n")
    # What else is wrong there is not its business: the server runs.
    assert apus("healthcheck", env={"APUS_CONFIG": str(file), "APUS_API_KEYS_FILE": "/nonexistent"}).returncode == 0
    assert apus("healthcheck", env={"APUS_PORT": str(server.port), "APUS_QUEUE": "x", "APUS_TOKEN": "x"}).returncode == 0


@pytest.mark.parametrize("arguments", [["pub", "t", "1"], ["sub", "t"], ["topics"], ["topics", "create", "t"]])
def test_a_server_that_cannot_be_reached_is_exit_69(arguments):
    result = apus(*arguments, "--url", NOWHERE)
    assert result.returncode == 69 and result.stderr


def test_keys_are_sent_and_a_wrong_one_is_exit_77():
    with Server("--api-key", "right") as server:
        assert cli(server, "topics", "create", "t", "--api-key", "right").returncode == 0
        assert cli(server, "pub", "t", "1", env={"APUS_API_KEY": "right"}).returncode == 0
        for arguments in (["topics"], ["pub", "t", "1"], ["sub", "t"]):
            assert cli(server, *arguments, "--api-key", "wrong").returncode == 77
            assert cli(server, *arguments).returncode == 77
        assert cli(server, "healthcheck").returncode == 0


@pytest.mark.parametrize("arguments", [
    ["pub"], ["pub", "t"], ["sub"], ["topics", "explode"], ["sub", "t", "--last", "x"],
])
def test_a_command_used_wrongly_is_exit_64(arguments):
    assert apus(*arguments).returncode == 64


@pytest.mark.parametrize("command", [
    [], ["serve"], ["pub"], ["sub"], ["topics"], ["healthcheck"], ["config"], ["shell"],
])
def test_help_is_there_for_every_command(command):
    result = apus(*command, "--help")
    assert result.returncode == 0 and "USAGE" in result.stdout.upper()


def test_the_version_is_a_version():
    result = apus("--version")
    assert result.returncode == 0 and re.search(r"\d+\.\d+", result.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_named_in_the_help_and_knows_the_commands(shell):
    assert "apus --generate-completion-script bash" in apus("--help").stdout
    script = apus("--generate-completion-script", shell)
    assert script.returncode == 0
    for word in ("healthcheck", "topics", "max-connections", "base-path"):
        assert word in script.stdout
    assert "echo" not in re.findall(r"'(\w+):", script.stdout)


def test_bash_takes_the_completion_script_and_completes(tmp_path):
    script = tmp_path / "apus"
    script.write_text(apus("--generate-completion-script", "bash").stdout)
    ask = f"source {script}; COMP_WORDS=(apus heal); COMP_CWORD=1; COMP_LINE='apus heal'; COMP_POINT=9; _apus apus heal apus; echo $COMPREPLY"
    result = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=TIMEOUT)
    assert result.stdout.strip() == "healthcheck", result.stderr
