"""How long an ack takes, and how much 16 busy topics can do, on a node and on JetStream itself."""

import json
import subprocess
from contextlib import ExitStack

from .servers import Apus, Failed, cpu_seconds, wait_for

GENERATOR_LIMIT = 60
COUNTS = ("commits", "committed_messages", "committed_bytes")


def generate(program, protocol, port, **options):
    """The figures of ack-load; see peers/ack-load."""
    words = [f"--{name}={value}" for name, value in {"protocol": protocol, "port": port, **options}.items()]
    run = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=GENERATOR_LIMIT)
    if run.returncode:
        raise Failed(run.stderr.strip() or f"ack-load ended with status {run.returncode}")
    found = json.loads(run.stdout)
    if found["refusals"] or found["answers"] != found["sent"] or not found["counted_answers"]:
        raise Failed(f"of {found['sent']} publishes {found['answers']} were acknowledged, {found['refusals']} refused")
    return {
        "per_second": found["counted_answers"] / found["measured_ns"] * 1e9,
        "p50_ms": found["p50_us"] / 1000,
        "p99_ms": found["p99_us"] / 1000,
    }


class Acks:
    """The same generator at a node and at the server of NATS that the node is connected to."""

    def __init__(self, program, nats, node, seconds):
        self.program, self.nats, self.node = program, nats, node
        self.times = {"warmup": min(0.5, seconds / 3), "duration": seconds}

    def prepare(self, topics):
        names = [f"load.{number:06}" for number in range(topics)]
        self.node.make_topics(names, history=1000)
        self.nats.make_streams("raw", topics)

    def apus(self, **load):
        before = [self.node.metric(f"apus_{name}_total") for name in COUNTS]
        cpu = cpu_seconds(self.node.pid)
        figures = generate(self.program, "apus", self.node.port, prefix="load", **load, **self.times)
        packs, messages, size = (
            self.node.metric(f"apus_{name}_total") - count for name, count in zip(COUNTS, before)
        )
        if not packs:
            raise Failed("the node counts no commits")
        return figures | {
            "messages_per_pack": messages / packs,
            "bytes_per_pack": size / packs,
            "node_cpu_us_per_publish": (cpu_seconds(self.node.pid) - cpu) / messages * 1e6,
        }

    def raw(self, size, **load):
        return generate(self.program, "nats", self.nats.ports[0], prefix="raw", size=size, **load, **self.times)

    def one_at_a_time(self):
        """A window of 1: the node's ack, and JetStream's ack of a message of the pack's size."""
        apus = self.apus(topics=1, pubs=1, window=1, size=128)
        return {"apus": apus, "jetstream": self.raw(round(apus["bytes_per_pack"]), topics=1, pubs=1, window=1)}

    def busy_topics(self, topics=16, window=64):
        """All topics busy: the node, and JetStream with a pack of that size in flight for each topic."""
        apus = self.apus(topics=topics, pubs=topics, window=window, size=128)
        raw = self.raw(round(apus["bytes_per_pack"]), topics=topics, pubs=topics, window=1)
        raw["messages_per_second"] = raw["per_second"] * apus["messages_per_pack"]
        return {"apus": apus, "jetstream": raw}


def shares(generator, program, nats, count, seconds, topics=16):
    """Processor time of a pack with one message: of the node that takes it, of each other node, and of NATS."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(Apus(program, nats, f"shares{count}")) for _ in range(count)]
        names = [f"load.{number:06}" for number in range(topics)]
        nodes[0].make_topics(names, history=1000)
        wait_for(lambda: all(node.has_topics(names) for node in nodes), "the topics on all nodes")
        acks = Acks(generator, nats, nodes[0], seconds)
        others, servers = [node.pid for node in nodes[1:]], nats.pids
        packs = nodes[0].metric("apus_commits_total")
        before = [sum(map(cpu_seconds, pids)) for pids in (others, servers)]
        figures = acks.apus(topics=topics, pubs=topics, window=1, size=128)
        used = [sum(map(cpu_seconds, pids)) - then for pids, then in zip((others, servers), before)]
        packs = nodes[0].metric("apus_commits_total") - packs
        return {
            "publishes_per_second": figures["per_second"],
            "bytes_per_pack": figures["bytes_per_pack"],
            "node_us_per_pack": figures["node_cpu_us_per_publish"] * figures["messages_per_pack"],
            "other_node_us_per_pack": used[0] / packs / len(others) * 1e6 if others else 0,
            "nats_us_per_pack": used[1] / packs * 1e6,
        }
