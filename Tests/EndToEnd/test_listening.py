"""Where a server listens: Unix sockets, several addresses, and what is in the way."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

import unix_socket
from apus_e2e import TIMEOUT, Server, apus, environment, eventually, until

pytestmark = [pytest.mark.plain("it is about addresses and Unix sockets"),
              pytest.mark.one_server("it is about how a server starts, listens and ends")]


@pytest.fixture
def folder():
    """A folder whose path is short: one of a Unix socket has at most 103 bytes."""
    with tempfile.TemporaryDirectory(prefix="apus") as path:
        yield path


def addresses(server):
    """What the server said that it listens on."""
    return [re.search(r"address=(\S+)", line)[1] for line in server.log if " listening " in line]


def listen(*places):
    """The flags for these addresses."""
    return [word for place in places for word in ("--listen", place)]


def test_listening_is_said_at_notice_once_for_each_address(folder):
    path = f"{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", f"unix:{path}", "127.0.0.1:0")) as server:
        first, second, third = eventually(lambda: addresses(server)[2:] and addresses(server), "all three are said")
        records = [line for line in server.log if " listening " in line]
        assert all(" notice listening " in line for line in records)
        assert second == f"unix:{path}" and first != third
        for url in (first, second, third):
            assert apus("healthcheck", "--url", url).returncode == 0
    with Server("--log-level", "notice") as quiet:
        assert quiet.rest("GET", "/livez").status == 200
    assert [line.split()[1:3] for line in quiet.log[:-1]] == [["notice", "listening"]]


async def test_everything_works_over_a_unix_socket_and_for_every_command(folder):
    path = f"{folder}/apus.sock"
    url = f"unix:{path}"
    with Server(*listen("127.0.0.1:0", url)) as server:
        server.wait_for_log(url)
        assert apus("topics", "create", "t", "--url", url).returncode == 0
        async with await unix_socket.connect(path) as client:
            await client.subscribe("t", client_id="over-unix")
            message = await client.publish("t", 1)
            await client.expect_event("t", message)
            assert apus("pub", "t", '"cli"', "--url", url).returncode == 0
            assert (await client.receive())["message"]["payload"] == "cli"
            assert apus("pub", "t", '"v1"', "--url", f"{url}:/v1").returncode == 0
            assert (await client.receive())["message"]["payload"] == "v1"
            listed = unix_socket.rest(path, "GET", "/topics/t/subscribers").json["subscribers"]
            assert [entry["address"] for entry in listed] == ["unix"]
        taken = apus("sub", "t", "--last", "3", "--count", "3", "--url", url)
        assert [json.loads(line)["message"]["payload"] for line in taken.stdout.splitlines()] == [1, "cli", "v1"]
        assert "t" in apus("topics", env={"APUS_URL": f" {url}\n"}).stdout
        assert apus("healthcheck", env={"APUS_LISTEN": f"{url},127.0.0.1:1"}).returncode == 0
        # An event stream over the same socket.
        connection = unix_socket.UnixConnection(path)
        connection.request("GET", "/topics/t/events?last_n=1&client_id=stream")
        response = connection.getresponse()
        assert response.status == 200 and unix_socket.first_event(response)
        streams = unix_socket.rest(path, "GET", "/topics/t/subscribers").json["subscribers"]
        assert [entry["address"] for entry in streams] == ["unix"]
        response.close()
        connection.close()


def test_verify_and_bench_run_over_a_unix_socket(folder):
    url = f"unix:{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", url)) as server:
        server.wait_for_log(url)
        verified = apus("verify", url, "--duration", "1s", "--subscribers", "8", "--json", timeout=6 * TIMEOUT)
        assert verified.returncode == 0, verified.stderr
        bench = apus("bench", url, "--subs", "4", "--duration", "200ms", "--warmup", "50ms", "--json")
        assert bench.returncode == 0, bench.stderr
        result = json.loads(bench.stdout)
        assert result["server"] == url and result["deliveries"]["expected"] > 0


@pytest.mark.parametrize(("flags", "mode"), [((), 0o660), (("--socket-mode", "0600"), 0o600),
                                             (("--socket-mode", "777"), 0o777)])
def test_the_file_has_its_mode_whatever_the_umask_and_is_gone_at_the_end(folder, flags, mode):
    path = f"{folder}/apus.sock"
    before = os.umask(0o077)
    try:
        with Server(*listen("127.0.0.1:0", f"unix:{path}"), *flags) as server:
            server.wait_for_log(path)
            status = os.lstat(path)
            assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == mode
    finally:
        os.umask(before)
    assert not os.path.lexists(path)


def test_the_file_is_gone_as_soon_as_nobody_can_connect_any_more(folder):
    path = f"{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", f"unix:{path}")) as server:
        server.wait_for_log(path)
        # One that is being served holds up the end.
        reader = unix_socket.UnixConnection(path)
        unix_socket.rest(path, "PUT", "/topics/t", b"{}")
        reader.request("GET", "/topics/t/events")
        reader.getresponse()
        server.stop()
        eventually(lambda: not os.path.lexists(path), "the file is removed")
        reader.close()


def test_the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not(folder):
    path = f"{folder}/apus.sock"
    flags = listen("127.0.0.1:0", f"unix:{path}")
    with Server(*flags, exit_code=-signal.SIGKILL) as dead:
        dead.wait_for_log(path)
        dead.process.kill()
        dead.process.wait()
    assert os.path.lexists(path)
    with Server(*flags) as server:
        server.wait_for_log(path)
        other = apus("serve", *flags)
        assert other.returncode == 1
        assert f"cannot listen on unix:{path}: address already in use (listen from flag --listen)" in other.stderr
        assert apus("healthcheck", "--url", f"unix:{path}").returncode == 0
    assert not os.path.lexists(path)


def test_of_two_that_start_at_once_over_a_dead_socket_one_serves_and_the_other_fails(folder):
    path = f"{folder}/apus.sock"
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(path)
        command = [os.environ["APUS_BIN"], "serve", "--listen", f"unix:{path}"]
        both = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            eventually(lambda: any(process.poll() is not None for process in both), "one has given up")
            assert sorted(process.poll() is None for process in both) == [False, True]
            assert apus("healthcheck", "--url", f"unix:{path}").returncode == 0
        finally:
            for process in both:
                process.terminate()
                process.communicate(timeout=TIMEOUT)
        assert sorted(process.returncode for process in both) == [0, 1]
        assert not os.path.lexists(path)


def test_a_file_that_came_in_place_of_the_socket_is_left_alone(folder):
    path = f"{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", f"unix:{path}")) as server:
        server.wait_for_log(path)
        os.unlink(path)
        with open(path, "w") as file:
            file.write("mine")
    with open(path) as file:
        assert file.read() == "mine"


@pytest.mark.parametrize(("make", "code", "why"), [
    (lambda path: open(path, "w").close(), 78, "no socket"),
    (os.mkdir, 78, "no socket"),
    (lambda path: os.symlink("/nonexistent", path), 78, "no socket"),
])
def test_what_is_no_socket_is_never_replaced(folder, make, code, why):
    path = f"{folder}/apus.sock"
    make(path)
    before = os.lstat(path)
    result = apus("serve", "--listen", f"unix:{path}")
    assert result.returncode == code and why in result.stderr and path in result.stderr
    assert os.lstat(path).st_ino == before.st_ino


def test_a_datagram_socket_that_somebody_uses_is_not_replaced(folder):
    path = f"{folder}/apus.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        assert apus("serve", "--listen", f"unix:{path}").returncode == 1
        assert os.path.lexists(path)


def test_of_several_addresses_all_are_opened_or_none(folder):
    path = f"{folder}/apus.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = apus("serve", *listen(f"unix:{path}", f"127.0.0.1:{port}"))
    assert result.returncode == 1 and f"cannot listen on 127.0.0.1:{port}: address already in use" in result.stderr
    assert "listening" not in result.stderr and not os.path.lexists(path)


def test_ipv6_is_written_as_the_log_writes_it():
    with Server("--host", "[::1]") as server:
        assert server.host == "[::1]"
        url = addresses(server)[0]
        assert apus("healthcheck", "--url", url).returncode == 0
        assert apus("healthcheck", env={"APUS_HOST": "[::1]", "APUS_PORT": str(server.port)}).returncode == 0
    with Server(*listen(url)) as again:
        assert addresses(again) == [url]


def test_all_addresses_of_both_families_can_be_listened_on_at_one_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for order in ((f"[::]:{port}", f"0.0.0.0:{port}"), (f"0.0.0.0:{port}", f"[::]:{port}")):
        with Server(*listen(*order)) as server:
            eventually(lambda: len(addresses(server)) == 2, "both are said")
            for host in ("127.0.0.1", "[::1]"):
                assert apus("healthcheck", "--url", f"http://{host}:{port}").returncode == 0


def test_a_host_that_nobody_knows_is_a_mistake_that_names_its_source():
    for env, flags, source in [({"HOST": "no-such-host.invalid"}, [], "host from environment HOST"),
                               ({}, ["--host", "no-such-host.invalid"], "host from flag --host"),
                               ({}, ["--listen", "no-such-host.invalid:0"], "listen from flag --listen")]:
        result = apus("serve", "--port", "0", *flags, env=env)
        if "cannot be looked up now" in result.stderr:
            pytest.skip("nobody can be asked for names here")
        assert result.returncode == 78
        assert "no-such-host.invalid:0: unknown host" in result.stderr and source in result.stderr


def test_a_folder_that_is_not_there_is_a_mistake(folder):
    for path in (f"{folder}/missing/apus.sock", "/dev/null/apus.sock"):
        result = apus("serve", "--listen", f"unix:{path}")
        assert result.returncode == 78 and path in result.stderr and "no such folder" in result.stderr


@pytest.mark.parametrize("value", [
    "unix:", "unix:apus.sock", "unix:@apus", "unix:/", "unix:/" + "x" * 103, "8080", ":8080", "127.0.0.1", "::1:8080",
    "127.0.0.1:65536", "127.0.0.1:0x50", "http://", "https://127.0.0.1:1", "127.0.0.1:1,127.0.0.1:1",
    ",".join(f"127.0.0.1:{port}" for port in range(1, 18)), "127.0.0.1:1,", "127.0.0.1:1/path",
])
def test_an_address_that_is_none_is_refused_and_named(value):
    for arguments, env in ((["--listen", value], {}), ([], {"APUS_LISTEN": value})):
        result = apus("config", "check", *arguments, env=env)
        assert result.returncode == 78, value
        assert result.stderr.startswith("apus: listen: '") and value[:40] in result.stderr


def test_a_port_beside_listen_is_a_warning_where_it_may_have_been_meant(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("listen: 127.0.0.1:0\nport: 1\nhost: 0.0.0.0\n")

    def warnings(*flags, **env):
        result = apus("config", "check", *flags, env={name.upper(): value for name, value in env.items()})
        assert result.returncode == 0
        return re.findall(r"warning: (\w+) \(from ([^)]*)\) is not used, because listen is set", result.stderr)

    beside = ["--listen", "127.0.0.1:0"]
    assert warnings("--port", "1", "--host", "::1", *beside) == [("host", "flag --host"), ("port", "flag --port")]
    assert warnings("--port", "1", apus_listen="127.0.0.1:0") == [("port", "flag --port")]
    assert warnings("--config", str(file), port="1", host="::1") == [("port", "environment PORT")]
    assert warnings(*beside, apus_host="0.0.0.0", apus_port="1") == []
    assert warnings("--config", str(file)) == warnings("--port", "1") == []


async def test_a_client_of_a_unix_socket_that_hangs_up_is_gone(folder):
    path = f"{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", f"unix:{path}")) as server:
        server.wait_for_log(path)
        unix_socket.rest(path, "PUT", "/topics/t", b"{}")
        before = server.open_files
        clients = [await unix_socket.connect(path) for _ in range(5)]
        for client in clients:
            await client.subscribe("t")
        for client in clients[:3]:
            client.connection.transport.abort()
        for client in clients[3:]:
            await client.connection.close()
        # What was sent just before the end is done.
        last = await unix_socket.connect(path)
        await last.send(type="publish", topic="t", message={"id": "00000000-0000-0000-0000-000000000000", "payload": 1})
        last.connection.transport.close()
        await until(lambda: server.rest("GET", "/stats").json["topics"]["t"] == {"messages": 1, "subscribers": 0},
                    "all are gone")
        await until(lambda: server.open_files <= before, "their descriptors are closed")


async def test_a_unix_socket_has_no_client_whose_half_is_missing(folder):
    path = f"{folder}/apus.sock"
    with Server(*listen("127.0.0.1:0", f"unix:{path}")) as server:
        server.wait_for_log(path)
        # A request and the end of the client's half in one: it is answered all the same.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(TIMEOUT)
            client.connect(path)
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while part := client.recv(4096):
                answer += part
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b'{"status":"alive"}')


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_every_command_works_without_privileges(server, topic):
    # The options that a client sets on its socket must be ones that anybody may set.
    def unprivileged(*arguments):
        return subprocess.run([os.environ["APUS_BIN"], *arguments, "--url", server.url], env=environment(), cwd="/",
                              user=65534, group=65534, extra_groups=[], capture_output=True, text=True, timeout=TIMEOUT)
    assert unprivileged("topics").returncode == 0
    assert unprivileged("pub", topic, "1").returncode == 0
    assert unprivileged("sub", topic, "--last", "1", "--count", "1").returncode == 0
