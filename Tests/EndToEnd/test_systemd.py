"""What systemd does with a service, done by this process: sockets that are passed, and datagrams that are sent."""

import fcntl
import os
import secrets
import socket
import tempfile

import pytest

import unix_socket
from apus_e2e import TIMEOUT, Server, apus, eventually

pytestmark = [pytest.mark.plain("it is about sockets that are passed, and notifications"),
              pytest.mark.one_server("it is about how a server starts, listens and ends")]

# Well above whatever the shell has open.
HIGH = 100


class Manager:
    """Where a service tells how it is: a datagram socket with a file, or with an abstract name."""

    def __init__(self, is_abstract=False):
        self._folder = tempfile.TemporaryDirectory(prefix="apus")
        self.name = f"@apus-{secrets.token_hex(8)}" if is_abstract else f"{self._folder.name}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0", 1))
        self.socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self._folder.cleanup()

    def next(self):
        return self.socket.recv(4096).decode()

    def next_but(self, usual):
        """The next one that is another one."""
        while (state := self.next()) == usual:
            pass
        return state


class Service(Server):
    """`apus serve …` as systemd starts it: with these sockets from descriptor 3 on, in this folder."""

    def __init__(self, *sockets, flags=(), pid="$$", count=None, folder=None, **options):
        copies = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, HIGH) for sock in sockets]
        super().__init__(*flags, popen={"pass_fds": copies, "cwd": folder}, **options)
        self._copies = copies
        moves = " ".join(f"{3 + index}<&{fd} {fd}<&-" for index, fd in enumerate(copies))
        count = len(sockets) if count is None else count
        # The shell becomes the server, so it knows the number that this will have.
        script = f'exec {moves or "3<&-"}; LISTEN_PID={pid} LISTEN_FDS={count} exec "$@"'
        self._arguments = ["bash", "-c", script, "bash", *self._arguments]

    def __enter__(self):
        try:
            return super().__enter__()
        finally:
            for fd in self._copies:
                os.close(fd)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as passed:
        yield passed


def test_a_socket_that_is_passed_is_served_in_place_of_the_configured_address(listener):
    port = listener.getsockname()[1]
    with Service(listener, flags=["--host", "203.0.113.9"]) as server:
        assert server.port == port
        assert server.rest("GET", "/livez").status == 200
    # It is the manager's: who comes now waits for the next start.
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    with Service(listener):
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    client.close()


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_unix_socket_that_is_passed_is_served_and_its_file_is_left(listener, is_abstract):
    with tempfile.TemporaryDirectory(prefix="apus") as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as passed:
        path = f"\0apus-{secrets.token_hex(8)}" if is_abstract else f"{folder}/apus.sock"
        passed.bind(path)
        passed.listen(16)
        with Service(listener, passed) as server:
            assert server.wait_for_log("unix:" + path.replace("\0", "@"))
            assert server.port == listener.getsockname()[1]
            assert unix_socket.rest(path, "GET", "/livez").status == 200
        assert is_abstract or os.path.lexists(path)


@pytest.mark.parametrize("pid", ["1", "", "x"])
def test_sockets_that_are_for_another_process_are_left_alone(listener, pid):
    with Service(listener, pid=pid) as server:
        assert server.port != listener.getsockname()[1]


def failure(*sockets, count=None):
    """What a server says that was started with these and does not start."""
    service = Service(*sockets, count=count, exit_code=78)
    with pytest.raises(AssertionError), service:
        pass
    assert service.process.returncode == 78
    return "\n".join(service.log)


@pytest.mark.parametrize(("count", "text"), [("x", "'x'"), ("-1", "'-1'"), ("17", "'17'"), ("2", "descriptor 4")])
def test_a_count_of_sockets_that_makes_no_sense_is_a_mistake(listener, count, text):
    message = failure(listener, count=count)
    assert "environment LISTEN_FDS" in message and text in message


def test_what_is_no_listening_stream_socket_is_a_mistake(listener):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert "descriptor 3, which is no stream socket that listens" in failure(datagrams)
    with socket.create_connection(listener.getsockname()) as connection:
        assert "descriptor 4" in failure(listener, connection)


@pytest.mark.parametrize("is_abstract", [False, True])
def test_the_manager_is_told_of_the_start_and_of_the_end(is_abstract):
    with Manager(is_abstract) as manager, Server(env={"NOTIFY_SOCKET": manager.name}) as server:
        assert manager.next() == "READY=1"
        # Ready is said when it is true.
        assert server.rest("GET", "/readyz").status == 200
        server.stop()
        assert manager.next() == "STOPPING=1"


def test_the_manager_gets_signs_of_life_until_the_end():
    with Manager() as manager, Server(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "20000"}) as server:
        assert manager.next_but("WATCHDOG=1") == "READY=1"
        assert [manager.next() for _ in range(3)] == ["WATCHDOG=1"] * 3
        server.stop()
        assert manager.next_but("WATCHDOG=1") == "STOPPING=1"


def test_a_watchdog_of_another_process_is_none_of_ours():
    env = {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    with Manager() as manager, Server(env={"NOTIFY_SOCKET": manager.name} | env) as server:
        assert manager.next() == "READY=1"
        assert server.rest("GET", "/livez").status == 200
        server.stop()
        assert manager.next() == "STOPPING=1"


@pytest.mark.parametrize("name", ["/nonexistent/notify", "@apus-nobody", "vsock:2:1234", "@", "/" + "x" * 200, "notify"])
def test_a_manager_that_is_not_there_keeps_no_server_from_its_work(name):
    with Server(env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}) as server:
        assert server.rest("GET", "/livez").status == 200
        if name in ("/nonexistent/notify", "@apus-nobody"):
            assert " warning " in server.wait_for_log("the service manager cannot be told")


def test_a_manager_that_does_not_listen_holds_up_nothing():
    with Manager() as manager:
        with Server(env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200"}) as server:
            # Its queue is full by now, or soon.
            for _ in range(20):
                assert server.rest("GET", "/livez").status == 200


def test_a_server_that_cannot_start_is_never_ready(listener):
    with Manager() as manager:
        port = str(listener.getsockname()[1])
        assert apus("serve", "--port", port, env={"NOTIFY_SOCKET": manager.name}).returncode == 1
        manager.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.next()


def test_it_goes_on_listening_while_the_manager_restarts_it(listener):
    """The reason to have a socket unit: not one client is turned away."""
    with Service(listener) as first:
        first.create("t")
        first.stop()
        eventually(lambda: first.process.poll() is not None, "the first has ended")
        client = socket.create_connection(listener.getsockname(), TIMEOUT)
    with Service(listener) as second:
        second.create("t")
        client.sendall(b"GET /topics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b'"name":"t"' in client.recv(4096)
    client.close()
