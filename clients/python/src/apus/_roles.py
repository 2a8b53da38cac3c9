"""What the parts of a client need of each other, as far as they must not know each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ._address import Servers
from ._backoff import Backoff
from ._credential import Credential
from ._errors import ApusError
from ._options import Options
from ._types import State

if TYPE_CHECKING:
    from ._feed import Feed
    from ._link import Link


class Host(Protocol):
    """What a feed needs of its connection."""

    owner: Owner
    #: Counts connections.
    connection: int
    #: Whether the server at the other end is known to wait for topics by itself.
    knows_waiting: bool

    def join(self, feed: Feed) -> None: ...
    def join_later(self, feed: Feed, attempt: int) -> None: ...
    def room_changed(self) -> None: ...
    def malformed(self, data: object) -> None: ...
    def released(self, feed: Feed, is_subscribed: bool) -> None: ...


class Owner(Protocol):
    """What a link needs of its client."""

    options: Options
    servers: Servers
    credential: Credential

    def turned(
        self, link: Link, state: State, delay: float | None = None, failure: ApusError | None = None
    ) -> None: ...
    def new_backoff(self) -> Backoff: ...
    def report(self, failure: ApusError) -> None: ...
    def fail(self, failure: ApusError) -> None: ...
    def retire(self, link: Link) -> None: ...
    def is_there(self, topic: str) -> None: ...
    def is_gone(self, topic: str) -> None: ...
    def is_own(self, message_id: object) -> bool: ...
