"""What a program holds of a subscription."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar, cast

from ._feed import Feed
from ._types import Dropped, Gap, Message, Notice, Position

log = logging.getLogger("apus")

#: What a loop yields: `Message`, or with `notices=True` also `Notice`.
Yielded = TypeVar("Yielded", Message, Message | Notice)


class Subscription(Generic[Yielded]):
    """The messages of a topic or pattern, over as many connections as it takes.

    Loop over it, alone or in a block that unsubscribes at its end:

        async with client.subscribe("orders") as orders:   # Returns when the server has acknowledged it.
            async for message in orders: …

    Outside of a block it ends when it is closed, or when nobody refers to it any more. One that is held and not read
    fills its buffer, and then holds up the others on its connection: close it.
    """

    def __init__(self, feed: Feed, *, notices: bool, on_notice: Callable[[Notice], object] | None) -> None:
        self._feed, self._notices, self._on_notice = feed, notices, on_notice
        self._loop = asyncio.get_running_loop()
        # The client refers to the feed only, so that this object can be forgotten.
        finalizer = weakref.finalize(self, _forget, self._loop, feed)
        finalizer.atexit = False

    @property
    def topic(self) -> str:
        """The topic or pattern, as given."""
        return self._feed.topic

    @property
    def position(self) -> Position | None:
        """Of the last message that was handed out; before that, where the subscription started. None under a pattern.

        To resume after a restart of the program, store the position of the last message that was *handled*.
        """
        return self._feed.position

    @property
    def is_closed(self) -> bool:
        """Whether nothing comes any more, but what is held."""
        return self._feed.stage == "ended"

    async def ready(self) -> None:
        """Returns when the server has acknowledged the subscription; raises its refusal."""
        await asyncio.shield(self._feed.ready)

    def close(self) -> None:
        """Unsubscribes, and ends the loop. What was not taken is forgotten."""
        self._feed.end(discard=True)

    async def get(self, timeout: float | None = None) -> Yielded:
        """The next message. Raises `TimeoutError` after so many seconds, `StopAsyncIteration` when there is none."""
        async with asyncio.timeout(timeout):
            return await self.__anext__()

    async def get_batch(self, most: int, timeout: float | None = None) -> list[Yielded]:
        """At least one and at most so many messages, without waiting for more than the first; empty at the end.

        Raises `TimeoutError` after so many seconds without a message.
        """
        try:
            batch = [await self.get(timeout)]
        except StopAsyncIteration:
            return []
        while len(batch) < most and (item := self._held()) is not None:
            batch.append(item)
        return batch

    def __aiter__(self) -> Subscription[Yielded]:
        return self

    async def __anext__(self) -> Yielded:
        feed = self._feed
        while True:
            item = self._held()
            if item is not None:
                return item
            if feed.stage == "ended":
                failure, feed.failure = feed.failure, None
                if failure is not None:
                    raise failure
                raise StopAsyncIteration
            waiter: asyncio.Future[None] = self._loop.create_future()
            feed.waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in feed.waiters:
                    feed.waiters.remove(waiter)

    async def __aenter__(self) -> Subscription[Yielded]:
        try:
            await self.ready()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _held(self) -> Yielded | None:
        """What the loop yields next, if it is there; tells of the notices before it."""
        feed = self._feed
        while feed.buffer:
            item = feed.take()
            if isinstance(item, Message):
                return item
            notice = item
            if self._on_notice is not None:
                self._on_notice(notice)
            if self._notices:
                return cast("Yielded", notice)
            if self._on_notice is None:
                log.log(logging.WARNING if isinstance(notice, Gap | Dropped) else logging.INFO, "%s", notice)
        return None


def _forget(loop: asyncio.AbstractEventLoop, feed: Feed) -> None:
    # Garbage is collected in any thread, and after the loop's end.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: feed.end(discard=True))
