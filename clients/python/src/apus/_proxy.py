"""The HTTP proxy on the way to a server: asked for a tunnel (`CONNECT`), for ws and http as for wss and https."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from ._address import Address

#: As `Client` is given it: an address, or `True` for what the environment says.
Given = str | bool | None


@dataclass(frozen=True, slots=True)
class Proxy:
    #: With the credential, if there is one.
    url: str
    host: str
    port: int
    #: For its own request.
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port}"


def parse(url: str) -> Proxy:
    """Raises `ValueError`, in a sentence without what may be a credential."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise ValueError("not an address of a proxy") from None
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("the address of a proxy begins with http://: others, such as SOCKS, are not supported")
    headers = {}
    if parts.username is not None:
        credential = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(credential.encode()).decode()}"
    return Proxy(url, parts.hostname, port, headers)


def towards(address: Address, given: Given) -> Proxy | None:
    """The proxy for a server; with `True` by `https_proxy` or `http_proxy`, `all_proxy`, and `no_proxy`."""
    if given is None or given is False or address.unix is not None:
        return None
    if given is not True:
        return parse(given)
    if proxy_bypass_environment(f"{address.host}:{address.port}"):
        return None
    known = getproxies_environment()
    url = known.get("https" if address.is_secure else "http") or known.get("all")
    return parse(url) if url else None
