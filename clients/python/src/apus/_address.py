"""Where a server is: `http://host`, `https://host/apus/v1`, `ws://host/ws`, `unix:/run/apus.sock`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    is_secure: bool
    #: What precedes `/ws` and `/topics`: the server's prefix and the dialect.
    base: str
    unix: str | None = None

    @property
    def authority(self) -> str:
        """For the `Host` field, and for people."""
        if self.unix is not None:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"unix:{self.unix}" if self.unix is not None else self.authority


class Servers:
    """The servers of a client in their order, and the one that all its connections are made to now.

    It moves on when a connection cannot be made there, or when that server goes away, and begins again after the last
    one. Connections that are open stay where they are.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._all, self._index = tuple(addresses), 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Address]:
        """All of them, from the current one on."""
        return iter(self._all[self._index :] + self._all[: self._index])

    @property
    def current(self) -> Address:
        return self._all[self._index]

    def move_on(self, address: Address) -> None:
        """Moves on from a server, unless another connection has done so already."""
        if self.current == address:
            self._index = (self._index + 1) % len(self._all)


def parse_all(urls: str | Sequence[str]) -> Servers:
    given = [urls] if isinstance(urls, str) else list(urls)
    if not given:
        raise ValueError("a client needs the address of a server, or several")
    return Servers([parse(url) for url in given])


def parse(url: str) -> Address:
    """Raises `ValueError`, in a sentence without what may be a credential."""
    if url.startswith("unix:"):
        path = url.removeprefix("unix:").removeprefix("//")
        if not path:
            raise ValueError("the address unix: needs the path of a socket, as in unix:/run/apus.sock")
        return Address("localhost", 80, False, "", path)
    shown = url.split("?")[0].split("#")[0].rpartition("@")[2]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"not an address of a server: {shown}") from None
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"not an address of a server, which begins with http, https, ws, wss or unix: {shown}")
    if parts.username is not None or parts.query:
        raise ValueError("an address takes no credential and no query: use api_key or token")
    is_secure = parts.scheme in ("https", "wss")
    base = parts.path.rstrip("/")
    base = base.removesuffix("/ws")
    if any(ord(character) <= 32 or ord(character) > 126 for character in base):
        raise ValueError(f"the path of an address is percent-encoded: {shown}")
    return Address(unquote(parts.hostname), port or (443 if is_secure else 80), is_secure, base)
