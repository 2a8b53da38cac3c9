"""What a subscription can be asked for, and what it needs of its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from ._types import Overflow, Since, WhenFull, since_field


class SubscribeOptions(TypedDict, total=False):
    """See `Client.subscribe`."""

    since: Since | None
    last_n: int | None
    overflow: Overflow | None
    queue: int | None
    echo: bool
    presence: bool
    wait: bool
    buffer: int
    buffer_bytes: int
    when_full: WhenFull
    dedicated: bool
    client_id: str | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """Checked, with the defaults."""

    client_id: str
    since: dict[str, Any] | str | None = None
    last_n: int | None = None
    overflow: Overflow | None = None
    queue: int | None = None
    echo: bool = True
    presence: bool = False
    wait: bool = False
    buffer: int = 1000
    buffer_bytes: int = 4 << 20
    when_full: WhenFull = "wait"
    dedicated: bool = False


def wishes(client_id: str, options: SubscribeOptions) -> Wishes:
    """Raises `ValueError` or `TypeError` for what cannot be; the server looks at what goes to it."""
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "since" in given:
        given["since"] = since_field(given["since"])
    made = Wishes(**{"client_id": client_id, **given})
    if made.buffer < 1 or made.buffer_bytes < 1 or made.when_full not in ("wait", "drop-oldest"):
        raise ValueError('buffer and buffer_bytes are at least 1, when_full is "wait" or "drop-oldest"')
    return made


def first_part(topic: str, wishes: Wishes, *, is_pattern: bool) -> dict[str, Any]:
    """The command that subscribes, without where to start."""
    command: dict[str, Any] = {"type": "subscribe", "topic": topic, "client_id": wishes.client_id}
    # An extension, so that a pattern's events have their key, and the server says when to come back.
    command["positions"] = not is_pattern
    if wishes.overflow is not None:
        command["overflow"] = wishes.overflow
    if wishes.queue is not None:
        command["queue"] = wishes.queue
    if wishes.presence:
        command["presence"] = True
    return command
