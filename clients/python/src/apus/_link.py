"""One WebSocket of the client, opened again when it is lost.

One task connects, serves and waits for the next attempt. The socket's own task hands out its messages: an event goes
straight to the buffer of its subscription. When a buffer is full, the socket is not read; while a `subscribe` is
unanswered it is read all the same, because the answer may be behind events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from ._address import Address
from ._backoff import End
from ._errors import ApusError, error, refusal, too_big
from ._feed import Feed
from ._outbox import Outbox
from ._renewal import Renewal
from ._requests import Requests
from ._roles import Owner
from ._router import Router
from ._types import State, count_of
from ._websocket import WebSocket, connect, ended

#: The close code after a message that was larger than the server takes.
_TOO_BIG = 1009
#: Errors that come before a close with the same reason, of which `on_state` tells.
_BEFORE_CLOSE = ("UNAUTHORIZED", "SLOW_CONSUMER")


class Link:
    def __init__(self, owner: Owner) -> None:
        self.owner, self._decode = owner, owner.options.decode
        self._loop = asyncio.get_running_loop()
        self.state: State = "idle"
        self.outbox: Outbox | None = None
        self.feeds = Router()
        self.is_dedicated = False
        self.connection = 0
        self.knows_waiting = False
        self._socket: WebSocket | None = None
        #: Connects, serves, waits, and so on.
        self.task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._requests = Requests()
        self._asking = 0
        self._assigned: float | None = None
        self.backoff = owner.new_backoff()
        self._renewal: Renewal | None = None

    # For the client.

    @property
    def role(self) -> Literal["publish", "subscribe", "none"]:
        return "publish" if self.outbox is not None else "subscribe" if self.feeds else "none"

    def accepts(self, feed: Feed) -> bool:
        """Whether no event could be for this subscription and another one here."""
        return not self.is_dedicated and self.feeds.accepts(feed)

    def start(self) -> None:
        if self.task is None:
            self._wanted.set()
            self.task = self._loop.create_task(self._run())
            self.task.add_done_callback(self._ran)

    def wake(self) -> None:
        """There is something to do, where the connection was given up for want of it."""
        self._wanted.set()

    def add(self, feed: Feed) -> None:
        feed.host = self
        self.feeds.add(feed)
        self.wake()
        self.join(feed)

    async def close(self) -> None:
        """Says goodbye to the server."""
        if (socket := self._stop()) is not None:
            await socket.close(self.owner.options.close_timeout)

    def abandon(self) -> None:
        """Ends without waiting for anything."""
        if (socket := self._stop()) is not None:
            socket.abort()

    def serve(self, outbox: Outbox) -> None:
        """Publishes what is in there from now on."""
        self.outbox = outbox
        outbox.wake = self.wake
        if self.state == "open" and self._socket is not None:
            outbox.transmit = self._socket.send
            outbox.opened()

    # For feeds (`_feed.Host`).

    def join(self, feed: Feed) -> None:
        if self.state != "open" or feed.stage != "away":
            return
        feed.stage = "joining"
        self._asking += 1

        def answered(reply: dict[str, Any]) -> None:
            self._asking -= 1
            feed.answered(reply)
            self.room_changed()

        self._request(feed.ask(), answered, feed)
        self.room_changed()

    def join_later(self, feed: Feed, attempt: int) -> None:
        # By then it may have been asked for, or ended: `join` looks.
        self._loop.call_later(self.backoff.pause(attempt), self.join, feed)

    def room_changed(self) -> None:
        """Reads on, or not."""
        socket = self._socket
        if socket is None or self.state != "open":
            return
        if self._asking == 0 and self.feeds.has_full:
            socket.pause()
        elif socket.is_paused:
            # Not from within the consumer's own turn, which may come from within the socket's.
            self._loop.call_soon(self._read_on, socket)

    def malformed(self, data: object) -> None:
        self.owner.report(error("MALFORMED", f"the server sent what is no message of Apus: {str(data)[:200]}"))

    def released(self, feed: Feed, is_subscribed: bool) -> None:
        if not self.feeds.remove(feed):
            return
        if is_subscribed and self.state == "open":
            self._request(feed.farewell, lambda reply: None)
        if not self.feeds and self.outbox is None:
            self.owner.retire(self)

    # The connection.

    def _ran(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            # A fault of ours: whoever waits must learn of it.
            self._loop.call_exception_handler({"message": "a fault in apus", "exception": fault})
            self.owner.fail(error("INTERNAL", f"a fault in the client: {fault!r}"))

    async def _run(self) -> None:
        while self.state != "closed":
            await self._wanted.wait()
            self._turn("connecting")
            server = self.owner.servers.current
            end = await self._serve(server)
            if self._socket is not None:
                self._socket.abort()
            too_big = self._largest() if end.code == _TOO_BIG and end.was_open else None
            self._drop()
            if self.outbox is not None:
                self.outbox.lost(end.code)
            if too_big is not None:
                too_big()
                end.is_settled = True
            delay = self.backoff.after(end)
            if delay is None:
                self.owner.fail(end.as_error())
                return
            if end.moves_on:
                self.owner.servers.move_on(server)
            if end.error is not None and end.error.code in ("UNAUTHORIZED", "TOKEN_UNAVAILABLE", "UNTRUSTED"):
                self.owner.report(end.error)
            # The topic is gone, which ended its subscription. For what else there is, life goes on.
            if end.reason == "TOPIC_DELETED" and not self._is_needed:
                self._wanted.clear()
                self._turn("idle", failure=end.as_error())
                continue
            self._turn("waiting", delay, end.as_error())
            await asyncio.sleep(delay)

    async def _serve(self, server: Address) -> End:
        """Connects, serves, and says how that ended."""
        owner, options = self.owner, self.owner.options
        self.connection += 1
        self.knows_waiting = False
        self._assigned = None
        try:
            headers = await owner.credential.headers()
            self._socket = await connect(
                server,
                self._receive,
                headers=headers,
                ssl=options.ssl,
                proxy=options.proxy,
                max_message=options.max_message,
                compression=options.compression,
                timeout=options.connect_timeout,
                close_timeout=options.close_timeout,
            )
        except ApusError as failure:
            return End(error=failure, retry_after=failure.retry_after)
        began = self._loop.time()
        socket = self._socket
        self._renewal = Renewal(owner.credential, self.backoff, owner.report, owner.fail, self._request)
        self._turn("open")
        for feed in self.feeds:
            self.join(feed)
        if self.outbox is not None:
            self.outbox.transmit = socket.send
            self.outbox.opened()
        socket.resume()
        code, reason = await ended(socket, options.ping_interval)
        return End(code, reason, None, self._assigned, True, self._loop.time() - began)

    @property
    def _is_needed(self) -> bool:
        return bool(self.feeds) or (self.outbox is not None and self.outbox.size > 0)

    def _turn(self, state: State, delay: float | None = None, failure: ApusError | None = None) -> None:
        if self.state != "closed":
            self.state = state
            self.owner.turned(self, state, delay, failure)

    def _read_on(self, socket: WebSocket) -> None:
        is_full = self._asking == 0 and self.feeds.has_full
        if socket is self._socket and not is_full:
            socket.resume()

    def _largest(self) -> Callable[[], None] | None:
        """What refuses the largest command without an answer: one of those was larger than the server takes."""
        outbox, published = self.outbox, self.outbox.largest if self.outbox is not None else 0
        feed, asked = self._requests.largest
        if feed is not None and asked > published:
            return lambda: feed.end(too_big(asked, feed.topic))
        if outbox is not None and published > 0:
            return lambda: outbox.refuse(published)
        return None

    def _stop(self) -> WebSocket | None:
        self.state = "closed"
        if self.task is not None:
            self.task.cancel()
        socket = self._socket
        self._drop()
        return socket

    def _drop(self) -> None:
        self._socket = None
        if self._renewal is not None:
            self._renewal.stop()
            self._renewal = None
        self._requests.clear()
        self._asking = 0
        if self.outbox is not None:
            self.outbox.transmit = None
        for feed in self.feeds:
            feed.lost()

    # Messages.

    def _request(
        self, command: dict[str, Any], done: Callable[[dict[str, Any]], None], feed: Feed | None = None
    ) -> None:
        if self._socket is None:
            return
        self._socket.send(self._requests.add(command, done, feed))

    def _receive(self, text: str, size: int) -> None:
        try:
            message = self._decode(text)
            kind = message["type"]
        except (ValueError, TypeError, LookupError, RecursionError):
            self.malformed(text)
            return
        if kind == "event":
            feed = self.feeds.find(message.get("topic"))
            if feed is not None:
                feed.event(message, size)
        elif kind == "ack" or kind == "error" or kind == "pong":
            self._answer(message)
        elif kind == "info":
            self._inform(message)
        else:
            self.malformed(text)

    def _answer(self, reply: dict[str, Any]) -> None:
        if reply["type"] != "error":
            self.backoff.answered()
        if self.outbox is not None and self.outbox.answered(reply):
            return
        done = self._requests.pop(reply.get("request_id"))
        if done is not None:
            done(reply)
        elif reply["type"] == "error" and (failure := refusal(reply)).code not in _BEFORE_CLOSE:
            self.owner.report(failure)

    def _inform(self, message: dict[str, Any]) -> None:
        kind = message.get("msg")
        if kind == "shutdown":
            delay = count_of(message.get("reconnect_after_ms"))
            self._assigned = None if delay is None else delay / 1000
        elif kind == "token_expiring" and self._renewal is not None:
            self._renewal.announce((count_of(message.get("expires_in_ms")) or 0) / 1000)
        else:
            self.feeds.inform(message)
