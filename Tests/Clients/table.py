"""The scenarios that every client must pass, each by all of them at once against one server.

A step is a word and what belongs to it. Each client has a topic of its own, and a way to the server that can be cut.

    topic SETTINGS       the test makes each client's topic
    delete, gone         the test deletes it; it is not there (any more)
    subscribe OPTIONS    the client subscribes, and the server has it
    pause, resume        the program that uses the client takes no more events; takes them again
    outside PAYLOADS     the test publishes over HTTP
    publish PAYLOADS     the client publishes, and has the outcome of each
    offer PAYLOADS       the client publishes, and waits for nothing
    outcomes OFFSETS     of what was offered, in order
    twice                the client publishes two messages with one id; the second outcome is `duplicate`
    too_big BYTES        the client publishes such a message, and it alone is refused
    cut, shut, open      all connections break; and no new ones are made; and they are again
    stop, kill, start    the server says goodbye and ends; is killed; another one has its place (and its folder)
    elsewhere SETTINGS   the test makes each client's topic on the other server of the client's list
    move                 from now on, the test talks to that one
    lost REASON          the client says that its connection ended, for this reason where one is given
    token LIFETIME       the client's token from now on; at first it ends after a second
    expect ITEMS         what comes to the subscriber: payloads, and notices by their names, in their order
    accounted COUNT      everything up to this offset comes, or is said to be missing; in order, nothing twice
    log PAYLOADS         what the topic has kept in the end
    ended                the subscription is over
"""

from dataclasses import dataclass, field

MANY = list(range(300))


def gap(*missed):
    return {"notice": "gap", "missed": list(missed) or None}


WAITING, CREATED, DELETED = ({"notice": name} for name in ("waiting", "topicCreated", "topicDeleted"))


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: list
    flags: list = field(default_factory=list)
    # Keeps its folder over a restart.
    has_data: bool = False
    # Clients have a list of two servers, which share nothing.
    has_other: bool = False
    asks_for_tokens: bool = False


SCENARIOS = [
    Scenario("cut again and again, every message comes once and in order", [
        ("topic", {"history": 10_000}), ("subscribe", {}),
        *[step for first in range(0, 300, 100) for step in
          (("outside", MANY[first:first + 50]), ("cut",), ("outside", MANY[first + 50:first + 100]))],
        ("expect", MANY),
    ]),
    Scenario("a server with a folder comes back, and nothing is lost", [
        ("topic", {"dedupe_window": "10m"}), ("subscribe", {}), ("publish", [1]), ("expect", [1]),
        ("stop",), ("lost", None), ("offer", [2, 3]), ("start",), ("outcomes", [2, 3]), ("expect", [2, 3]),
        ("kill",), ("start",), ("publish", [4]), ("expect", [4]), ("log", [1, 2, 3, 4]),
    ], has_data=True),
    Scenario("a server in memory comes back, and the topic is waited for", [
        ("topic", {}), ("subscribe", {}), ("publish", [1]), ("expect", [1]),
        ("kill",), ("start",), ("expect", [WAITING]), ("offer", [2]), ("topic", {}), ("outcomes", [1]),
        ("expect", [gap(), CREATED, 2]),
    ]),
    Scenario("a drain is followed, and nothing is lost", [
        ("topic", {}), ("subscribe", {}), ("outside", [1]), ("expect", [1]),
        ("stop",), ("lost", "SHUTDOWN"), ("start",), ("outside", [2]), ("expect", [2]),
    ], flags=["--reconnect-rate", "100000"], has_data=True),
    Scenario("one of several servers goes away, and the next one takes its place", [
        ("topic", {}), ("elsewhere", {}), ("subscribe", {}), ("publish", [1]), ("expect", [1]),
        ("stop",), ("lost", "SHUTDOWN"), ("move",), ("outside", [2]), ("expect", [gap(), 2]),
        ("publish", [3]), ("expect", [3]), ("cut",), ("outside", [4]), ("expect", [4]), ("log", [2, 3, 4]),
    ], flags=["--reconnect-rate", "100000"], has_other=True),
    Scenario("one of several servers is killed, and passed over", [
        ("elsewhere", {}), ("kill",), ("move",), ("subscribe", {}), ("publish", [1]), ("expect", [1]),
    ], has_other=True),
    Scenario("a token that ends is replaced, and nothing is lost", [
        ("topic", {}), ("subscribe", {}), ("outside", [1]), ("expect", [1]),
        ("lost", "TOKEN_EXPIRED"), ("token", "1h"), ("outside", [2]), ("expect", [2]),
    ], asks_for_tokens=True),
    Scenario("a slow reader whose queue is long enough loses nothing", [
        ("topic", {"history": 10_000}), ("subscribe", {"queue": 10_000}), ("pause",),
        *[("outside", [[n, "x" * 2000] for n in range(first, first + 200)]) for first in range(0, 3000, 200)],
        ("resume",), ("expect", [[n, "x" * 2000] for n in range(3000)]),
    ]),
    Scenario("a slow reader is told what it missed", [
        ("topic", {"history": 20}), ("subscribe", {"queue": 10}), ("pause",),
        # More than the system's buffers hold on the way.
        *[("outside", [[n, "x" * 20_000] for n in range(first, first + 40)]) for first in range(0, 2400, 40)],
        ("resume",), ("accounted", 2400), ("outside", ["last"]), ("expect", ["last"]),
    ]),
    Scenario("a topic is gone and back, and its subscriber waits", [
        ("topic", {}), ("subscribe", {"wait": True}), ("outside", [1]), ("delete",),
        ("expect", [1, DELETED, WAITING]), ("topic", {}), ("outside", [2]), ("expect", [CREATED, 2]),
        ("cut",), ("outside", [3]), ("expect", [3]),
    ]),
    Scenario("a topic that is not there yet is waited for, over lost connections too", [
        ("subscribe", {"wait": True}), ("expect", [WAITING]), ("cut",), ("gone",), ("topic", {}), ("outside", [1, 2]),
        ("expect", [CREATED, 1, 2]),
    ]),
    Scenario("a deletion ends a subscription that does not wait", [
        ("topic", {}), ("subscribe", {}), ("outside", [1]), ("expect", [1]), ("delete",), ("ended",),
    ]),
    Scenario("what history no longer has is a gap that says what", [
        ("topic", {"history": 5}), ("subscribe", {}), ("outside", [1]), ("expect", [1]),
        ("shut",), ("lost", None), ("outside", list(range(2, 22))), ("open",),
        ("expect", [gap(2, 16), 17, 18, 19, 20, 21]),
    ]),
    Scenario("offline publications go out in their order", [
        ("topic", {"dedupe_window": "10m"}), ("publish", [0]), ("shut",), ("lost", None), ("offer", [1, 2, 3]),
        ("open",), ("outcomes", [2, 3, 4]), ("log", [0, 1, 2, 3]),
    ]),
    Scenario("what is sent again after a lost connection is taken once", [
        ("topic", {"dedupe_window": "10m", "history": 10_000}), ("publish", [0]),
        *[step for first in range(1, 301, 100) for step in (("offer", list(range(first, first + 100))), ("cut",))],
        ("outcomes", list(range(2, 302))), ("log", list(range(301))), ("twice",),
    ]),
    Scenario("a message that is too large is refused alone", [
        ("topic", {}), ("publish", [1]), ("too_big", 8_000_000), ("publish", [2]), ("log", [1, 2]),
    ], flags=["--max-message", "100KiB"]),
]  # fmt: skip
