"""The client for programs without asyncio: the same names, and plain calls that return when it is done.

    from apus.sync import Client

    with Client("http://localhost:8080") as client:
        client.publish("orders", {"id": 1})
        with client.subscribe("orders", since="all") as orders:
            for message in orders:
                print(message.offset, message.payload)

A thread of its own runs the asyncio client; any thread may use it. Every wait can be ended by Ctrl-C, and leaving the
block then closes the client.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar, Unpack, overload

from . import _client, _subscription
from ._errors import error
from ._loop_thread import LoopThread
from ._rest import Page, TopicInfo, TopicSummary
from ._types import Message, Notice, Outcome, Position, Since, State
from ._wishes import SubscribeOptions

__all__ = ["Client", "Subscription", "Topics"]

_Result = TypeVar("_Result")
Yielded = TypeVar("Yielded", Message, Message | Notice)

#: Messages that a subscription fetches from the client's thread at once, and so holds beside its `buffer`.
BATCH = 256


class Client:
    """As `apus.Client`, and with the same options. Callbacks (`on_state`, `token`, …) run in the client's thread."""

    def __init__(self, url: str | Sequence[str], **options: Any) -> None:
        self._client = _client.Client(url, **options)
        self._loop: LoopThread | None = None
        self.topics = Topics(self)

    def __enter__(self) -> Client:
        if self._loop is not None:
            raise error("CLOSED", "a client is entered once: make another one")
        self._loop = LoopThread()
        try:
            self._loop.call(self._client.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends loops, and fails publications that are not acknowledged with `Closed`. See `flush`."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call(self._client.close())
            finally:
                loop.stop()

    @property
    def client_id(self) -> str:
        return self._client.client_id

    @property
    def address(self) -> str:
        return self._client.address

    @property
    def state(self) -> State:
        return self._client.state

    def publish(
        self,
        topic: str,
        payload: Any,
        *,
        id: str | None = None,
        key: str | None = None,
        ttl: float | str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """See `apus.Client.publish`."""
        return self.run(self._client.publish(topic, payload, id=id, key=key, ttl=ttl, wait=wait))

    def publish_batch(
        self,
        topic: str,
        payloads: Iterable[Any],
        *,
        ids: Sequence[str] | None = None,
        key: str | None = None,
        ttl: float | str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """See `apus.Client.publish_batch`."""
        return self.run(self._client.publish_batch(topic, payloads, ids=ids, key=key, ttl=ttl, wait=wait))

    def enqueue(
        self, topic: str, payload: Any, *, id: str | None = None, key: str | None = None, ttl: float | str | None = None
    ) -> concurrent.futures.Future[Outcome]:
        """As `publish`, but returns at once: with what will have the outcome, or QUEUE_FULL."""
        done: concurrent.futures.Future[Outcome] = concurrent.futures.Future()

        def finish(outcome: asyncio.Future[Outcome]) -> None:
            if not done.set_running_or_notify_cancel():
                return
            if outcome.cancelled():
                done.set_exception(error("CLOSED", "the client was closed"))
            elif (fault := outcome.exception()) is not None:
                done.set_exception(fault)
            else:
                done.set_result(outcome.result())

        def start() -> None:
            try:
                self._client.enqueue(topic, payload, id=id, key=key, ttl=ttl).add_done_callback(finish)
            except Exception as fault:
                done.set_exception(fault)

        self._running().soon(start)
        return done

    def flush(self) -> None:
        """Returns when no publication waits for its acknowledgement any more."""
        self.run(self._client.flush())

    @overload
    def subscribe(
        self,
        topic: str,
        *,
        notices: Literal[False] = False,
        on_notice: Callable[[Notice], object] | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Subscription[Message]: ...

    @overload
    def subscribe(
        self, topic: str, *, notices: Literal[True], on_notice: None = None, **options: Unpack[SubscribeOptions]
    ) -> Subscription[Message | Notice]: ...

    def subscribe(
        self,
        topic: str,
        *,
        notices: bool = False,
        on_notice: Callable[[Notice], object] | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Any:
        """See `apus.Client.subscribe`. Returns when the server has acknowledged it; raises its refusal."""

        async def start() -> _subscription.Subscription[Any]:
            made: Callable[..., _subscription.Subscription[Any]] = self._client.subscribe
            return await made(topic, notices=notices, on_notice=on_notice, **options).__aenter__()

        return Subscription[Any](self, self.run(start()))

    def health(self) -> dict[str, Any]:
        """The server's uptime, and its numbers of topics and subscribers."""
        return self.run(self._client.health())

    def stats(self) -> dict[str, Any]:
        """Messages and subscribers of each topic."""
        return self.run(self._client.stats())

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """See `apus.Client.request`."""
        return self.run(self._client.request(method, path, body))

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Runs a coroutine in the client's thread."""
        try:
            loop = self._running()
        except BaseException:
            work.close()
            raise
        return loop.call(work)

    def soon(self, work: Callable[[], object]) -> None:
        if self._loop is not None:
            self._loop.soon(work)

    def _running(self) -> LoopThread:
        if self._loop is None:
            raise error("CLOSED", "the client is not connected: use it in `with Client(url) as client`")
        return self._loop


class Subscription(Generic[Yielded]):
    """The messages of a topic or pattern: loop over it. Ends when it is closed, by `with` or by `close`."""

    def __init__(self, client: Client, inner: _subscription.Subscription[Yielded]) -> None:
        self._client = client
        self._inner: _subscription.Subscription[Yielded] = inner
        self._fetched: deque[Yielded] = deque()
        self._position = inner.position

    @property
    def topic(self) -> str:
        return self._inner.topic

    @property
    def position(self) -> Position | None:
        """Of the last message that was handed out; before that, where the subscription started."""
        return self._position

    def close(self) -> None:
        """Unsubscribes, and ends the loop."""
        self._fetched.clear()
        self._client.soon(self._inner.close)

    def __enter__(self) -> Subscription[Yielded]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Yielded]:
        return self.messages()

    def get(self, timeout: float | None = None) -> Yielded:
        """The next message. Raises `TimeoutError` after so many seconds, `Closed` when there is none any more."""
        if not self._fetched:
            self._fetched.extend(self._client.run(self._inner.get_batch(BATCH, timeout)))
        if not self._fetched:
            raise error("CLOSED", f"the subscription to {self.topic} has ended", topic=self.topic)
        item = self._fetched.popleft()
        if isinstance(item, Message) and item.position is not None:
            self._position = item.position
        return item

    def messages(self, timeout: float | None = None) -> Iterator[Yielded]:
        """A loop that ends after so many seconds without a message; without `timeout` with the subscription."""
        while True:
            if not self._fetched:
                try:
                    self._fetched.extend(self._client.run(self._inner.get_batch(BATCH, timeout)))
                except TimeoutError:
                    return
            if not self._fetched:
                return
            yield self.get()


class Topics:
    """See `apus.Topics`."""

    def __init__(self, client: Client) -> None:
        self._run, self._topics = client.run, client._client.topics

    def list(self) -> list[TopicSummary]:
        return self._run(self._topics.list())

    def create(self, name: str, **settings: Any) -> bool:
        return self._run(self._topics.create(name, **settings))

    def configure(self, name: str, **settings: Any) -> bool:
        return self._run(self._topics.configure(name, **settings))

    def get(self, name: str) -> TopicInfo:
        return self._run(self._topics.get(name))

    def delete(self, name: str) -> None:
        self._run(self._topics.delete(name))

    def purge(self, name: str) -> int:
        return self._run(self._topics.purge(name))

    def messages(
        self,
        name: str,
        *,
        since: Since | None = None,
        last_n: int | None = None,
        limit: int | None = None,
        wait: float | None = None,
    ) -> Page:
        return self._run(self._topics.messages(name, since=since, last_n=last_n, limit=limit, wait=wait))
