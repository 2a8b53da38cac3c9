"""Publications without an acknowledgement, and the lanes in which they wait for a topic or a rate limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from ._errors import ApusError
from ._types import Outcome

#: The codes of refusals for the time being.
UNAVAILABLE = ("UNAVAILABLE", "RATE_LIMITED")


@dataclass(slots=True, eq=False)
class Entry:
    """A publication, or a batch of them."""

    request: int
    topic: str
    text: str
    #: Bytes of `text`.
    size: int
    #: Of its messages.
    ids: tuple[str, ...]
    is_batch: bool
    #: Seconds that it waits for its topic, where it was said.
    wait: float | None
    done: asyncio.Future[Outcome]
    is_sent: bool = False
    #: Whether it waits for its topic without having been told to.
    is_patient: bool = False
    deadline: float | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """Of a topic: the publication that goes ahead, and those that wait until it is answered."""

    scout: Entry
    behind: list[Entry] = field(default_factory=list)
    attempt: int = 0
    #: How many may follow once the scout is through; None for all.
    batch: int | None = None
    #: Why the scout waits, since when it is not on its way.
    error: ApusError | None = None
    timer: Timer | None = None
    due: float = 0.0

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an event loop that is needed."""

    def time(self) -> float: ...
    def call_later(self, delay: float, callback: Any, *args: Any) -> Timer: ...
    def create_future(self) -> asyncio.Future[Any]: ...


def outcome(entry: Entry, reply: dict[str, Any]) -> Outcome:
    """What the ack says of it."""
    get = reply.get
    count, is_duplicate = len(entry.ids), get("duplicate") is True
    return Outcome(
        entry.topic,
        entry.ids[0],
        get("epoch") or "",
        get("offset") or 0,
        get("subscribers") or 0,
        get("stored") or "memory",
        is_duplicate,
        get("ts") or get("timestamp") or "",
        count,
        get("duplicates") or (count if is_duplicate else 0),
        entry.ids if entry.is_batch else (),
    )
