"""What a subscription holds for its consumer: messages and, in their places between them, notices.

Bounded by messages and by bytes. What happens at the bound is the subscription's policy:

    wait         everything is taken; `is_full` tells the connection to read no more, so that the server sees a slow
                 subscriber (what was read with the message that filled it is the only excess)
    drop-oldest  the oldest goes, and a notice stands in its place
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from ._types import Dropped, Gap, Message, Notice, WhenFull

Item: TypeAlias = Message | Notice


class Buffer:
    def __init__(self, topic: str, limit: int, limit_bytes: int, policy: WhenFull) -> None:
        self._topic, self._limit, self._limit_bytes, self._policy = topic, limit, limit_bytes, policy
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._dropped = 0
        self._first: int | None = None
        self._last: int | None = None
        self._has_gap = False
        self._is_full = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether no more should be read; until half of it is free again."""
        return self._is_full

    def push(self, item: Item, size: int) -> None:
        self._items.append((item, size))
        self._bytes += size
        if len(self._items) >= self._limit or self._bytes >= self._limit_bytes:
            if self._policy == "wait":
                self._is_full = True
                return
            while len(self._items) > self._limit or (self._bytes > self._limit_bytes and len(self._items) > 1):
                self._drop()

    def take(self) -> Item:
        """The next item; there must be one."""
        if self._dropped or self._has_gap:
            return self._skipped()
        item, size = self._items.popleft()
        self._bytes -= size
        if self._is_full and len(self._items) <= self._limit // 2 and self._bytes <= self._limit_bytes // 2:
            self._is_full = False
        return item

    def clear(self) -> None:
        self._items.clear()
        self._bytes, self._dropped, self._has_gap, self._is_full = 0, 0, False, False

    def _drop(self) -> None:
        item, size = self._items.popleft()
        self._bytes -= size
        match item:
            case Message(offset=offset):
                self._dropped += 1
                self._widen(offset, offset)
            case Dropped(dropped=count, missed=missed):
                self._dropped += count
                self._widen(*(missed or (None, None)))
            case _:
                # What it said of the topic is lost too.
                self._has_gap = True

    def _widen(self, first: int | None, last: int | None) -> None:
        if self._first is None:
            self._first = first
        self._last = last

    def _skipped(self) -> Item:
        missed = None if self._first is None or self._last is None else (self._first, self._last)
        count, self._dropped, self._first, self._last = self._dropped, 0, None, None
        if self._has_gap:
            self._has_gap = False
            return Gap(self._topic)
        return Dropped(self._topic, count, missed)
