"""One WebSocket of the package `websockets`, as a link needs it: messages to a function, a pause, bounded ends.

Nothing is queued here but what the transport has not written yet; who sends bounds that (`_outbox`). At `pause` no
message is asked for any more, and with two that wait the package stops reading: then it holds at most these two, or
the messages of one read of the system, 256 KiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl as tls
from collections.abc import Callable
from typing import Any

from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, ProxyError
from websockets.protocol import State

from ._address import Address
from ._errors import ApusError, error
from ._proxy import Given, towards

#: The close codes with which the package itself ends a connection for what came: the same would come again.
_FAULTS = (1002, 1007, 1009)


class _Connection(client.ClientConnection):
    """Knows when something was last received, and ends in a bounded time after a close frame of either side."""

    last_received = 0.0
    on_lost: Callable[[], None] | None = None
    _breaking: asyncio.TimerHandle | None = None

    @property
    def unsent(self) -> int:
        """Bytes that the system has not taken yet."""
        return self.transport.get_write_buffer_size()

    def data_received(self, data: bytes) -> None:
        self.last_received = self.loop.time()
        super().data_received(data)
        if self.state is State.CLOSING and self._breaking is None:
            # Whoever says goodbye need not read any more: to write all of it may take for ever.
            self._breaking = self.loop.call_later(0 if self.unsent else self.close_timeout or 0, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._breaking is not None:
            self._breaking.cancel()
        if self.on_lost is not None:
            self.on_lost()


class _Connect(client.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follows none: a credential is for the server that it was given for."""
        return exc


class WebSocket:
    """Made by `connect`."""

    def __init__(self, connection: _Connection, on_message: Callable[[str, int], None], max_message: int) -> None:
        self._connection, self._on_message, self._max_message = connection, on_message, max_message
        self._room = asyncio.Event()
        self._out: list[str] = []
        #: The close code and reason when it is over; 1006 without a close frame.
        self.closed: asyncio.Future[tuple[int, str]] = connection.loop.create_future()
        self._reading = connection.loop.create_task(self._read())
        connection.on_lost = self._lost

    def send(self, text: str) -> None:
        """Sends a text message, together with the others of this turn of the loop: one system call for all of them."""
        if not self._out:
            self._connection.loop.call_soon(self._flush)
        self._out.append(text)

    async def ping(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._connection.ping()

    @property
    def unsent(self) -> int:
        return self._connection.unsent

    @property
    def last_received(self) -> float:
        """By the loop's clock."""
        return self._connection.last_received

    def pause(self) -> None:
        """Hands out no message and reads nothing until `resume`."""
        self._room.clear()

    def resume(self) -> None:
        if self.is_paused:
            self._connection.last_received = self._connection.loop.time()
            self._room.set()

    @property
    def is_paused(self) -> bool:
        return not self._room.is_set()

    async def close(self, timeout: float) -> None:
        """Says goodbye, and waits for the server's word; breaks the connection when that takes too long."""
        self._flush()
        self._ignore()
        try:
            async with asyncio.timeout(timeout):
                await self._connection.close()
                await asyncio.wait([self._reading])
        except TimeoutError:
            pass
        finally:
            self.abort()
        await asyncio.wait([self._reading])

    def abort(self) -> None:
        self._connection.transport.abort()
        self._reading.cancel()
        if not self.closed.done():
            self.closed.set_result((1006, ""))

    async def _read(self) -> None:
        connection, room = self._connection, self._room
        try:
            while True:
                while not room.is_set():
                    await room.wait()
                data = await connection.recv(decode=False)
                try:
                    text = data.decode()
                except UnicodeDecodeError:
                    await connection.close(1007, "a text that is not UTF-8")
                    continue
                self._on_message(text, len(data))
        except ConnectionClosed as end:
            if not self.closed.done():
                self.closed.set_result(self._end(end))
        except Exception as fault:
            # A fault of ours, for whoever waits for the end.
            if not self.closed.done():
                self.closed.set_exception(fault)

    def _end(self, end: ConnectionClosed) -> tuple[int, str]:
        if end.rcvd is not None:
            return end.rcvd.code, end.rcvd.reason
        if end.sent is not None and end.sent.code in _FAULTS:
            is_long = end.sent.code == 1009
            text = f"a message of more than {self._max_message} bytes: raise max_message"
            return end.sent.code, text if is_long else end.sent.reason
        return 1006, str(end.__cause__ or "")

    def _lost(self) -> None:
        # What waits unread is asked for again on the next connection, where the consumer may have room sooner.
        if self.is_paused:
            self._ignore()

    def _flush(self) -> None:
        out, self._out = self._out, []
        connection, protocol = self._connection, self._connection.protocol
        # Nobody reads what comes behind a close.
        if connection.state is State.OPEN:
            for text in out:
                protocol.send_text(text.encode())
            connection.transport.write(b"".join(protocol.data_to_send()))

    def _ignore(self) -> None:
        self._on_message = _ignored
        self.resume()


async def ended(socket: WebSocket, interval: float) -> tuple[int, str]:
    """Waits for its end. One that answers nothing for two intervals, and takes nothing, has ended.

    The package's own pings would give up a connection that is not read for a slow loop.
    """
    if interval <= 0:
        return await socket.closed
    clock = asyncio.get_running_loop().time
    unsent = silence = 0
    while True:
        await asyncio.wait([socket.closed], timeout=interval)
        if socket.closed.done():
            return socket.closed.result()
        is_alive = clock() - socket.last_received < interval or socket.unsent < unsent
        # What waits unread here may be the answer.
        silence = 0 if is_alive or socket.is_paused else silence + 1
        unsent = socket.unsent
        if silence > 2:
            return 1006, "no answer to pings"
        # What is not even taken asks as much as a ping does, which would wait behind it.
        if silence and not unsent:
            await socket.ping()


def _ignored(text: str, size: int) -> None:
    """What comes after our own close."""


def _refused(failure: InvalidStatus) -> ApusError:
    status, body = failure.response.status_code, failure.response.body
    after = failure.response.headers.get("Retry-After", "")
    retry_after = float(after) if after.isascii() and after.isdigit() else None
    texts = {
        401: ("UNAUTHORIZED", "the server wants another key or token"),
        403: ("FORBIDDEN", "the server refuses this client: look at its allowed_hosts and allowed_origins"),
        404: ("NOT_FOUND", "there is no Apus at this path: look at the address"),
        429: ("RATE_LIMITED", "the server takes no more connections of this client for now"),
        503: ("UNAVAILABLE", "the server takes no connection for now"),
    }
    code, text = texts.get(status, ("REFUSED", f"the server answered the handshake with status {status}"))
    # The server's own words.
    with contextlib.suppress(ValueError, LookupError, TypeError):
        text = f"{text}: {json.loads(body or b'')['detail']}"
    return error(code, text, retry_after=retry_after, status=status)


def _no_handshake(failure: InvalidHandshake) -> ApusError:
    if not isinstance(failure, InvalidMessage):
        return error("PROTOCOL_ERROR", f"the server's answer is no WebSocket handshake (RFC 6455): {failure}")
    if isinstance(failure.__cause__, EOFError):
        return error("UNREACHABLE", "the server closed the connection before it answered")
    return error("PROTOCOL_ERROR", f"what answers there is no HTTP server: {failure.__cause__}")


async def connect(
    address: Address,
    on_message: Callable[[str, int], None],
    *,
    headers: dict[str, str],
    ssl: tls.SSLContext | None,
    proxy: Given = None,
    max_message: int,
    compression: bool,
    timeout: float,
    close_timeout: float,
) -> WebSocket:
    """Makes a connection, which is paused until `resume`.

    Raises an `ApusError`: UNREACHABLE, UNTRUSTED, TIMED_OUT, UNAUTHORIZED, …
    """
    place: dict[str, Any] = {} if address.unix is None else {"unix": True, "path": address.unix}
    if address.is_secure:
        place["ssl"] = ssl
    through = towards(address, proxy)
    try:
        connection = await _Connect(
            f"{'wss' if address.is_secure else 'ws'}://{address.authority}{address.base}/ws",
            compression="deflate" if compression else None,
            additional_headers=headers,
            proxy=None if through is None else through.url,
            open_timeout=timeout,
            close_timeout=close_timeout,
            ping_interval=None,
            max_size=max_message,
            max_queue=1,
            create_connection=_Connection,
            **place,
        )
    except TimeoutError:
        raise error("TIMED_OUT", f"{address} does not answer: no connection within {timeout:g} s") from None
    except tls.SSLCertVerificationError as fault:
        text = f"the certificate of {address} is not trusted: {fault.verify_message}; give its authority as ca"
        raise error("UNTRUSTED", text) from fault
    except tls.SSLError as fault:
        raise error("UNREACHABLE", f"no TLS with {address}: {fault.reason}") from fault
    except OSError as fault:
        raise error("UNREACHABLE", f"cannot reach {through or address}: {fault.strerror or fault}") from fault
    except ProxyError as failure:
        raise error("UNREACHABLE", f"{through} does not lead to {address}: {failure}") from failure
    except InvalidStatus as failure:
        raise _refused(failure) from None
    except InvalidHandshake as failure:
        raise _no_handshake(failure) from failure
    assert isinstance(connection, _Connection)
    return WebSocket(connection, on_message, max_message)
