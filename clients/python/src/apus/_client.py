"""The client, as programs see it; `_session` does the work."""

from __future__ import annotations

import asyncio
import ssl as tls
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Unpack, overload

from ._address import parse_all
from ._credential import Credential
from ._errors import ApusError, error
from ._feed import Feed
from ._options import Options, context, decode_json
from ._proxy import Given, towards
from ._rest import Rest, Topics
from ._session import Session, new_id
from ._subscription import Subscription
from ._types import Message, Notice, Outcome, State, StateChange, TokenProvider
from ._wishes import SubscribeOptions, wishes


class Client:
    """A client of a server. It stays connected, and keeps subscriptions and publications across connections.

        async with apus.Client("http://localhost:8080") as client:
            await client.publish("orders", {"id": 1})
            async for message in client.subscribe("orders", since="all"):
                print(message.payload)

    `url`: of the server (`https://host`), with its path prefix if it has one, of its v1 dialect (`https://host/v1`), of
    the WebSocket (`wss://host/ws`), or of its Unix socket (`unix:/run/apus.sock`). Or a list of several: one is used at
    a time, and the next one when that cannot be reached, takes nobody now or goes away. A connection that breaks is
    made again to the same server, if that can be reached.

    Raises `ValueError` for what cannot work, and on entering the first connection's `ApusError`, unless
    `require_connection` is off.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        api_key: str | None = None,
        token: str | TokenProvider | None = None,
        client_id: str | None = None,
        ca: str | Path | None = None,
        ssl: tls.SSLContext | None = None,
        proxy: Given = None,
        require_connection: bool = True,
        publish_queue: int = 10_000,
        publish_queue_bytes: int = 16 << 20,
        publish_wait: float = 30.0,
        min_delay: float = 0.25,
        max_delay: float = 30.0,
        connect_timeout: float = 10.0,
        close_timeout: float = 2.0,
        ping_interval: float = 20.0,
        request_timeout: float = 10.0,
        max_message: int = 64 << 20,
        compression: bool = False,
        decode: Callable[[str], Any] | None = None,
        on_state: Callable[[StateChange], object] | None = None,
        on_error: Callable[[ApusError], object] | None = None,
    ) -> None:
        """All times are seconds.

        api_key, token: who the client is, in a header of the handshake. A function as token is called before each
            connection, and when a token is about to end, which renews it on the open connection. It may be `async`.
            When it fails it is called again later; when it raises `Unauthorized`, that ends the client.
        client_id: name of this client's subscriptions; a random one.
        ca: a PEM file with the authorities that may vouch for the server, in place of the system's. Or `ssl`.
        proxy: `http://host:port` of an HTTP proxy for all connections, with `user:password@` where it wants that.
            `True`: the one that `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy` name.
        publish_queue, publish_queue_bytes: messages that may wait for their acknowledgement, offline too, and their
            bytes. Beyond it `publish` raises `QueueFull`.
        publish_wait: how long a publication waits for its topic when that is gone after a reconnect.
        min_delay, max_delay: the delay before attempt n is random, up to `min_delay` * 2**n and `max_delay`. Of several
            servers all are tried in an attempt.
        connect_timeout: until a connection is made, and until `token` must answer.
        ping_interval: a connection that answers neither of two pings so far apart is given up; 0 = off.
        request_timeout: for a request of `topics`.
        max_message: the largest message that is taken, in bytes.
        compression: large messages come and go compressed, where the server offers that.
        decode: makes a value of a JSON text; the standard library's. `orjson.loads` is faster, and has 64 bits for an
            integer; `functools.partial(json.loads, parse_float=decimal.Decimal)` keeps all digits.
        on_state: called with each `StateChange`.
        on_error: called with what no call is there for: a message that makes no sense (MALFORMED), a token that is
            refused or not to be had. Without it, these are logged as `apus`.
        """
        self._servers = parse_all(url)
        for address in self._servers:
            towards(address, proxy)  # A proxy that cannot be used is said now.
        self._credential = Credential(api_key, token, connect_timeout)
        self._options = Options(
            client_id=client_id or f"py-{uuid.uuid4().hex[:8]}",
            publish_queue=publish_queue,
            publish_queue_bytes=publish_queue_bytes,
            publish_wait=publish_wait,
            min_delay=min_delay,
            max_delay=max_delay,
            connect_timeout=connect_timeout,
            close_timeout=close_timeout,
            ping_interval=ping_interval,
            max_message=max_message,
            compression=compression,
            decode=decode or decode_json,
            require_connection=require_connection,
            ssl=context(any(address.is_secure for address in self._servers), ca, ssl),
            proxy=proxy,
        )
        self._rest = Rest(self._servers, self._credential, self._options.ssl, proxy, request_timeout)
        #: Management of topics over HTTP.
        self.topics = Topics(self._rest)
        self._on_state, self._on_error = on_state, on_error
        self._session: Session | None = None

    async def __aenter__(self) -> Client:
        if self._session is not None:
            raise error("CLOSED", "a client is entered once: make another one")
        self._session = Session(self._servers, self._credential, self._options, self._on_state, self._on_error)
        await self._session.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends loops, and fails publications that are not acknowledged with `Closed`. See `flush`."""
        if self._session is not None:
            await self._session.close()

    @property
    def client_id(self) -> str:
        return self._options.client_id

    @property
    def address(self) -> str:
        """Of the server: of several, of the one that the last connection was made to, or the next one will be."""
        return str(self._servers.current)

    @property
    def state(self) -> State:
        """Of the connection that is furthest from being open; `closed` before the client is entered."""
        return "closed" if self._session is None else self._session.state

    # Publishing.

    async def publish(
        self,
        topic: str,
        payload: Any,
        *,
        id: str | None = None,
        key: str | None = None,
        ttl: float | str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Publishes any JSON value, and returns when the server has it. Offline it waits.

        What was not acknowledged when a connection was lost is sent again with the same id: a topic with a
        `dedupe_window` takes it once, another one may have it twice.

        id: a UUID; a random one. key: what `overflow="latest"` goes by, at most 256 bytes. ttl: seconds, or text such
        as `"30s"`, after which it is not worth delivering. wait: seconds to wait for a topic that is not there; by
        default `publish_wait` if a connection was lost since, else 0.

        Raises `QueueFull`, `TopicNotFound`, `Forbidden`, `MessageTooBig`, … Cancelled, it is not sent any more, if it
        is not on its way.
        """
        session, options = self._entered(), {"key": key, "ttl": ttl, "wait": wait}
        entry = session.publish(topic, [payload], [id or new_id()], False, options)
        try:
            return await entry.done
        except asyncio.CancelledError:
            session.abandon(entry)
            raise

    async def publish_batch(
        self,
        topic: str,
        payloads: Iterable[Any],
        *,
        ids: Sequence[str] | None = None,
        key: str | None = None,
        ttl: float | str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Publishes all with one acknowledgement, at consecutive offsets, or none. As `publish` otherwise."""
        given = list(payloads)
        names = list(ids) if ids is not None else [new_id() for _ in given]
        if not given or len(names) != len(given):
            raise ValueError("a batch has at least one message, and as many ids as messages")
        session, options = self._entered(), {"key": key, "ttl": ttl, "wait": wait}
        entry = session.publish(topic, given, names, True, options)
        try:
            return await entry.done
        except asyncio.CancelledError:
            session.abandon(entry)
            raise

    def enqueue(
        self,
        topic: str,
        payload: Any,
        *,
        id: str | None = None,
        key: str | None = None,
        ttl: float | str | None = None,
        wait: float | None = None,
    ) -> asyncio.Future[Outcome]:
        """As `publish`, but returns at once: with what will have the outcome. Raises `QueueFull`."""
        options = {"key": key, "ttl": ttl, "wait": wait}
        return self._entered().publish(topic, [payload], [id or new_id()], False, options).done

    async def flush(self) -> None:
        """Returns when no publication waits for its acknowledgement any more."""
        await self._entered().flush()

    # Subscribing.

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
        """Subscribes to a topic, or a pattern such as `orders.*` or `orders.>`.

        since: where to start: a `Position`, a timedelta or text (`"10m"`), a datetime or RFC 3339 text, or `"all"`.
        last_n: messages to replay first; not with `since`. A pattern takes `last_n` only.
        overflow, queue: what the server does when this subscription lags so many messages behind.
        echo: False: not what this client publishes (its last 10,000 messages).
        presence: also `Presence` notices, of other subscribers.
        wait: waits for a topic that is not there, or is deleted, instead of ending.
        buffer, buffer_bytes: what is held for a slow loop, in messages and bytes. `when_full`: `"wait"` reads no more,
            so that the server sees a slow subscriber and does as `overflow` says; subscriptions that share its
            connection wait too. `"drop-oldest"` drops here, with a `Dropped` notice in place.
        dedicated: a connection of its own, so that a slow loop holds up no other subscription.
        notices: the loop also yields notices (`Gap`, `Dropped`, …) in their places; `on_notice` gets them there
            instead. Without either they are logged as `apus`, those of loss as warnings.

        Refusals are raised by the loop, by `ready` and on entering.
        """
        if not isinstance(topic, str) or not topic:
            raise ValueError("the topic must be a text that is not empty")
        session = self._entered()
        feed = Feed(topic, wishes(self.client_id, options), asyncio.get_running_loop())
        session.subscribe(feed)
        return Subscription[Any](feed, notices=notices, on_notice=on_notice)

    # Management.

    async def health(self) -> dict[str, Any]:
        """The server's uptime, and its numbers of topics and subscribers."""
        return await self._rest.call("GET", "/health")

    async def stats(self) -> dict[str, Any]:
        """Messages and subscribers of each topic."""
        return await self._rest.call("GET", "/stats")

    async def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Any other request to the server's HTTP interface, such as `GET /subscribers?sort=lag`. Raises `ApusError`."""
        return await self._rest.call(method, path, body)

    def _entered(self) -> Session:
        if self._session is None:
            raise error("CLOSED", "the client is not connected: use it in `async with apus.Client(url) as client`")
        return self._session
