"""What the clients of a soak counted, and how the server's counters must compare with it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from prometheus import OUTCOMES, books


@dataclass(frozen=True)
class Row:
    """One line of the balance: the server's figure must be at least the first, at most the last."""

    name: str
    least: float
    server: float
    most: float

    @property
    def is_right(self):
        return self.least <= self.server <= self.most

    def __str__(self):
        clients = f"{self.least:,.0f}" if self.least == self.most else f"{self.least:,.0f} to {self.most:,.0f}"
        return f"{'  ' if self.is_right else '! '}{self.name:<58}{clients:>22}{self.server:>14,.0f}"


def exact(name, clients, server):
    return Row(name, clients, server, clients)


@dataclass
class Books:
    """Counts by name and label, as the server labels its own."""

    counts: defaultdict = field(default_factory=lambda: defaultdict(Counter))
    # By topic and epoch: what each offset holds. A message that may go missing without a word is in `silent`.
    logs: defaultdict = field(default_factory=lambda: defaultdict(dict))
    silent: set = field(default_factory=set)
    # What is wrong whatever the counters say.
    faults: list = field(default_factory=list)
    # What may have been delivered besides what was received: events that clients which vanished did not read, and
    # messages of requests that wait, unless they were there already.
    uncertain: int = 0
    # Event streams of which nothing was read: they may have been refused.
    unseen: int = 0
    # Publishes whose answer nobody read, so that each was sent a second time.
    unanswered: int = 0

    def count(self, name, label="", number=1):
        self.counts[name][label] += number

    def total(self, name):
        return self.counts[name].total()

    def fault(self, text):
        if len(self.faults) < 100:
            self.faults.append(text)

    def publish(self, topic, answer, ids, is_silent=False):
        """The outcome of a publish of these messages, all of which were taken."""
        for number, identifier in enumerate(ids):
            place = (topic, answer["epoch"], answer["offset"] + number)
            log = self.logs[place[:2]]
            if place[2] in log:
                self.fault(f"{topic}: offset {place[2]} was given out twice")
            log[place[2]] = identifier
            if is_silent:
                self.silent.add(place)
        self.count("published", number=len(ids))
        self.count("matched", number=len(ids) * answer["subscribers"])

    def head(self, topic, epoch):
        return max(self.logs[topic, epoch], default=0)

    def rows(self, told):
        """The balance: what clients counted, and what the server did."""
        yield from self._messages(told)
        for name, metric, label in (
            ("connections closed", "apus_connections_closed_total", "reason"),
            ("handshakes refused", "apus_handshakes_refused_total", "reason"),
            ("connections refused", "apus_connections_refused_total", "reason"),
            ("TLS handshakes", "apus_tls_handshakes_total", "result"),
            ("reloads", "apus_config_reloads_total", "result"),
            ("rate limited", "apus_rate_limited_total", "limit"),
        ):
            yield from self._labelled(name, told.labelled(metric, label))
        errors = told.labelled("apus_errors_total", "code")
        yield from self._labelled("errors", errors, {"UNAVAILABLE": self.unseen})
        commands = told.labelled("apus_commands_total", "type")
        yield from self._labelled("commands", commands, {"publish": self.unanswered})
        requests = Counter()
        for (name, labels), value in told.samples.items():
            if name == "apus_http_requests_total":
                labels = dict(labels)
                requests[f"{labels['method']} {labels['status']}"] += value
        yield from self._labelled("requests", requests)
        opened = told["apus_connections_opened_total"]
        yield exact("WebSockets opened", self.total("opened"), opened)
        yield exact("WebSockets opened = closed, over all reasons", opened, told["apus_connections_closed_total"])

    def _labelled(self, name, server, spare=None):
        mine = self.counts[name]
        for label in sorted({*mine, *server}):
            if mine[label] or server[label]:
                yield Row(f"{name}: {label}", mine[label], server[label], mine[label] + (spare or {}).get(label, 0))

    def _messages(self, told):
        known = self.total("duplicates")
        came, went = books(told)
        dropped = told.labelled("apus_messages_dropped_total", "reason")
        for reason in ("drop-oldest", "drop-newest"):
            yield exact(f"messages dropped: {reason}", self.counts["told"][reason], dropped[reason])
        skipped = told["apus_messages_expired_total"] + told["apus_messages_conflated_total"]
        yield exact("messages published", self.total("published"), told["apus_messages_published_total"])
        yield Row("messages that were repeats", known, told["apus_messages_duplicate_total"], known + self.unanswered)
        yield exact("messages matched", self.total("matched"), told["apus_messages_matched_total"])
        received = self.total("received")
        yield Row("messages delivered", received, told["apus_messages_delivered_total"], received + self.uncertain)
        yield exact("messages left out: expired, or there was a newer one", self.total("left out"), skipped)
        yield exact("messages left out: the subscriber's own", self.total("own"), told["apus_messages_own_total"])
        yield exact("matched + replayed = " + " + ".join(name.removesuffix("_total") for name in OUTCOMES), came,
                    sum(went.values()))


GAUGES = ("apus_connections", "apus_subscriptions", "apus_subscriptions_waiting", "apus_filters", "apus_topics",
          "apus_messages_pending", "apus_lag_messages_max", "apus_throttled_publishers", "apus_held_publishers",
          "apus_log_bytes", "apus_memory_full", "apus_memory_cut_connections_total")


def left(told):
    """The gauges that are not 0 though nobody is there."""
    parts = told.labelled("apus_memory_bytes", "part")
    values = {name: told[name] for name in GAUGES} | {f"memory: {part}": parts[part] for part in ("logs", "inputs")}
    return {name: value for name, value in values.items() if value}


class Account:
    """What one reader got of a topic, over all its connections: each offset once, in order, or announced as missing."""

    def __init__(self, books, topic, name, may_skip=False):
        self.books, self.topic, self.name, self.may_skip = books, topic, name, may_skip
        self.epoch, self.next, self.told = None, None, 0
        self.got = []
        self.skipped = []

    @property
    def position(self):
        return {"epoch": self.epoch, "offset": self.next - 1}

    def begin(self, epoch, offset):
        self.epoch, self.next = epoch, offset + 1

    def resumed(self, ack):
        """What the server says about a position that it was given."""
        if ack["epoch"] != self.epoch:
            self.fault(f"epoch {ack['epoch']} where {self.epoch} was")
        if not ack["recovered"]:
            missed = ack.get("missed", {"from": 0, "to": 0})
            self.missing(missed["from"], missed["to"])

    def event(self, offset, identifier):
        if self.next is None:
            self.fault(f"offset {offset} before a position")
            return
        if offset < self.next:
            self.fault(f"offset {offset} again, {self.next} was due")
            return
        self.skipped += range(self.next, offset)
        self.got.append((self.epoch, offset, identifier))
        self.next = offset + 1

    def missing(self, first, last, is_told=False):
        if first < self.next or last < first:
            self.fault(f"a gap from {first} to {last}, {self.next} was due")
            return
        self.skipped += range(self.next, first)
        self.next = last + 1
        self.told += (last - first + 1) if is_told else 0

    def fault(self, text):
        self.books.fault(f"{self.name} at {self.topic}: {text}")

    def settle(self, is_complete=True):
        """At the end: everything was what was published there, and nothing is missing up to the last message."""
        log = self.books.logs[self.topic, self.epoch]
        for epoch, offset, identifier in self.got:
            if self.books.logs[self.topic, epoch].get(offset) != identifier:
                self.fault(f"offset {offset} has another message than was published")
        for offset in self.skipped:
            if not self.may_skip and (self.topic, self.epoch, offset) not in self.books.silent:
                self.fault(f"offset {offset} came neither as an event nor in a gap")
        if is_complete and self.epoch and self.next != (head := max(log, default=0)) + 1:
            self.fault(f"due up to {head}, got to {self.next - 1}")
