"""Real NATS servers on this machine, and Apus nodes over them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from apus_e2e import TIMEOUT, Server

NATS = Path(sys.executable).parent / "nats-server"
# Accounts of which `apus` may ask the servers how they write.
SYSTEM = """
accounts {
  SYS { users: [{ user: admin, password: admin }]
        exports: [{ service: "$SYS.REQ.SERVER.PING.VARZ", response_type: stream, accounts: [APUS] }] }
  APUS { jetstream: enabled, users: [{ user: apus, password: apus }, { user: bare, password: bare,
           permissions: { publish: ["$JS.API.>", "$SYS.REQ.>", "apus.>"], subscribe: ["_INBOX.>", "apus.peers"] } }]
         imports: [{ service: { account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ" } }] }
  NONE { users: [{ user: none, password: none }] }
}
system_account: SYS
"""


def free_ports(count):
    """Ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass(frozen=True)
class Place:
    """Where a server is, and the command that programs which run there are started with."""

    host: str
    port: int
    route_port: int
    within: tuple = ()
    monitor_port: int | None = None


def here(count):
    ports = free_ports(2 * count)
    return [Place("127.0.0.1", *both) for both in zip(ports[:count], ports[count:])]


class NATSServer:
    """One server, which a test may stop, kill and start again."""

    def __init__(self, configuration, place):
        self.configuration, self.place = configuration, place
        self.process = None

    @property
    def url(self):
        return f"nats://{self.place.host}:{self.place.port}"

    def start(self):
        with open(self.configuration.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen([*self.place.within, NATS, "-c", self.configuration],
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def delete_streams(self, *names):
        """Deletes streams that nobody uses any more."""
        with socket.create_connection((self.place.host, self.place.port), TIMEOUT) as plain, plain.makefile("rb") as lines:
            deletions = "".join(f"PUB $JS.API.STREAM.DELETE.{name} _INBOX.d 0\r\n\r\n" for name in names)
            plain.sendall(f'CONNECT {{"verbose":false}}\r\nSUB _INBOX.d 1\r\n{deletions}'.encode())
            answers = 0
            while answers < len(names):
                line = lines.readline()
                assert line, "the server has left"
                answers += line.startswith(b"MSG ")

    def takes_clients(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.place.host, self.place.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class NATSCluster:
    """Servers with JetStream that write to the disk before they acknowledge. `more` is for each one's configuration."""

    def __init__(self, count=1, jetstream="sync_interval: always", more="", places=None):
        self.folder = Path(tempfile.mkdtemp(prefix="apus-nats-"))
        places = places or here(count)
        routes = ", ".join(f'"nats://{place.host}:{place.route_port}"' for place in places)
        self.servers = []
        for index, place in enumerate(places):
            lines = [f"server_name: n{index}", f'listen: "{place.host}:{place.port}"']
            if jetstream is not None:
                lines.append(f'jetstream {{ store_dir: "{self.store(index)}"\n {jetstream}\n }}')
            if len(places) > 1:
                lines.append(f'cluster {{ name: c, listen: "{place.host}:{place.route_port}", routes: [{routes}] }}')
            if place.monitor_port is not None:
                lines.append(f'http: "{place.host}:{place.monitor_port}"')
            file = self.folder / f"n{index}.conf"
            file.write_text("".join(f"{line}\n" for line in lines) + more)
            self.servers.append(NATSServer(file, place))

    def store(self, index):
        return self.folder / str(index)

    def __enter__(self):
        for server in self.servers:
            server.start()
        wait_for(lambda: all(server.takes_clients() for server in self.servers), "NATS")
        return self

    def __exit__(self, *_):
        for server in self.servers:
            if server.process.poll() is None:
                server.go_on()
                server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def urls(self):
        return ",".join(server.url for server in self.servers)

    def flags(self, *more):
        # An ordinary account cannot ask the servers how they write; these do, see above.
        servers = [flag for server in self.servers for flag in ("--nats", server.url)]
        return (*servers, "--nats-replicas", "3" if len(self.servers) >= 3 else "1", "--nats-sync-always", "true",
                *more)


def wait_for(condition, what, timeout=TIMEOUT):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.02)


def is_ready(node):
    return node.rest("GET", "/readyz").status == 200


@contextmanager
def nodes(count, nats, *flags):
    """Apus servers over those NATS servers, ready."""
    with ExitStack() as stack:
        running = [stack.enter_context(Server(*nats.flags(*flags), tls=False)) for _ in range(count)]
        for node in running:
            wait_for(lambda node=node: is_ready(node), "a node that is ready", 60)
        yield running


def program():
    return os.environ["APUS_BIN"]
