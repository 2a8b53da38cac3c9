"""How many nodes a number of subscribers takes, what that asks of NATS, and what is full first.

Pure: figures that were measured and assumptions go in, numbers come out. Every node reads every pack, so what a pack
costs a node does not become less with more nodes; only connections and deliveries are shared.
"""

from dataclasses import dataclass
from math import ceil

GIB, GIGABIT = 1 << 30, 1e9
# More nodes than these are no answer.
MOST_NODES = 1_000
HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Load:
    """What subscribers want: topics have so many subscribers each, and so many messages a second."""

    name: str
    subscribers_per_topic: int
    messages_per_topic: float
    payload: int = 128
    kept_per_topic: int = 100

    def topics(self, subscribers):
        return max(1, ceil(subscribers / self.subscribers_per_topic))

    def publishes(self, subscribers):
        return self.topics(subscribers) * self.messages_per_topic


LOADS = (
    Load("rooms: 50 subscribers a topic, a message in 10 s", 50, 0.1),
    Load("feeds: 10,000 subscribers a topic, a message a second", 10_000, 1),
)


@dataclass(frozen=True)
class Machine:
    """A machine of a node or of a NATS server, and how much of it may be used."""

    cores: int = 8
    memory: int = 32 * GIB
    network: float = 10 * GIGABIT
    share: float = 0.6
    connections: int = 100_000
    price_per_hour: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What was measured, each in the unit of its name."""

    connection_bytes: float
    # What the kernel has of a connection, beside the process.
    kernel_connection_bytes: float
    topic_bytes: float
    kept_message_bytes: float
    delivery_us: float
    delivery_bytes: float
    publish_us: float
    other_publish_us: float
    pack_bytes: float
    nats_us: float
    nats_us_per_node: float
    nats_topic_bytes: float

    @staticmethod
    def read(document):
        return Figures(**{name: figure["value"] for name, figure in document["figures"].items()})


def usage(figures, load, machine, subscribers, nodes, servers=3):
    """The share of each thing that is used of what may be used: 1 is full."""
    topics, publishes = load.topics(subscribers), load.publishes(subscribers)
    deliveries = publishes * load.subscribers_per_topic
    connections = ceil(subscribers / nodes)
    own = publishes / nodes
    microseconds = (
        deliveries / nodes * figures.delivery_us
        + own * figures.publish_us
        + (publishes - own) * figures.other_publish_us
    )
    history = topics * load.kept_per_topic * figures.kept_message_bytes
    connection = figures.connection_bytes + figures.kernel_connection_bytes
    node_bytes = connections * connection + topics * figures.topic_bytes + history
    packs_out = publishes * figures.pack_bytes * nodes
    copies = publishes * figures.pack_bytes * (servers - 1)
    nats_us = publishes * (figures.nats_us + nodes * figures.nats_us_per_node)
    allowed = machine.cores * 1e6 * machine.share
    return {
        "connections of a node": connections / machine.connections,
        "processors of a node": microseconds / allowed,
        "memory of a node": node_bytes / (machine.memory * machine.share),
        "network of a node": 8 * (deliveries / nodes * figures.delivery_bytes + publishes * figures.pack_bytes)
        / (machine.network * machine.share),
        "processors of NATS": nats_us / (servers * allowed),
        "network of NATS": 8 * (packs_out + copies) / (servers * machine.network * machine.share),
        "memory of NATS": topics * figures.nats_topic_bytes / (servers * machine.memory * machine.share),
    }


@dataclass(frozen=True)
class Plan:
    subscribers: int
    topics: int
    # One more than are needed, so that one may be away.
    nodes: int
    usage: dict
    nats_gigabits: float
    node_bytes: float
    cost_per_month: float
    fits: bool

    @property
    def fullest(self):
        return max(self.usage, key=self.usage.get)


def plan(figures, load, machine, subscribers, servers=3):
    """The fewest nodes with which nothing is full though one is away; if there are none, those with which least is."""
    needed, fullest = 0, float("inf")
    # Judged with one away: that is when something is full.
    for count in range(1, MOST_NODES):
        used = max(usage(figures, load, machine, subscribers, count, servers).values())
        if used < fullest:
            needed, fullest = count, used
        if used <= 1:
            break
    fits, nodes = fullest <= 1, needed + 1
    # With one more than the best number, what grows with the nodes is in front of what they share.
    used = usage(figures, load, machine, subscribers, needed if fits else nodes, servers)
    publishes = load.publishes(subscribers)
    return Plan(
        subscribers=subscribers,
        topics=load.topics(subscribers),
        nodes=nodes,
        usage=used,
        nats_gigabits=8 * publishes * figures.pack_bytes * (nodes + servers - 1) / GIGABIT,
        node_bytes=used["memory of a node"] * machine.memory * machine.share,
        cost_per_month=(nodes + servers) * machine.price_per_hour * HOURS_A_MONTH,
        fits=fits,
    )


def limit(figures, load, machine, servers=3):
    """The most subscribers that any number of nodes can have, and what is full with more."""
    low, high = 1, 1 << 20
    while plan(figures, load, machine, high, servers).fits and high < 1 << 40:
        low, high = high, high * 2
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if plan(figures, load, machine, middle, servers).fits else (low, middle)
    return low, plan(figures, load, machine, high, servers).fullest


def take(document, result):
    """The document with the figures of a result of Benchmarks/cluster in place of those of an earlier one."""
    found, figures = result["figures"], dict(document["figures"])
    source = {key: result[key] for key in ("command", "date", "commit", "machine", "load")}

    def put(name, value):
        figures[name] = {"value": round(value, 3), "source": source}

    if "shares" in found:
        rows = [found["shares"][name] for name in ("1 node", "2 nodes", "3 nodes")]
        slope = max(0, (rows[2]["nats_us_per_pack"] - rows[0]["nats_us_per_pack"]) / 2)
        put("publish_us", rows[0]["node_us_per_pack"])
        put("other_publish_us", (rows[1]["other_node_us_per_pack"] + rows[2]["other_node_us_per_pack"]) / 2)
        put("pack_bytes", rows[0]["bytes_per_pack"])
        put("nats_us", max(0, rows[0]["nats_us_per_pack"] - slope))
        put("nats_us_per_node", slope)
    if "fanout" in found:
        put("delivery_bytes", found["fanout"]["1 node"]["bytes_per_delivery"])
    if "scale" in found:
        put("topic_bytes", found["scale"]["start_bytes_per_topic"])
        put("nats_topic_bytes", found["scale"]["nats_bytes_per_topic_of_three"])
    return document | {"figures": figures}
