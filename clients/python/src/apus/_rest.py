"""The management API over HTTP: one request per call on a connection of its own, in a thread, with a deadline.

Nothing is retried; of several servers, the first is asked that a connection can be made to. An error status is an
`ApusError` with the server's code and sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl as tls
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from ._address import Address, Servers
from ._credential import Credential
from ._errors import ApusError, error
from ._proxy import Given, towards
from ._types import Message, Position, Since, since_field

#: The largest answer that is taken, in bytes: enough for several hundred thousand topics.
MAX_ANSWER = 64 << 20


@dataclass(frozen=True, slots=True)
class TopicSummary:
    name: str
    subscribers: int


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic. `settings` has the names of docs/protocol.md, such as `history` and `dedupe_window`."""

    name: str
    settings: dict[str, Any]
    epoch: str
    #: Offsets that can be replayed; of an empty topic `first` is one more than `last`.
    first: int
    last: int
    #: Messages published since it was created.
    messages: int
    bytes: int
    subscribers: int
    #: All that the server said.
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Kept messages of a topic, oldest first."""

    messages: list[Message]
    #: Where the next page begins: give it as `since`.
    next: Position
    #: The topic's first and last offset.
    first: int
    last: int
    #: False: messages after the position that was asked for are gone; `missed` says which, where that is known.
    recovered: bool
    missed: tuple[int, int] | None = None


class Rest:
    """The HTTP interface of a client's server."""

    def __init__(
        self, servers: Servers, credential: Credential, ssl: tls.SSLContext | None, proxy: Given, timeout: float
    ) -> None:
        self._servers, self._credential, self._ssl, self._proxy = servers, credential, ssl, proxy
        self._timeout = timeout

    async def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None, timeout: float = 0.0
    ) -> dict[str, Any]:
        """One request; `path` begins behind the server's prefix and dialect. Raises an `ApusError`.

        `timeout`: seconds beyond the client's own.
        """
        headers = {"Accept": "application/json", **await self._credential.headers()}
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{path}{'?' + urlencode(given) if given else ''}"
        content = None
        if body is not None:
            content = json.dumps(body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        return await asyncio.to_thread(self._request, method, target, content, headers, self._timeout + timeout)

    def _request(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> dict[str, Any]:
        address, connection = self._connected(f"{method} {target.partition('?')[0]}", timeout)
        try:
            with _named(address, f"{method} {target.partition('?')[0]}"):
                connection.request(method, address.base + target, body, headers)
                answer = connection.getresponse()
                content = answer.read(MAX_ANSWER + 1)
            if len(content) > MAX_ANSWER:
                raise error("PROTOCOL_ERROR", f"an answer of more than {MAX_ANSWER} bytes")
            after = answer.headers.get("Retry-After", "")
            return _checked(answer.status, content, float(after) if after.isdigit() else None)
        finally:
            connection.close()

    def _connected(self, request: str, timeout: float) -> tuple[Address, http.client.HTTPConnection]:
        """A connection to the first server to which there is one. Raises the failure of the last."""
        failure: ApusError | None = None
        for address in self._servers:
            connection = self._connection(address, timeout)
            try:
                with _named(address, request):
                    connection.connect()
                return address, connection
            except ApusError as fault:
                connection.close()
                failure = fault
        assert failure is not None
        raise failure

    def _connection(self, address: Address, timeout: float) -> http.client.HTTPConnection:
        if address.unix is not None:
            return _UnixConnection(address.unix, timeout)
        proxy = towards(address, self._proxy)
        host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
        connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout, context=self._ssl)
            if address.is_secure
            else http.client.HTTPConnection(host, port, timeout=timeout)
        )
        if proxy is not None:
            connection.set_tunnel(address.host, address.port, proxy.headers)
        return connection


class Topics:
    """The topics of a server: `client.topics`."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list(self) -> list[TopicSummary]:
        """All topics that the credential may see."""
        answer = await self._rest.call("GET", "/topics")
        return [TopicSummary(topic["name"], topic["subscribers"]) for topic in answer["topics"]]

    async def create(self, name: str, **settings: Any) -> bool:
        """Creates a topic; False where it exists and the server is set to accept that.

        Raises `TopicExists`. With settings (`history=1000, dedupe_window="2m"`), a topic that exists is changed
        instead, and that is False too. A duration is text with its unit, or a number of seconds.
        """
        if settings:
            return await self.configure(name, **settings)
        return bool((await self._rest.call("POST", "/topics", {"name": name}))["status"] == "created")

    async def configure(self, name: str, **settings: Any) -> bool:
        """Creates a topic with settings (True), or changes those that are named (False). None resets one."""
        return bool((await self._rest.call("PUT", _path(name), settings))["status"] == "created")

    async def get(self, name: str) -> TopicInfo:
        """Settings, epoch, offsets and counts. Raises `TopicNotFound`."""
        answer = await self._rest.call("GET", _path(name))
        names = ("name", "settings", "epoch", "first", "last", "messages", "bytes", "subscribers")
        return TopicInfo(**{member: answer[member] for member in names}, raw=answer)

    async def delete(self, name: str) -> None:
        """Deletes a topic with all its messages. Raises `TopicNotFound`."""
        await self._rest.call("DELETE", _path(name))

    async def purge(self, name: str) -> int:
        """Empties a topic's history; offsets go on. How many messages that were."""
        return int((await self._rest.call("DELETE", f"{_path(name)}/messages"))["purged"])

    async def messages(
        self,
        name: str,
        *,
        since: Since | None = None,
        last_n: int | None = None,
        limit: int | None = None,
        wait: float | None = None,
    ) -> Page:
        """A page of kept messages: without `since` and `last_n` from the oldest on.

        `limit`: at most so many, 1 to 1,000 (100). `wait`: if there are none, seconds to wait for the first, up to 300.
        """
        query: dict[str, Any] = {"last_n": last_n, "limit": limit, "wait": None if wait is None else f"{wait:g}s"}
        match since_field(since) if since is not None else None:
            case {"epoch": epoch, "offset": offset}:
                query |= {"after": offset, "epoch": epoch}
            case str(text):
                query["since"] = text
        answer = await self._rest.call("GET", f"{_path(name)}/messages", query=query, timeout=wait or 0.0)
        epoch, missed = answer["epoch"], answer.get("missed")
        messages = [
            Message(
                name,
                item["message"]["id"],
                item["message"]["payload"],
                item["message"],
                item.get("ts") or item.get("timestamp") or "",
                item.get("key"),
                item["offset"],
                epoch,
            )
            for item in answer["messages"]
        ]
        return Page(
            messages,
            Position(epoch, answer["next"]),
            answer["first"],
            answer["last"],
            answer.get("recovered") is not False,
            (missed["from"], missed["to"]) if missed else None,
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextlib.contextmanager
def _named(address: Address, request: str) -> Iterator[None]:
    """What goes wrong is an `ApusError` that names the server."""
    try:
        yield
    except TimeoutError as fault:
        raise error("TIMED_OUT", f"{address} did not answer {request} in time") from fault
    except tls.SSLCertVerificationError as fault:
        raise error("UNTRUSTED", f"the certificate of {address} is not trusted: give its authority") from fault
    except (OSError, http.client.HTTPException) as fault:
        raise error("UNREACHABLE", f"cannot reach {address}: {fault}") from fault


def _path(name: str) -> str:
    # A segment of only dots would be taken for a relative path.
    return f"/topics/{name.replace('.', '%2E') if name in ('.', '..') else quote(name, safe='')}"


def _checked(status: int, content: bytes, retry_after: float | None) -> dict[str, Any]:
    try:
        answer = json.loads(content) if content else {}
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        answer = {"title": "no answer of Apus: look at the address"} if status < 300 else {}
        status = 502 if status < 300 else status
    if status < 300:
        return answer
    raise _problem(status, answer, retry_after)


def _problem(status: int, answer: dict[str, Any], retry_after: float | None) -> ApusError:
    code = answer.get("code") or {401: "UNAUTHORIZED", 403: "FORBIDDEN", 503: "UNAVAILABLE"}.get(status, "REFUSED")
    text = answer.get("detail") or answer.get("title") or f"the server answered with status {status}"
    return error(str(code), str(text), retry_after=retry_after, status=status)
