"""Each server of the end-to-end tests as two nodes of a cluster, where E2E_CLUSTER=1.

    POST, PUT, DELETE ──► writer ─┐
    WebSockets ──► each in turn   ├─ NATS
    GET, event streams ─► reader ─┘

So a test's publisher and subscriber are on different nodes. Each pair has streams of its own in one NATS server.
"""

import itertools
import re
import time
from datetime import datetime
from urllib.parse import parse_qs, quote, urlsplit

from apus_e2e import TIMEOUT, Server
from nats import NATSCluster

_numbers = itertools.count()
_CREDENTIALS = ("authorization", "x-api-key")
# Counts are told as they were a moment before they are heard: so many seconds at most.
_ON_ITS_WAY = 0.5
# What is asked for subscribers of all nodes.
_COUNTS = re.compile(r"/(subscribers|health|stats)$")


class Cluster:
    """The NATS server of all pairs of this process, started with the first."""

    def __init__(self):
        self._nats, self._is_pairing = None, False

    @property
    def nats(self):
        if not self._nats:
            self._nats = NATSCluster(more="max_payload: 4MB\n").__enter__()
        return self._nats

    def pair(self, reader, *flags, **options):
        """The pair of a server; none for the one that this starts beside it."""
        if self._is_pairing:
            return None
        self._is_pairing = True
        try:
            return Pair(self.nats, reader, *flags, **options)
        finally:
            self._is_pairing = False

    def stop(self):
        if self._nats:
            self._nats.__exit__()


class Pair:
    """Two nodes: the server of a test is the one that is read from."""

    def __init__(self, nats, reader, *flags, **options):
        self._nats, self.reader = nats, reader
        self._prefix = f"t{next(_numbers)}"
        self.flags = (*flags, *nats.flags("--nats-prefix", self._prefix))
        self.writer = Server(*self.flags, **options)
        self._nodes = itertools.cycle((self.writer, reader))

    def start(self):
        self.writer.__enter__()

    def stop(self, *error):
        try:
            self.writer.__exit__(*(error or (None, None, None)))
        finally:
            streams = [f"{self._prefix}_{name}" for name in (*range(8), "registry")]
            self._nats.servers[0].delete_streams(*streams)

    def next(self):
        return next(self._nodes)

    def rest(self, method, path, body, headers, timeout):
        """Asks the node that such a request is for, with what the other one knows by then."""
        self.level(path, headers)
        if method == "GET" and _COUNTS.search(urlsplit(path).path):
            self.level_counts(headers)
        node = self.reader if method in ("GET", "HEAD", "OPTIONS") else self.writer
        return node.ask(method, path, body, headers, timeout)

    def level(self, path, headers):
        """Waits until both nodes know the same of the topics in a path."""
        headers = {name: value for name, value in (headers or {}).items() if name.lower() in _CREDENTIALS}
        for topic in _topics(path):
            _wait(lambda topic=topic: self._are_level(f"/topics/{topic}", headers), f"two nodes that know the same of {topic}")
        if not _topics(path):
            _wait(lambda: self._have_same_topics(headers), "two nodes with the same topics")

    def level_counts(self, headers=None):
        """Waits until the node that is read from knows how many subscribers the other one has now."""
        start = time.time()

        def is_known():
            told = self.reader.ask("GET", "/health", None, headers)
            if told.status != 200:
                return True
            return datetime.fromisoformat(told.json["as_of"]).timestamp() >= start + _ON_ITS_WAY
        _wait(is_known, "counts of subscribers of both nodes")

    def _are_level(self, path, headers):
        one, other = (node.ask("GET", path, None, headers) for node in (self.writer, self.reader))
        if one.status != 200 or other.status != 200:
            return one.status == other.status
        return all(one.json[name] == other.json[name] for name in ("epoch", "settings", "last", "first"))

    def _have_same_topics(self, headers):
        one, other = (node.ask("GET", "/topics", None, headers) for node in (self.writer, self.reader))
        if one.status != 200 or other.status != 200:
            return one.status == other.status
        names = [{topic["name"] for topic in each.json["topics"]} for each in (one, other)]
        return names[0] == names[1]


def _topics(path):
    """The topics that a path names, as they are in it."""
    parts = urlsplit(path)
    if found := re.search(r"/topics/([^/]+)", parts.path):
        return [found[1]]
    return [quote(topic, safe="") for topic in parse_qs(parts.query).get("topic", []) if not re.search("[*>]", topic)]


def _wait(condition, what):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.005)
