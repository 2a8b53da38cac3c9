"""Which of a connection's subscriptions a message is for.

No two subscriptions of a connection take the same topic, because an event does not say for which of them it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._feed import Feed
from ._types import Presence, SlowConsumer, count_of


class Router:
    def __init__(self) -> None:
        # By topic or pattern.
        self._feeds: dict[str, Feed] = {}
        self._patterns: list[Feed] = []

    def __iter__(self) -> Iterator[Feed]:
        """A copy: feeds may end while they are told something."""
        return iter(list(self._feeds.values()))

    def __bool__(self) -> bool:
        return bool(self._feeds)

    @property
    def has_full(self) -> bool:
        """Whether a subscription has no room for more."""
        return any(feed.buffer.is_full for feed in self._feeds.values())

    def accepts(self, feed: Feed) -> bool:
        """Whether no event could be for this subscription and another one here."""
        if not feed.is_pattern:
            return self.find(feed.topic) is None
        return not any(overlap(other.tokens, feed.tokens) for other in self._feeds.values())

    def add(self, feed: Feed) -> None:
        self._feeds[feed.topic] = feed
        if feed.is_pattern:
            self._patterns.append(feed)

    def remove(self, feed: Feed) -> bool:
        """False when it was not here."""
        if self._feeds.get(feed.topic) is not feed:
            return False
        del self._feeds[feed.topic]
        if feed.is_pattern:
            self._patterns.remove(feed)
        return True

    def find(self, topic: object) -> Feed | None:
        """The subscription that takes messages of this topic."""
        if type(topic) is not str:
            return None
        exact = self._feeds.get(topic)
        if exact is not None or not self._patterns:
            return exact
        tokens = topic.split(".")
        return next((feed for feed in self._patterns if overlap(feed.tokens, tokens)), None)

    def inform(self, message: dict[str, Any]) -> None:
        """Hands on an `info` about a topic."""
        kind, topic = message.get("msg"), message.get("topic")
        if type(topic) is not str:
            return
        if kind == "unsubscribed":
            # Of a pattern it names that.
            if (ended := self._feeds.get(topic)) is not None:
                ended.unsubscribed(message.get("reason"))
            return
        feed = self.find(topic)
        if feed is None:
            return
        if kind == "messages_dropped":
            feed.dropped(message)
        elif kind == "topic_created":
            feed.created(message)
        elif kind == "topic_deleted":
            feed.deleted(topic)
        elif kind == "joined" or kind == "left":
            client_id = message.get("client_id")
            if type(client_id) is str:
                feed.note(Presence(topic, "joined" if kind == "joined" else "left", client_id))
        elif kind == "slow_consumer_warning":
            lag, queue = count_of(message.get("lag")) or 0, count_of(message.get("queue")) or 0
            feed.note(SlowConsumer(topic, lag, queue))


def overlap(a: list[str], b: list[str]) -> bool:
    """Whether a topic can match both; for a topic's own name and a pattern, whether that matches. Both as tokens."""
    for left, right in zip(a, b, strict=False):
        if left == ">" or right == ">":
            return True
        if left != "*" and right != "*" and left != right:
            return False
    return len(a) == len(b)
