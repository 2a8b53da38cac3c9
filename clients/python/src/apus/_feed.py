"""One subscription as the connection sees it: where it is in its topic, and what the consumer has not taken yet.

    away ──▶ joining ──▶ live ◀──▶ waiting (for its topic)
      ▲         │          │          │
      └─────────┴──────────┴──────────┘  the connection is lost          ended: for good

It does no I/O and knows no clock: `Host` sends its commands and asks again later.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal, TypeAlias

from ._buffer import Buffer, Item
from ._errors import ApusError, error, refusal
from ._roles import Host
from ._types import (
    Dropped,
    Gap,
    Message,
    Notice,
    Position,
    TopicCreated,
    TopicDeleted,
    Waiting,
    count_of,
    range_of,
)
from ._wishes import Wishes, first_part

Stage: TypeAlias = Literal["away", "joining", "live", "waiting", "ended"]


class Feed:
    def __init__(self, topic: str, wishes: Wishes, loop: asyncio.AbstractEventLoop) -> None:
        self.topic = topic
        self.tokens = topic.split(".")
        self.is_pattern = "*" in topic or ">" in topic
        self.host: Host | None = None
        self.stage: Stage = "away"
        #: Done when the server has answered the first time.
        self.ready: asyncio.Future[None] = loop.create_future()
        # The last message that the consumer took, and the position of what else it took since, or of the start.
        self._taken: Message | None = None
        self._started: Position | None = None
        #: Why it ended, if not by `close`; for the first who asks.
        self.failure: ApusError | None = None
        self.waiters: list[asyncio.Future[None]] = []
        self.buffer = Buffer(topic, wishes.buffer, wishes.buffer_bytes, wishes.when_full)
        self.wishes = wishes
        # The position of the last event taken in: where the next connection goes on. None with a pattern.
        self._epoch: str | None = None
        self._offset = 0
        # Whether the server acknowledged it once: from then on the position says where to go on, and not the wishes.
        self._is_known = False
        # The connection on which its topic was last there, and whether it ever was.
        self._live_on: int | None = None
        self._was_live = False
        # Whether its topic was not there when last asked for, and whether the consumer knows.
        self._is_absent = False
        self._is_absence_told = False
        self._asked: dict[str, Any] = {}
        self._attempts = 0

    @property
    def position(self) -> Position | None:
        """Of the last item that the consumer took; before, where the subscription started."""
        return self._started if self._taken is None else self._taken.position

    # Commands.

    def ask(self) -> dict[str, Any]:
        """The command that subscribes."""
        wishes, command = self.wishes, first_part(self.topic, self.wishes, is_pattern=self.is_pattern)
        # Where it was there on this very connection and is not any more, it was deleted.
        is_back = self._is_known and self.host is not None and self._live_on != self.host.connection
        if not self.is_pattern and (wishes.wait or is_back):
            command["wait"] = True
        if not self._is_known:
            if wishes.since is not None:
                command["since"] = wishes.since
            if wishes.last_n is not None:
                command["last_n"] = wishes.last_n
        elif self._epoch is not None:
            command["since"] = {"epoch": self._epoch, "offset": self._offset}
        elif self._is_absent:
            is_owed = isinstance(wishes.since, dict) and not self._was_live
            command["since"] = wishes.since if is_owed else "all"
        self._asked = command
        return command

    @property
    def farewell(self) -> dict[str, Any]:
        return {"type": "unsubscribe", "topic": self.topic, "client_id": self.wishes.client_id}

    # What the connection tells.

    def lost(self) -> None:
        """The connection is gone."""
        if self.stage != "ended":
            self.stage = "away"

    def answered(self, reply: dict[str, Any]) -> None:
        if self.stage != "joining":
            return
        self.stage = "away"
        if reply.get("type") != "ack":
            self._refused(refusal(reply, self.topic))
            return
        self._settle()
        if reply.get("waiting") is True:
            self.stage = "waiting"
            if self.host is not None:
                self.host.knows_waiting = True
            self._absent()
        else:
            self._joined(reply)

    def created(self, data: dict[str, Any]) -> None:
        """The topic that was waited for is made, and its first event has offset 1."""
        if self.stage != "waiting":
            return
        since, epoch = self._asked.get("since"), data.get("epoch")
        start = Position(epoch, 0) if isinstance(epoch, str) else None
        self._live(start, is_gap=isinstance(since, dict) and since.get("epoch") != epoch, missed=None)

    def event(self, data: dict[str, Any], size: int) -> None:
        if self.stage != "live":
            return
        message, epoch = data.get("message"), self._epoch
        offset: Any = data.get("offset")
        if type(message) is not dict or (epoch is not None and type(offset) is not int):
            if self.host is not None:
                self.host.malformed(data)
            return
        if epoch is None:
            offset = None
        elif offset <= self._offset:
            return
        else:
            self._offset = offset
        if not self.wishes.echo and self.host is not None and self.host.owner.is_own(message.get("id")):
            return
        ts = data.get("ts") or data.get("timestamp") or ""
        key = data.get("key")
        item = Message(data["topic"], message.get("id", ""), message.get("payload"), message, ts, key, offset, epoch)
        self._push(item, size)

    def dropped(self, data: dict[str, Any]) -> None:
        if self.stage != "live":
            return
        missed = range_of(data)
        if self._epoch is not None and missed is not None:
            self._offset = max(self._offset, missed[1])
        topic = data.get("topic")
        self._push(Dropped(topic if isinstance(topic, str) else self.topic, count_of(data.get("dropped")) or 0, missed))

    def deleted(self, topic: str) -> None:
        if self.stage != "live":
            return
        if self.host is not None:
            self.host.owner.is_gone(topic)
        self._push(TopicDeleted(topic))
        if self.is_pattern:
            return
        if not self.wishes.wait:
            # One that was asked to wait would do so again; otherwise there is nothing left to unsubscribe from.
            if not self._asked.get("wait"):
                self.stage = "away"
            self.end()
            return
        self._epoch, self._offset = None, 0
        self._absent()
        if self.host is not None and self.host.knows_waiting:
            self.stage = "waiting"
            self._asked = {**self._asked, "since": None}
        else:
            # Not every server goes on waiting by itself; one of which that is not known is asked.
            self.stage = "away"
            if self.host is not None:
                self.host.join(self)

    def unsubscribed(self, reason: object) -> None:
        """The server ended it, and only it."""
        if self.stage in ("live", "waiting"):
            self.stage = "away"
            code = reason if isinstance(reason, str) else "INTERNAL"
            self.end(error(code, f"the server ended the subscription to {self.topic}", topic=self.topic))

    def note(self, notice: Notice) -> None:
        """What happened beside the topic's messages."""
        if self.stage == "live":
            self._push(notice)

    # For the consumer.

    def take(self) -> Item:
        was_full = self.buffer.is_full
        item = self.buffer.take()
        if type(item) is Message:
            self._taken = item
        elif isinstance(item, Gap | TopicCreated) and item.position is not None:
            self._taken, self._started = None, item.position
        if was_full and not self.buffer.is_full and self.host is not None:
            self.host.room_changed()
        return item

    def end(self, failure: ApusError | None = None, *, discard: bool = False) -> None:
        """Ends it for the consumer too: at once, or (without `discard`) when what is held has been taken."""
        was_full = self.buffer.is_full
        if discard:
            self.buffer.clear()
        if self.stage != "ended":
            is_subscribed = self.stage in ("joining", "live", "waiting")
            self.stage = "ended"
            self.failure = failure
            if not self.ready.done():
                self.ready.set_exception(
                    failure or error("CLOSED", f"the subscription to {self.topic} was closed before it was there")
                )
                self.ready.exception()  # Whoever wants it gets it; nobody must.
            if self.host is not None:
                self.host.released(self, is_subscribed)
        if was_full and self.host is not None:
            self.host.room_changed()
        self._wake()

    # Inside.

    def _joined(self, reply: dict[str, Any]) -> None:
        epoch, offset, recovered = reply.get("epoch"), count_of(reply.get("offset")), reply.get("recovered")
        start = Position(epoch, offset) if isinstance(epoch, str) and offset is not None else None
        if self._is_absent and self._asked.get("since") == "all":
            # It was made since: nothing is missing if all of it is still kept.
            is_whole = start is not None and start.offset == 0
            missed = None if start is None else (1, start.offset)
            self._live(start, is_gap=not is_whole, missed=missed)
            return
        is_gap = recovered is False or (self._is_known and recovered is not True)
        self._live(start, is_gap=is_gap, missed=range_of(reply.get("missed")))

    def _live(self, start: Position | None, *, is_gap: bool, missed: tuple[int, int] | None) -> None:
        self.stage = "live"
        self._is_known = self._was_live = True
        self._live_on = self.host.connection if self.host is not None else None
        self._is_absent = False
        self._attempts = 0
        if is_gap or self._epoch is None:
            self._epoch, self._offset = start or (None, 0)
        if self._started is None:
            self._started = start
        if not self.is_pattern and self.host is not None:
            self.host.owner.is_there(self.topic)
        if is_gap:
            self._push(Gap(self.topic, missed, start))
        if self._is_absence_told:
            self._push(TopicCreated(self.topic, start))
        self._is_absence_told = False

    def _absent(self) -> None:
        """The topic is not there, and is waited for."""
        self._is_known = self._is_absent = True
        self._live_on = None
        if not self._is_absence_told:
            self._is_absence_told = True
            self._push(Waiting(self.topic))

    def _refused(self, failure: ApusError) -> None:
        if failure.code in ("UNAVAILABLE", "OVERLOADED", "RATE_LIMITED"):
            self._ask_later()
        elif failure.code == "TOPIC_NOT_FOUND" and self._asked.get("wait"):
            # A server that does not know of waiting.
            self._settle()
            self._ask_later()
            self._absent()
        else:
            self.end(failure)

    def _ask_later(self) -> None:
        if self.host is not None:
            self.host.join_later(self, self._attempts)
        self._attempts += 1

    def _settle(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def _push(self, item: Item, size: int = 0) -> None:
        self.buffer.push(item, size)
        if self.waiters:
            self._wake()
        if self.buffer.is_full and self.host is not None:
            self.host.room_changed()

    def _wake(self) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()
