"""Commands without an answer, other than publications."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, TypeAlias

from ._feed import Feed

#: What is done with an answer.
Done: TypeAlias = Callable[[dict[str, Any]], None]

#: The ids of all commands of this process.
numbers = itertools.count(1)


class Requests:
    """Of one connection."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Done, int, Feed | None]] = {}

    def add(self, command: dict[str, Any], done: Done, feed: Feed | None = None) -> str:
        """The text to send."""
        number = next(numbers)
        text = json.dumps({**command, "request_id": number})
        self._waiting[number] = (done, len(text), feed)
        return text

    def pop(self, number: object) -> Done | None:
        if type(number) is not int or number not in self._waiting:
            return None
        return self._waiting.pop(number)[0]

    @property
    def largest(self) -> tuple[Feed | None, int]:
        """The largest of those that subscribe, and its bytes."""
        asked = [(feed, size) for _, size, feed in self._waiting.values() if feed is not None]
        return max(asked, key=lambda pair: pair[1], default=(None, 0))

    def clear(self) -> None:
        self._waiting.clear()
