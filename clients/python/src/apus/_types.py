"""What a client hands out: messages, notices, positions, outcomes."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from ._errors import ApusError

Overflow: TypeAlias = Literal["drop-oldest", "drop-newest", "latest", "disconnect", "throttle"]
Stored: TypeAlias = Literal["memory", "os", "disk", "replicated"]
State: TypeAlias = Literal["idle", "connecting", "open", "waiting", "closed"]
WhenFull: TypeAlias = Literal["wait", "drop-oldest"]
#: Returns a token (JWT), now or later. See `Client`.
TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]


class Position(NamedTuple):
    """A place in a topic's log. Keep that of the last message you handled, and a later `subscribe` goes on after it.

    `str(position)` is `EPOCH:OFFSET`, which `Position.parse` reads, and which HTTP and event streams take as well.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that `str` wrote. Raises `ValueError` for anything else."""
        epoch, colon, offset = text.rpartition(":")
        if not (epoch and colon and offset.isascii() and offset.isdigit()):
            raise ValueError(f"not a position, which is EPOCH:OFFSET: {text!r}")
        return cls(epoch, int(offset))


#: Where a subscription starts: after a position, at a time, that long ago (`"10m"`, or a timedelta), or with `"all"`.
Since: TypeAlias = Position | str | datetime.datetime | datetime.timedelta


@dataclass(slots=True)
class Message:
    """A message that was published to a topic."""

    topic: str
    #: The publication's id: a UUID, unless it was published by HTTP or in the v1 dialect.
    id: str
    #: Any JSON value.
    payload: Any
    #: All of the publication, with whatever else its publisher put beside `id` and `payload`.
    message: dict[str, Any]
    #: When it was published, by the server's clock: RFC 3339 in UTC with milliseconds.
    ts: str
    key: str | None = None
    #: In the topic's log: 1, 2, 3, … None under a pattern, as is `epoch`.
    offset: int | None = None
    epoch: str | None = None

    @property
    def position(self) -> Position | None:
        """What to store in order to go on after this message. None under a pattern."""
        if self.offset is None or self.epoch is None:
            return None
        return Position(self.epoch, self.offset)

    @property
    def time(self) -> datetime.datetime:
        """`ts` as an aware datetime."""
        return datetime.datetime.fromisoformat(self.ts)


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may be missing here: history did not reach back far enough, the topic started over, or a pattern was
    away."""

    topic: str
    #: First and last offset that are gone, where that is known.
    missed: tuple[int, int] | None = None
    #: Where the subscription goes on.
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Messages were dropped here, by the server's policy, or by this client's under `when_full="drop-oldest"`."""

    topic: str
    dropped: int
    #: First and last offset of what was dropped, where there are offsets.
    missed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TopicDeleted:
    """The topic was deleted. This ends its subscription, unless that has `wait`; a pattern's goes on."""

    topic: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The topic is not there (any more), and the subscription waits for it. Told once, until it is there."""

    topic: str


@dataclass(frozen=True, slots=True)
class TopicCreated:
    """The topic that was waited for is there; its messages follow."""

    topic: str
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """Another subscriber came or went. Only with `presence=True`."""

    topic: str
    change: Literal["joined", "left"]
    client_id: str


@dataclass(frozen=True, slots=True)
class SlowConsumer:
    """The server will cut this subscription under `overflow="disconnect"` if it does not catch up."""

    topic: str
    #: Messages.
    lag: int
    queue: int


Notice: TypeAlias = Gap | Dropped | TopicDeleted | Waiting | TopicCreated | Presence | SlowConsumer


@dataclass(slots=True)
class Outcome:
    """What became of a publication."""

    topic: str
    #: Of the message, or of the first of a batch.
    id: str
    #: Of the message, or of the first new one of a batch; "" and 0 from a server without positions.
    epoch: str
    offset: int
    #: Subscriptions that it matched. It does not mean that they have it.
    subscribers: int
    #: Where it was at the time of the acknowledgement, and so what it survives.
    stored: Stored
    #: It was published before, and was not delivered again. Of a batch: all of it.
    duplicate: bool
    #: By the server's clock: RFC 3339.
    ts: str
    #: Messages, and how many of them had been published before.
    count: int = 1
    duplicates: int = 0
    #: Of all messages of a batch, in order.
    ids: tuple[str, ...] = ()

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A connection of the client was made, lost, or given up."""

    state: State
    #: What the connection is for.
    connection: Literal["publish", "subscribe", "none"]
    #: Of `waiting`: seconds until the next attempt.
    delay: float | None = None
    #: Of `waiting` and `closed`: why.
    error: ApusError | None = None


def since_field(since: Since) -> dict[str, Any] | str:
    """What the protocol has for it."""
    match since:
        case Position(epoch, offset):
            return {"epoch": epoch, "offset": offset}
        case datetime.datetime():
            if since.tzinfo is None:
                raise ValueError("since: a datetime needs a time zone, such as datetime.now(timezone.utc)")
            return since.isoformat()
        case datetime.timedelta():
            return f"{max(1, round(since.total_seconds() * 1000))}ms"
        case str():
            return since
    raise TypeError(f"since: a Position, a text, a datetime or a timedelta, not {type(since).__name__}")


def count_of(value: Any) -> int | None:
    """An integer of at least zero; None for anything else that a server may send."""
    return value if type(value) is int and value >= 0 else None


def range_of(data: Any) -> tuple[int, int] | None:
    """The members `from` and `to`, where both are there."""
    if not isinstance(data, dict):
        return None
    first, last = count_of(data.get("from")), count_of(data.get("to"))
    return None if first is None or last is None else (first, last)
