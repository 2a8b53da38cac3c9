"""The servers that keep messages, each with what its acks stand for: how it is started, and what it says it has."""

import http.client
import json
import re
import socket

from . import install
from .peers import PEERS, Place
from .server import Failed

TIME_LIMIT = 30


def topics(prefix, count):
    return [f"{prefix}.{number:06}" for number in range(count)]


class Keeper:
    """A server with its defaults, on all cores."""

    has_all_cores = True
    # Whether each commit is flushed, so that it can be compared with what the disk can do.
    flushes = False
    note = ""

    def prepare(self, port, prefix, count):
        """Makes what a publish needs."""

    def kept(self, port, prefix, count):
        """How many messages it says it has of these topics."""
        raise NotImplementedError

    def figures(self, port):
        """What it counts itself."""
        return {}


class Apus(Keeper):
    protocol = "apus"

    def __init__(self, program, level):
        self.program, self.level = program, level
        self.name, self.title = f"apus-{level}", f"Apus, `{level}`"
        self.flushes = level == "disk"

    def start(self, port, folder):
        data = [] if self.level == "memory" else ["--data", f"{folder}/data"]
        return [self.program, "serve", "--log-level", "warning", "--port", port, *data], {}

    def prepare(self, port, prefix, count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT)
        for name in topics(prefix, count):
            connection.request("PUT", f"/topics/{name}", json.dumps({"durability": self.level}))
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (200, 201):
                raise Failed(f"PUT /topics/{name} was answered with status {answer.status}")
        connection.close()

    def _get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIME_LIMIT)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def kept(self, port, prefix, count):
        found = json.loads(self._get(port, "/stats"))["topics"]
        return sum(found[name]["messages"] for name in topics(prefix, count))

    def figures(self, port):
        names = "commits|committed_messages|committed_bytes"
        found = re.findall(rf"^apus_({names})_total (\d+)", self._get(port, "/metrics"), re.MULTILINE)
        return {name: int(value) for name, value in found}


class JetStream(Keeper):
    """NATS with JetStream: one stream in a file for all topics, without a limit."""

    protocol = "nats"
    peer = PEERS["nats"]

    def __init__(self, syncs_always):
        self.syncs_always = syncs_always
        self.name = f"jetstream-{'always' if syncs_always else 'default'}"
        self.title = f"JetStream, {'`sync_interval: always`' if syncs_always else 'its default'}"

    def start(self, port, folder):
        place = Place(install.folder(self.peer), install.Path(folder), port)
        sync = "sync_interval: always" if self.syncs_always else ""
        configuration = f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/data"\n{sync} }}\n'
        return [place.python.parent / "nats-server", "-c", place.write("nats.conf", configuration)], {}

    def prepare(self, port, prefix, count):
        stream = {"name": "load", "subjects": [f"{prefix}.*"], "storage": "file", "retention": "limits"}
        self._ask(port, "STREAM.CREATE.load", json.dumps(stream))

    def kept(self, port, prefix, count):
        return self._ask(port, "STREAM.INFO.load", "")["state"]["messages"]

    def _ask(self, port, what, body):
        with socket.create_connection(("127.0.0.1", port), TIME_LIMIT) as connection:
            subject = f"PUB $JS.API.{what} answer {len(body)}\r\n{body}\r\n"
            connection.sendall(f'CONNECT {{"verbose":false}}\r\nSUB answer 1\r\n{subject}'.encode())
            lines = connection.makefile("rb")
            for line in lines:
                if line.startswith(b"-ERR"):
                    raise Failed(line.decode().strip())
                if line.startswith(b"MSG "):
                    answer = json.loads(lines.read(int(line.split()[-1])))
                    if "error" in answer:
                        raise Failed(answer["error"]["description"])
                    return answer
        raise Failed(f"no answer to {what}")


class RedisStreams(Keeper):
    """Redis with an append-only file: a stream for each topic, without a limit, and nothing that rewrites the file."""

    protocol = "redis"
    peer = PEERS["redis"]

    def __init__(self, syncs):
        self.syncs = syncs
        self.name, self.title = f"redis-{syncs}", f"Redis Streams, `appendfsync {syncs}`"

    def start(self, port, folder):
        options = f"--bind 127.0.0.1 --port {port} --protected-mode no --daemonize no --loglevel warning"
        file = f"--appendonly yes --appendfsync {self.syncs} --auto-aof-rewrite-percentage 0 --dir {folder} --save"
        program = install.folder(self.peer) / "root/usr/bin/redis-server"
        paths = ":".join(install.libraries(self.peer))
        return [program, *options.split(), *file.split(), ""], {"LD_LIBRARY_PATH": paths} if paths else {}

    def kept(self, port, prefix, count):
        with socket.create_connection(("127.0.0.1", port), TIME_LIMIT) as connection:
            connection.sendall("".join(f"XLEN {name}\r\n" for name in topics(prefix, count)).encode())
            lines = connection.makefile("rb")
            return sum(int(lines.readline().removeprefix(b":")) for _ in range(count))


def all_of_them(apus):
    return [
        *(Apus(apus, level) for level in ("memory", "os", "disk")),
        *(JetStream(syncs_always) for syncs_always in (False, True)),
        *(RedisStreams(syncs) for syncs in ("everysec", "always")),
    ]
