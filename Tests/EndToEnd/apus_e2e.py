"""The server under test as a process, and its two ways in: REST and an independent WebSocket client.

Every wait has a deadline, multiplied by the environment's E2E_PATIENCE (for sanitizers and slow machines). With E2E_TLS=1
the servers speak TLS, and so do all clients. With E2E_CLUSTER=1 each server is two nodes of a cluster: see across.py.
"""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from websockets.asyncio.client import connect
from websockets.exceptions import ConcurrencyError, ConnectionClosed

from certificates import authority, client_context, local_pair
from message_forms import check_form

HEARTBEAT = '{"type":"info","msg":"ping",'
PATIENCE = float(os.environ.get("E2E_PATIENCE", "1"))
TIMEOUT = 10 * PATIENCE
OVER_TLS = os.environ.get("E2E_TLS", "0") == "1"
OVER_CLUSTER = os.environ.get("E2E_CLUSTER", "0") == "1"
# Where a server keeps what it acknowledges.
STORED = "replicated" if OVER_CLUSTER else "memory"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_OURS = re.compile(r"(APUS|PUBSUB)_|(HOST|PORT|LOG_LEVEL|MAX_QUEUE_SIZE|MAX_MESSAGES"
                   r"|MAX_SUBSCRIBER_QUEUE_SIZE|TOPIC_HISTORY_SIZE)$")


@dataclass(frozen=True)
class Dialect:
    prefix: str
    time_key: str
    uptime_key: str
    # What clients offer: see `Client.open`.
    compression: str | None = None


BASE = Dialect("", "ts", "uptime_sec")
V1 = Dialect("/v1", "timestamp", "uptime_seconds")
DEFLATED = Dialect("", "ts", "uptime_sec", "deflate")


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def content_type(self):
        return self.headers.get("Content-Type", "").split(";")[0].strip().lower()


def environment(extra=None):
    """This process's environment without anything that would configure Apus, and `extra`."""
    return {k: v for k, v in os.environ.items() if not _OURS.match(k)} | (extra or {})


def client_environment(extra=None):
    """`environment` for the program as a client, which trusts the tests' authority where servers speak TLS."""
    trust = {"APUS_CA": str(authority().certificate)} if OVER_TLS else {}
    # The contexts of who runs the tests are not theirs.
    return environment({"XDG_CONFIG_HOME": "/nonexistent"} | trust | (extra or {}))


def apus(*arguments, env=None, stdin=None, timeout=TIMEOUT):
    """Runs a command of the program to its end."""
    return subprocess.run([os.environ["APUS_BIN"], *arguments], env=client_environment(env), input=stdin,
                          capture_output=True, text=True, timeout=timeout)


def eventually(condition, what, timeout=TIMEOUT):
    """Asks until `condition` holds: for states that the server does not announce."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {timeout:g} s: {what}"
        time.sleep(0.02)
    return value


async def until(condition, what, timeout=TIMEOUT):
    """`eventually` that lets other tasks of this process run meanwhile."""
    await asyncio.to_thread(eventually, condition, what, timeout)


class Server:
    """`apus serve --port 0 …`, stopped by its own pid at the end of the block.

    Its exit code must then be `exit_code` (None: any), and its standard output empty. It may open no more than `files`.
    `source` is the address that clients connect from. `popen` has further arguments for `subprocess.Popen`.
    `tls` is what clients connect with where the flags have it speak TLS, and False where it never does.

    In a cluster this is the node that is read from, and `writer` the one for requests that change something; WebSockets
    go to one after the other. Without a cluster all three are this server.
    """

    # Where clients find it.
    reached_at = "127.0.0.1"
    # What makes two nodes of each server: `across.Cluster`, set where E2E_CLUSTER=1.
    cluster = None

    def __init__(self, *flags, env=None, exit_code=0, files=None, source=None, popen=None, tls=None):
        self.pair = self.cluster and self.cluster.pair(self, *flags, env=env, exit_code=exit_code, files=files,
                                                       source=source, popen=popen, tls=tls)
        if self.pair:
            flags = self.pair.flags
        self.tls = tls or None
        if OVER_TLS and tls is None:
            self.tls, flags = client_context(), (*flags, *local_pair().flags)
        self._arguments = [os.environ["APUS_BIN"], "serve", "--port", "0", *flags]
        self._env, self._exit_code = environment(env), exit_code
        if files is not None:
            self._arguments = ["prlimit", f"--nofile={files}:{files}", *self._arguments]
        self._popen = popen or {}
        self.source = source and (source, 0)
        self._changed = threading.Condition()
        self._stopping = False
        self.log = []

    def __enter__(self):
        if self.pair:
            self.pair.start()
        self._stdout = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self._arguments, env=self._env, stdin=subprocess.DEVNULL,
                                        stdout=self._stdout, stderr=subprocess.PIPE, text=True, **self._popen)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.host, port = address(self.wait_for_log(" listening ", '"message":"listening"'))
        except BaseException:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self._reader.join(5)
            if self.pair:
                self.pair.stop()
            raise
        self.port = int(port)
        return self

    def __exit__(self, kind, error, traceback):
        try:
            self._end(kind)
        finally:
            if self.pair:
                self.pair.stop(kind, error, traceback)

    def _end(self, kind):
        if self.process.poll() is None and not self._stopping:
            self.stop()
        try:
            self.process.wait(20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        self._stdout.seek(0)
        stdout = self._stdout.read()
        self._stdout.close()
        if kind is not None:
            print("".join(f"{line}\n" for line in self.log[-30:]))
            return
        if self._exit_code is not None:
            assert self.process.returncode == self._exit_code, f"exit {self.process.returncode}: {self.log[-5:]}"
        # What SwiftNIO says when something is still done on loops that have ended.
        assert not [line for line in self.log if line.startswith("ERROR:")], self.log[-5:]
        assert stdout == b""

    def stop(self):
        """Asks the server to end; the end of the block waits for it, without a second signal."""
        self._stopping = True
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        self.process.kill()
        self.process.wait(TIMEOUT)

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self.log.append("(end of log)")
            self._changed.notify_all()

    def wait_for_log(self, *texts, timeout=TIMEOUT):
        """The first line that has one of the texts in it."""
        def found():
            lines = (line for line in self.log if any(text in line for text in texts))
            return next(lines, None) or "(end of log)" in self.log[-1:]
        with self._changed:
            line = self._changed.wait_for(found, timeout)
        assert isinstance(line, str), f"none of {texts} in the log: {self.log}"
        return line

    @property
    def writer(self):
        return self.pair.writer if self.pair else self

    def websocket_node(self):
        """The node for the next WebSocket."""
        return self.pair.next() if self.pair else self

    def level(self, path, headers=None):
        """In a cluster, waits until each node knows what the other does of the topics in a path.

        A node is behind the others by a moment, which a client notices only if it has heard of something from somebody
        else, as tests do."""
        if self.pair:
            self.pair.level(path, headers)

    def level_counts(self):
        """In a cluster, waits until counts of subscribers are those of now."""
        if self.pair:
            self.pair.level_counts()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.reached_at}:{self.port}"

    @property
    def rss(self):
        """Resident memory in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    @property
    def processor_time(self):
        """Seconds that it has run, all threads together."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def open_files(self):
        """How many descriptors it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def http(self, timeout=TIMEOUT):
        """A connection for several requests, which the caller closes."""
        options = {"timeout": timeout, "source_address": self.source}
        if self.tls:
            return http.client.HTTPSConnection(self.reached_at, self.port, context=self.tls, **options)
        return http.client.HTTPConnection(self.reached_at, self.port, **options)

    def rest(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """One request on its own connection; `body` is sent as JSON unless it is bytes."""
        if self.pair:
            return self.pair.rest(method, path, body, headers, timeout)
        return self.ask(method, path, body, headers, timeout)

    def ask(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """`rest` at this very node."""
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json"} | (headers or {})
        connection = self.http(timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def create(self, topic, dialect=BASE, headers=None):
        return self.rest("POST", f"{dialect.prefix}/topics", {"name": topic}, headers)

    def delete(self, topic, dialect=BASE, headers=None):
        return self.rest("DELETE", f"{dialect.prefix}/topics/{quote(topic, safe='')}", headers=headers)

    def subscribers(self, topic):
        self.level_counts()
        topics = self.rest("GET", "/topics").json["topics"]
        return next(entry["subscribers"] for entry in topics if entry["name"] == topic)


def websocket_url(server, path):
    host = getattr(server, "reached_at", "127.0.0.1")
    return f"{'wss' if server.tls else 'ws'}://{host}:{server.port}{path}"


def tls_options(server):
    """For `asyncio.open_connection`: TLS, where the server speaks it."""
    return {"ssl": server.tls, "server_hostname": "127.0.0.1"} if server.tls else {}


def address(line):
    """Host and port of a `listening` record, as text or JSON."""
    url = json.loads(line)["address"] if line.startswith("{") else line.split("address=")[1].split()[0].strip('"')
    return re.fullmatch(r"https?://(.+):(\d+)/?", url).groups()


class Client:
    """A WebSocket client that checks the form of every message it receives, and passes over heartbeats."""

    sees_heartbeats = False
    # Where its topics have to be level before it subscribes.
    server = None

    def __init__(self, connection, dialect):
        self.connection, self.dialect = connection, dialect

    @classmethod
    async def open(cls, server, dialect=BASE, query="", **options):
        settings = {"compression": dialect.compression, "max_size": None, "ping_interval": None, "proxy": None,
                    "open_timeout": TIMEOUT, "close_timeout": TIMEOUT, "local_addr": getattr(server, "source", None),
                    "ssl": server.tls} | options
        node = server.websocket_node() if isinstance(server, Server) else server
        client = cls(await connect(websocket_url(node, f"{dialect.prefix}/ws{query}"), **settings), dialect)
        client.server = server if getattr(server, "pair", None) else None
        return client

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        closing = asyncio.ensure_future(self.connection.close())
        # The server's close comes behind messages that nobody has taken; while they wait, nothing more is read.
        with contextlib.suppress(ConnectionClosed, ConcurrencyError):
            while True:
                await self.connection.recv()
        await closing

    async def send(self, text=None, /, **command):
        # Who resumes from a position gets there without that.
        if self.server and command.get("type") == "subscribe" and isinstance(command.get("topic"), str) \
                and not isinstance(command.get("since"), dict):
            await asyncio.to_thread(self.server.level, f"/topics/{quote(command['topic'], safe='')}")
        await self.connection.send(json.dumps(command) if text is None else text)

    async def receive_text(self, timeout=TIMEOUT):
        async with asyncio.timeout(timeout):
            message = await self.connection.recv()
            # On a slow machine a test may take longer than the time between two heartbeats.
            while not self.sees_heartbeats and message.startswith(HEARTBEAT):
                message = await self.connection.recv()
        assert isinstance(message, str), "the server sends text messages only"
        return message

    async def receive(self, timeout=TIMEOUT):
        """The next message, without its time, whose form is checked here."""
        message = json.loads(await self.receive_text(timeout))
        when = message.pop(self.dialect.time_key)
        assert TIME.fullmatch(when), when
        check_form(message)
        return message

    async def expect(self, **message):
        received = await self.receive()
        assert received == message, f"{received} is not {message}"

    async def expect_error(self, code, request_id=None):
        """The text of the error that must come next."""
        message = await self.receive()
        text = message.get("error", {}).pop("message", None)
        identifier = {} if request_id is None else {"request_id": request_id}
        assert message == {"type": "error", "error": {"code": code}} | identifier, f"{message} is not the error {code}"
        assert isinstance(text, str) and text
        return text

    async def expect_close(self, code, reason=None):
        """The messages before the close, which must have this code and reason."""
        messages = []
        try:
            while True:
                messages.append(await self.receive())
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the connection ended without a close frame"
            assert closed.rcvd.code == code
            assert reason is None or closed.rcvd.reason == reason
        return messages

    async def subscribe(self, topic, client_id="c", **fields):
        await self.send(type="subscribe", topic=topic, client_id=client_id, **fields)
        await self.expect(type="ack", topic=topic, status="ok", **_echo(fields))

    async def unsubscribe(self, topic, client_id="c", **fields):
        await self.send(type="unsubscribe", topic=topic, client_id=client_id, **fields)
        await self.expect(type="ack", topic=topic, status="ok", **_echo(fields))

    async def publish(self, topic, payload, **fields):
        """Publishes, takes the ack, and returns the message as subscribers must see it."""
        message = await self.send_publish(topic, payload, **fields)
        await self.expect(type="ack", topic=topic, status="ok", **_echo(fields))
        return message

    async def send_publish(self, topic, payload, **fields):
        message = {"id": str(uuid.uuid4()), "payload": payload}
        await self.send(type="publish", topic=topic, message=message, **fields)
        return message

    async def expect_event(self, topic, message):
        await self.expect(type="event", topic=topic, message=message)

    async def expect_alive(self):
        """The connection still answers, and nothing else was on its way before the answer."""
        identifier = str(uuid.uuid4())
        await self.send(type="ping", request_id=identifier)
        await self.expect(type="pong", request_id=identifier)


def _echo(fields):
    return {"request_id": fields["request_id"]} if fields.get("request_id") is not None else {}
