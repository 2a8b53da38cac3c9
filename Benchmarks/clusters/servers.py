"""What is measured: NATS servers, nodes of Apus over them, and processes of which only the processor time counts."""

import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

READY_LIMIT = 60
STOP_LIMIT = 15
NATS = Path(sys.executable).parent / "nats-server"


class Failed(Exception):
    """A measurement that came to nothing."""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(condition, what, limit=READY_LIMIT):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {limit} s: {what}")
        time.sleep(0.02)


def cpu_seconds(pid):
    """The processor time of a process and all its threads, user and system."""
    # The clock that clock_getcpuclockid(3) names.
    return time.clock_gettime((~pid << 3) | 2)


def memory(pid, name="VmRSS"):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Process:
    """A program that is killed at the end."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, preexec_fn=open_files,
                                        **options)

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(STOP_LIMIT)


class NATS3:
    """Three NATS servers as one cluster; each write is on the disk before it is acknowledged."""

    def __init__(self, count=3, folder=None):
        self.count, self.parent = count, folder

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="apus-nats-", dir=self.parent))
        ports = free_ports(2 * self.count)
        self.ports = ports[:self.count]
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[self.count:])
        self.servers = []
        for index, port in enumerate(self.ports):
            cluster = f'cluster {{ name: c, listen: "127.0.0.1:{ports[self.count + index]}", routes: [{routes}] }}'
            file = self.folder / f"{index}.conf"
            file.write_text(f'server_name: n{index}\nlisten: "127.0.0.1:{port}"\nmax_payload: 4MB\n'
                            f'jetstream {{ store_dir: "{self.folder}/{index}"\nsync_interval: always }}\n'
                            f"{cluster if self.count > 1 else ''}\n")
            self.servers.append(Process([NATS, "-c", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_for(self.has_leader, "a leader of JetStream")
        return self

    def __exit__(self, *problem):
        for server in self.servers:
            server.__exit__(*problem)
        shutil.rmtree(self.folder, ignore_errors=True)

    def has_leader(self):
        try:
            answer = self.ask("INFO")
        except (OSError, Failed):
            return False
        return "error" not in answer

    @property
    def urls(self):
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)

    @property
    def pids(self):
        return [server.pid for server in self.servers]

    def ask(self, what, body=None, limit=10):
        """JetStream's answer to one question."""
        text = json.dumps(body) if body else ""
        with socket.create_connection(("127.0.0.1", self.ports[0]), limit) as connection:
            connection.sendall(f'CONNECT {{"verbose":false}}\r\nSUB answer 1\r\nPUB $JS.API.{what} answer {len(text)}\r\n'
                               f"{text}\r\n".encode())
            lines = connection.makefile("rb")
            for line in lines:
                if line.startswith(b"-ERR"):
                    raise Failed(line.decode().strip())
                if line.startswith(b"MSG "):
                    return json.loads(lines.read(int(line.split()[-1])))
        raise Failed(f"no answer to {what}")

    def make_streams(self, prefix, topics, count=8):
        """Streams as a node makes them, over the subjects of raw publishes."""
        names = [f"{prefix}.{number:06}" for number in range(topics)]
        for index in range(min(count, topics)):
            stream = {"name": f"{prefix}_{index}", "subjects": names[index::count], "storage": "file", "discard": "old",
                      "num_replicas": self.count, "max_msgs_per_subject": 100_000, "deny_delete": True,
                      "allow_direct": True, "duplicate_window": 10_000_000_000}
            wait_for(lambda: "error" not in self.ask(f"STREAM.CREATE.{prefix}_{index}", stream), f"stream {index}")


class Apus(Process):
    """A server by itself, or a node of a cluster over NATS. Ready when the block begins."""

    def __init__(self, program, nats=None, prefix="apus", flags=()):
        self.port = free_ports(1)[0]
        cluster = [*[w for u in nats.urls.split(",") for w in ("--nats", u)], "--nats-replicas", str(nats.count), "--nats-sync-always", "on", "--nats-prefix",
                   prefix] if nats else []
        super().__init__([program, "serve", "--port", str(self.port), "--threads", "1", "--log-level", "error", *cluster,
                          *flags], stdout=subprocess.DEVNULL)

    def __enter__(self):
        try:
            wait_for(self.is_ready, "a server that is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failed(f"a server ended with status {self.process.returncode}")
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def make_topics(self, names, **settings):
        for name in names:
            status, text = self.request("PUT", f"/topics/{name}", json.dumps(settings))
            if status not in (200, 201):
                raise Failed(f"PUT /topics/{name} was answered with {status}: {text}")

    def has_topics(self, names):
        return all(self.request("GET", f"/topics/{name}")[0] == 200 for name in names)

    def metric(self, name):
        """The sum of a metric's series."""
        lines = self.request("GET", "/metrics")[1].splitlines()
        found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in found)
