"""Publications without an acknowledgement, over as many connections as it takes, in the order of the calls.

After a lost connection their topics may be gone for a while. So the first publication to each topic goes ahead, as its
scout, and the others follow when that is acknowledged: they keep their order also where the topic is made in their
midst. While there is no such topic the scout is sent again and again, and each waits as long as it may.

Bounded by messages and by bytes; at the bound `publish` raises QUEUE_FULL, and nothing that waits is given up for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._errors import ApusError, error, refusal, too_big
from ._lane import UNAVAILABLE, Clock, Entry, Lane, outcome
from ._requests import numbers

#: Topics that are remembered to have been there.
KNOWN_TOPICS = 10_000
#: Shortest time between two attempts to publish to a topic that is not there, in seconds.
SCOUT_SPACING = 0.1
#: How long a publication is sent again that the server refuses for the time being, without closing the connection.
UNAVAILABLE_WAIT = 30.0
#: The state of a topic that is known to be deleted, instead of the number of lost connections.
_DELETED = -1


class Outbox:
    def __init__(
        self,
        clock: Clock,
        *,
        limit: int,
        limit_bytes: int,
        publish_wait: float,
        pause: Callable[[int], float],
    ) -> None:
        self._clock, self._limit, self._limit_bytes = clock, limit, limit_bytes
        self._publish_wait, self._pause = publish_wait, pause
        #: Sends on the open connection; None while there is none.
        self.transmit: Callable[[str], None] | None = None
        #: Called when there is something to publish.
        self.wake: Callable[[], None] = lambda: None
        self.size = 0
        self.bytes = 0
        self._entries: dict[int, Entry] = {}
        self._lanes: dict[str, Lane] = {}
        # By topic: how many connections had been lost when it was last there; _DELETED where it was deleted since.
        self._known: dict[str, int] = {}
        self._losses = 0
        # The size of the smallest message that the server at the other end did not take.
        self._too_big: int | None = None

    def publish(self, fields: str, topic: str, ids: tuple[str, ...], *, is_batch: bool, wait: float | None) -> Entry:
        """Queues a command whose members, apart from `request_id`, are the text `fields`."""
        request = next(numbers)
        text = f'{{"type":"publish",{fields},"outcome":true,"request_id":{request}}}'
        size = len(text) if text.isascii() else len(text.encode())
        if self._too_big is not None and size >= self._too_big:
            raise too_big(size, topic)
        if self.size + len(ids) > self._limit or self.bytes + size > self._limit_bytes:
            raise error(
                "QUEUE_FULL",
                f"{self.size} messages of {self.bytes} bytes wait for their acknowledgement: "
                "await flush(), raise publish_queue, or give this one up",
                topic=topic,
            )
        entry = Entry(request, topic, text, size, ids, is_batch, wait, self._clock.create_future())
        entry.is_patient = self._losses > 0 and self.transmit is None
        self._entries[request] = entry
        self.size += len(ids)
        self.bytes += size
        if self.transmit is not None:
            self._dispatch(entry)
        else:
            self.wake()
        return entry

    def abandon(self, entry: Entry) -> None:
        """Nobody waits for it any more. What is not on its way is not sent."""
        if entry.request not in self._entries:
            return
        if not entry.is_sent:
            for lane in self._lanes.values():
                if entry in lane.behind:
                    lane.behind.remove(entry)
            lane_of = self._lanes.get(entry.topic)
            if lane_of is None or lane_of.scout is not entry:
                self._forget(entry)

    @property
    def unanswered(self) -> list[Entry]:
        return list(self._entries.values())

    # What the connection tells.

    def opened(self) -> None:
        for entry in list(self._entries.values()):
            if entry.done.cancelled():
                self._forget(entry)
            else:
                self._dispatch(entry)

    def lost(self, code: int) -> None:
        self._losses += 1
        if code != 1009:
            self._too_big = None  # The next connection may be to another server.
        self._clear_lanes()
        for entry in self._entries.values():
            entry.is_sent, entry.is_patient, entry.deadline = False, True, None

    def close(self, failure: ApusError) -> None:
        self._clear_lanes()
        for entry in list(self._entries.values()):
            self._settle(entry, failure)

    def answered(self, reply: dict[str, Any]) -> bool:
        """False when this is no answer to a publication."""
        request = reply.get("request_id")
        entry = self._entries.get(request) if type(request) is int else None
        if entry is None:
            return False
        failure = refusal(reply, entry.topic) if reply.get("type") == "error" else None
        # A server that shuts down is unavailable, too; what is held goes out again on the next connection.
        if failure is not None and (failure.code == "TOPIC_NOT_FOUND" or failure.code in UNAVAILABLE):
            self._hold(entry, failure)
            return True
        self._settle(entry, failure, reply)
        if failure is None and self._known.get(entry.topic) != self._losses:
            self._note(entry.topic, self._losses)
        if self._lanes:
            lane = self._lanes.get(entry.topic)
            if lane is not None and lane.scout is entry:
                self._advance(entry.topic, lane, is_there=failure is None)
        return True

    def is_there(self, topic: str) -> None:
        """A subscription has seen that the topic is there: no need to wait for the time of the next attempt."""
        lane = self._lanes.get(topic)
        # That says nothing about a rate limit.
        if lane is not None and lane.timer is not None and lane.batch is None:
            self._scout(lane)

    def is_gone(self, topic: str) -> None:
        """Its deletion was told."""
        if topic in self._known:
            self._note(topic, _DELETED)

    @property
    def largest(self) -> int:
        """The size of the largest publication on its way."""
        return max((entry.size for entry in self._entries.values() if entry.is_sent), default=0)

    def refuse(self, size: int) -> None:
        """The server takes nothing of this size."""
        self._too_big = size
        for entry in list(self._entries.values()):
            if entry.size >= size:
                self._settle(entry, too_big(entry.size, entry.topic))

    # Inside.

    def _clear_lanes(self) -> None:
        for lane in self._lanes.values():
            lane.stop()
        self._lanes.clear()

    def _note(self, topic: str, state: int) -> None:
        self._known.pop(topic, None)
        self._known[topic] = state
        if len(self._known) > KNOWN_TOPICS:
            del self._known[next(iter(self._known))]

    def _forget(self, entry: Entry) -> None:
        if self._entries.pop(entry.request, None) is not None:
            self.size -= len(entry.ids)
            self.bytes -= entry.size

    def _settle(self, entry: Entry, failure: ApusError | None, reply: dict[str, Any] | None = None) -> None:
        self._forget(entry)
        if entry.done.done():
            return
        if failure is not None:
            entry.done.set_exception(failure)
            # Told to whoever asks; a program that asks for none (`enqueue`) must not be warned of it at its end.
            entry.done.exception()
        else:
            entry.done.set_result(outcome(entry, reply or {}))

    def _dispatch(self, entry: Entry) -> None:
        """Sends it, or has it wait for its scout."""
        lane = self._lanes.get(entry.topic)
        if lane is None:
            if self._losses > 0:
                state = self._known.get(entry.topic)
                if state != self._losses:
                    entry.is_patient = entry.is_patient or (state is not None and state != _DELETED)
                    self._lanes[entry.topic] = Lane(entry)
            self._send(entry)
        elif lane.timer is None or lane.error is None or self._may_wait(entry, lane.error, is_behind=True):
            self._follow(lane, entry)
        else:
            self._settle(entry, lane.error)

    def _send(self, entry: Entry) -> None:
        if self.transmit is not None:
            entry.is_sent = True
            self.transmit(entry.text)

    def _follow(self, lane: Lane, entry: Entry) -> None:
        behind = lane.behind
        behind.append(entry)
        # One that was sent before there was a scout comes back behind those that were not.
        if len(behind) > 1 and behind[-2].request > entry.request:
            behind.sort(key=lambda waiting: waiting.request)
        if lane.timer is not None and entry.deadline is not None and entry.deadline < lane.due:
            self._schedule(lane, lane.due)

    def _may_wait(self, entry: Entry, failure: ApusError, *, is_behind: bool) -> bool:
        """Whether it may wait (any longer) after such a refusal."""
        entry.is_patient = entry.is_patient or is_behind
        if entry.deadline is None:
            if failure.code in UNAVAILABLE:
                patience = UNAVAILABLE_WAIT
            elif entry.wait is not None:
                patience = entry.wait
            else:
                is_deleted = self._known.get(entry.topic) == _DELETED
                patience = self._publish_wait if entry.is_patient and not is_deleted else 0.0
            entry.deadline = self._clock.time() + patience
        return entry.deadline > self._clock.time() + (failure.retry_after or 0.0)

    def _hold(self, entry: Entry, failure: ApusError) -> None:
        """There is no such topic, or no publishing now: those that may not wait are refused, one of the others is sent
        later."""
        topic = entry.topic
        # It was there on this very connection, so it was deleted.
        if failure.code == "TOPIC_NOT_FOUND" and self._known.get(topic) == self._losses:
            self._note(topic, _DELETED)
        entry.is_sent = False
        lane = self._lanes.get(topic) or Lane(entry)
        if lane.scout is not entry:
            if self._may_wait(entry, failure, is_behind=True):
                self._follow(lane, entry)
            else:
                self._settle(entry, failure)
            return
        left: list[Entry] = []
        # One that was sent before the scout may have come back after it.
        for waiting in sorted([entry, *lane.behind], key=lambda waiting: waiting.request):
            if waiting.done.cancelled():
                self._forget(waiting)
            elif self._may_wait(waiting, failure, is_behind=bool(left)):
                left.append(waiting)
            else:
                self._settle(waiting, failure)
        self._lanes.pop(topic, None)
        if not left:
            return
        lane.scout, lane.behind, lane.error = left[0], left[1:], failure
        # Not all of them are to be refused again.
        if failure.code == "RATE_LIMITED":
            lane.batch = 1
        self._lanes[topic] = lane
        pause = max(self._pause(lane.attempt), failure.retry_after or 0.0)
        lane.attempt += 1
        self._schedule(lane, self._clock.time() + pause)

    def _schedule(self, lane: Lane, due: float) -> None:
        """Sends the scout again at that time, or when the first of them has waited long enough."""
        now = self._clock.time()
        deadlines = [entry.deadline for entry in (lane.scout, *lane.behind) if entry.deadline is not None]
        lane.stop()
        lane.due = max(now + SCOUT_SPACING, min([due, *deadlines]))
        lane.timer = self._clock.call_later(lane.due - now, self._scout, lane)

    def _scout(self, lane: Lane) -> None:
        lane.stop()
        if lane.scout.done.cancelled():
            self._forget(lane.scout)
            self._advance(lane.scout.topic, lane, is_there=False)
        else:
            self._send(lane.scout)

    def _advance(self, topic: str, lane: Lane, *, is_there: bool) -> None:
        """The scout is answered: the others may go, or where it was refused for itself the next one. The first of
        those that go is the scout of those that stay; the next time twice as many go."""
        count = (len(lane.behind) if lane.batch is None else lane.batch) if is_there else 1
        going, lane.behind = lane.behind[:count], lane.behind[count:]
        if not going or (is_there and not lane.behind):
            del self._lanes[topic]
        else:
            lane.scout = going[0]
        if is_there and lane.batch is not None:
            lane.batch *= 2
        for entry in going:
            self._send(entry)
