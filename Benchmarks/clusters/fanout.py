"""What a delivery costs on a server by itself, on the nodes of a cluster, and on a program that only copies."""

import subprocess
import time
from contextlib import ExitStack

from . import traffic
from .servers import Apus, Failed, Process, cpu_seconds, wait_for

BURST = 16
PAYLOAD = 128


class Fanout:
    """`rate` bursts a second of 16 messages to `subscribers` sockets of each node."""

    def __init__(self, program, nats, subscribers, rate, seconds):
        self.program, self.nats = program, nats
        self.subscribers, self.rate, self.seconds = subscribers, rate, seconds

    def single(self):
        """A server by itself."""
        with Apus(self.program) as server:
            return self._measure([server], [])

    def nodes(self, count):
        """A cluster, published to at the first node, with subscribers at all."""
        with ExitStack() as stack:
            nodes = [stack.enter_context(Apus(self.program, self.nats, f"fan{count}")) for _ in range(count)]
            return self._measure(nodes, self.nats.pids)

    def _measure(self, servers, others):
        topic = f"fan-{time.monotonic_ns()}"
        servers[0].make_topics([topic], history=1000)
        wait_for(lambda: all(server.has_topics([topic]) for server in servers), "the topic on all nodes")
        with ExitStack() as stack:
            drains = [
                stack.enter_context(traffic.Drain(traffic.subscribers(server.port, topic, self.subscribers)))
                for server in servers
            ]
            publisher = stack.enter_context(traffic.websocket(servers[0].port))
            text = f'{{"type":"publish","topic":"{topic}","message":{{"id":"6f1c0a5e-0000-4000-8000-000000000001","payload":"{"x" * (PAYLOAD - 2)}"}}}}'
            return self._run(publisher, traffic.frame(text) * BURST, [server.pid for server in servers], others, drains,
                             lambda: [server.metric("apus_messages_delivered_total") for server in servers])

    def _run(self, publisher, burst, pids, others, drains, delivered):
        traffic.bursts(publisher, burst, self.rate, self.seconds / 4)
        self._settle(drains)
        before, begin = [cpu_seconds(pid) for pid in pids], time.monotonic()
        beside, counts = sum(map(cpu_seconds, others)), delivered()
        taken = sum(drain.bytes for drain in drains)
        sent = traffic.bursts(publisher, burst, self.rate, self.seconds) * BURST
        self._settle(drains)
        seconds = time.monotonic() - begin
        counts = [now - then for now, then in zip(delivered(), counts)]
        cpu = [cpu_seconds(pid) - then for pid, then in zip(pids, before)]
        expected = sent * self.subscribers
        if any(count != expected for count in counts):
            raise Failed(f"{counts} deliveries in place of {expected} each")
        return {
            "cpu_us_per_delivery": sum(cpu) / sum(counts) * 1e6,
            "cpu_us_per_delivery_by_node": [used / count * 1e6 for used, count in zip(cpu, counts)],
            "deliveries_per_core_second": sum(counts) / sum(cpu),
            "deliveries_per_second": sum(counts) / seconds,
            "nats_cpu_us_per_publish": (sum(map(cpu_seconds, others)) - beside) / sent * 1e6,
            "bytes_per_delivery": (sum(drain.bytes for drain in drains) - taken) / sum(counts),
        }

    @staticmethod
    def _settle(drains):
        """Until nothing comes any more."""
        last, quiet = -1, 0
        end = time.monotonic() + 20
        while quiet < 5:
            now = sum(drain.bytes for drain in drains)
            quiet, last = (quiet + 1, last) if now == last else (0, now)
            if time.monotonic() > end:
                raise Failed("subscribers are behind after 20 s: lower --rate or --subscribers")
            time.sleep(0.05)

    def floor(self, program, size):
        """Messages of core NATS, as large as the events of Apus, copied to as many sockets."""
        subject = f"fan{time.monotonic_ns()}"
        with Process([program, self.nats.ports[0], subject], stdout=subprocess.PIPE) as server, ExitStack() as stack:
            port = int(server.process.stdout.readline())
            sockets = [traffic.connect(port) for _ in range(self.subscribers)]
            drain = stack.enter_context(traffic.Drain(sockets))
            publisher = stack.enter_context(traffic.connect(self.nats.ports[0]))
            body = "x" * (round(size) - 4)
            burst = f"PUB {subject} {len(body)}\r\n{body}\r\n".encode() * BURST
            publisher.sendall(b'CONNECT {"verbose":false}\r\n')
            time.sleep(0.2)
            return self._run(publisher, burst, [server.pid], self.nats.pids, [drain],
                             lambda: [drain.bytes / (len(body) + 4)])
