"""How a client connects, and the limits of what it holds. `Client` documents each."""

from __future__ import annotations

import json
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._proxy import Given

_raw_decode = json.JSONDecoder().raw_decode


def decode_json(text: str) -> Any:
    """`json.loads` for a text that begins with its value, as the server writes them."""
    return _raw_decode(text)[0]


@dataclass(frozen=True, slots=True)
class Options:
    client_id: str
    publish_queue: int
    publish_queue_bytes: int
    publish_wait: float
    min_delay: float
    max_delay: float
    connect_timeout: float
    close_timeout: float
    ping_interval: float
    max_message: int
    compression: bool
    decode: Callable[[str], Any]
    require_connection: bool
    ssl: tls.SSLContext | None
    proxy: Given


def context(is_secure: bool, ca: str | Path | None, ssl: tls.SSLContext | None) -> tls.SSLContext | None:
    """What a secure connection is made with. Raises `OSError` or `ssl.SSLError` where `ca` cannot be used."""
    if ca is not None and ssl is not None:
        raise ValueError("ca and ssl exclude each other: load the authority into the context")
    if not is_secure:
        return None
    if ssl is not None:
        return ssl
    return tls.create_default_context(cafile=None if ca is None else str(ca))
