"""The client's machinery: its connections, what waits to be published, and which connection a subscription is on.

    Session ─┬─ Link (publish)   ── Outbox ── Lane: what waits for its topic or a rate limit
             ├─ Link (subscribe) ── Feed ── Buffer ── Subscription, which the program holds
             ├─ Link (subscribe) …   where topics overlap, since an event does not say for which subscription it is
             └─ Credential

Publishing has a connection of its own: a loop that publishes for each message it gets never waits for an ack behind
events that it has not read. Everything belongs to the event loop that the client was entered on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from ._address import Servers
from ._backoff import Backoff
from ._credential import Credential
from ._errors import ApusError, error
from ._feed import Feed
from ._lane import Entry
from ._link import Link
from ._options import Options
from ._outbox import Outbox
from ._types import State, StateChange

log = logging.getLogger("apus")

#: Own publications that a subscription with `echo=False` can tell from others'.
OWN_IDS = 10_000

_Told = TypeVar("_Told")

#: Topics whose JSON is remembered.
_NAMES = 1_000

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


@lru_cache(_NAMES)
def _name(topic: str) -> str:
    return encode(topic)


def new_id() -> str:
    """A random UUID (RFC 9562, version 4); by the module `uuid` it would take four times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Session:
    def __init__(
        self,
        servers: Servers,
        credential: Credential,
        options: Options,
        on_state: Callable[[StateChange], object] | None,
        on_error: Callable[[ApusError], object] | None,
    ) -> None:
        self.servers, self.credential, self.options = servers, credential, options
        self._on_state, self._on_error = on_state, on_error
        #: Why it is over.
        self.end: ApusError | None = None
        self._loop = asyncio.get_running_loop()
        self._links: list[Link] = []
        # Connected, and for whatever is asked for first.
        self._spare: Link | None = None
        self._publisher: Link | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._own: dict[object, None] = {}
        self._is_own_wanted = False
        self._closing: set[asyncio.Task[None]] = set()
        backoff = Backoff(options.min_delay, options.max_delay)
        self._outbox = Outbox(
            self._loop,
            limit=options.publish_queue,
            limit_bytes=options.publish_queue_bytes,
            publish_wait=options.publish_wait,
            pause=backoff.pause,
        )

    async def open(self) -> None:
        """Makes the first connection. Raises its failure, where one is required."""
        self._spare = self._new_link()
        if self.options.require_connection:
            try:
                await self._opened
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        links = self._finish(error("CLOSED", "the client was closed"), is_failure=False)
        await asyncio.gather(*(link.close() for link in links))
        # Those of connections that were given up before, too.
        if self._closing:
            await asyncio.wait(set(self._closing))

    @property
    def state(self) -> State:
        """That of the connection that is furthest from being open."""
        if self.end is not None:
            return "closed"
        states = [link.state for link in self._links]
        order: tuple[State, ...] = ("waiting", "connecting", "open")
        return next((state for state in order if state in states), "idle")

    # What the client does.

    def publish(
        self, topic: str, payloads: list[Any], ids: list[str], is_batch: bool, options: dict[str, Any]
    ) -> Entry:
        """Queues a message or a batch. Raises QUEUE_FULL, and ValueError or TypeError for what is no JSON."""
        if self.end is not None:
            raise self.end
        wait = options.pop("wait")
        messages = [
            f'{{"id":{encode(id)},"payload":{encode(payload)}}}' for id, payload in zip(ids, payloads, strict=True)
        ]
        body = f'"messages":[{",".join(messages)}]' if is_batch else f'"message":{messages[0]}'
        further = "".join(f',"{name}":{encode(value)}' for name, value in options.items() if value is not None)
        if self._publisher is None:
            self._publisher = self._take_spare() or self._new_link()
            self._publisher.serve(self._outbox)
        entry = self._outbox.publish(
            f'"topic":{_name(topic)},{body}{further}', topic, tuple(ids), is_batch=is_batch, wait=wait
        )
        if self._is_own_wanted:
            for id in ids:
                self._own[id] = None
            while len(self._own) > OWN_IDS:
                del self._own[next(iter(self._own))]
        return entry

    def abandon(self, entry: Entry) -> None:
        self._outbox.abandon(entry)

    async def flush(self) -> None:
        while entries := self._outbox.unanswered:
            await asyncio.wait([entry.done for entry in entries])

    def subscribe(self, feed: Feed) -> None:
        if self.end is not None:
            raise self.end
        self._is_own_wanted = self._is_own_wanted or not feed.wishes.echo
        link = None
        if feed.wishes.dedicated:
            link = self._new_link()
            link.is_dedicated = True
        else:
            readers = (other for other in self._links if other.role == "subscribe" and other.accepts(feed))
            link = next(readers, None) or self._take_spare() or self._new_link()
        link.add(feed)

    # What a link needs (`_link.Owner`).

    def new_backoff(self) -> Backoff:
        options, has_provider = self.options, self.credential.is_provided
        return Backoff(options.min_delay, options.max_delay, servers=len(self.servers), has_provider=has_provider)

    def turned(self, link: Link, state: State, delay: float | None = None, failure: ApusError | None = None) -> None:
        if not self._opened.done():
            if state == "open":
                self._opened.set_result(None)
            elif state == "waiting" and failure is not None and self._is_required(link):
                self._opened.set_exception(failure)
        self._tell(StateChange(state, link.role, delay, failure))

    def report(self, failure: ApusError) -> None:
        if self.end is not None:
            return
        if self._on_error is not None:
            self._call(self._on_error, failure)
        else:
            log.warning("%s", failure)

    def fail(self, failure: ApusError) -> None:
        for link in self._finish(failure, is_failure=True):
            link.abandon()
            if link.task is not None:
                self._closing.add(link.task)

    def retire(self, link: Link) -> None:
        """Nothing is subscribed on it any more."""
        if self.end is not None:
            return
        if self._spare is None and not link.is_dedicated:
            self._spare = link
            return
        self._links.remove(link)
        task = self._loop.create_task(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def is_there(self, topic: str) -> None:
        self._outbox.is_there(topic)

    def is_gone(self, topic: str) -> None:
        self._outbox.is_gone(topic)

    def is_own(self, message_id: object) -> bool:
        return isinstance(message_id, str) and message_id in self._own

    # Inside.

    def _new_link(self) -> Link:
        link = Link(self)
        self._links.append(link)
        link.start()
        return link

    def _take_spare(self) -> Link | None:
        link, self._spare = self._spare, None
        return link

    def _finish(self, failure: ApusError, *, is_failure: bool) -> list[Link]:
        """Ends everything but the connections, which it returns."""
        if self.end is not None:
            return []
        self.end = failure
        links, self._links = self._links, []
        if not self._opened.done():
            self._opened.set_exception(failure)
            self._opened.exception()  # There may be nobody who waits for it.
        self.credential.close()
        self._outbox.close(failure)
        for link in links:
            for feed in link.feeds:
                feed.end(failure if is_failure else None, discard=not is_failure)
        self._tell(StateChange("closed", "none", None, failure if is_failure else None))
        return links

    def _is_required(self, link: Link) -> bool:
        return self.options.require_connection and not link.backoff.is_in_round

    def _tell(self, change: StateChange) -> None:
        if self._on_state is not None:
            self._call(self._on_state, change)

    def _call(self, function: Callable[[_Told], object], told: _Told) -> None:
        """Calls a function of the program. An exception of it is the program's own, and disturbs nothing here."""
        try:
            function(told)
        except Exception as fault:
            message = f"a function given to apus.Client failed: {function!r}"
            self._loop.call_exception_handler({"message": message, "exception": fault})
