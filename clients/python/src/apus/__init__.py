"""A client of Apus, the publish/subscribe server, for asyncio; `apus.sync` is the same without it.

import asyncio, apus

async def main():
    async with apus.Client("http://localhost:8080") as client:
        await client.publish("orders", {"id": 1})
        async for message in client.subscribe("orders", since="all"):
            print(message.offset, message.payload)

asyncio.run(main())
"""

from ._client import Client
from ._errors import (
    ApusError,
    BadRequest,
    Closed,
    ConnectionFailed,
    Forbidden,
    MessageTooBig,
    QueueFull,
    RateLimited,
    TokenUnavailable,
    TopicExists,
    TopicNotFound,
    Unauthorized,
    Unavailable,
)
from ._rest import Page, TopicInfo, Topics, TopicSummary
from ._subscription import Subscription
from ._types import (
    Dropped,
    Gap,
    Message,
    Notice,
    Outcome,
    Overflow,
    Position,
    Presence,
    Since,
    SlowConsumer,
    State,
    StateChange,
    Stored,
    TokenProvider,
    TopicCreated,
    TopicDeleted,
    Waiting,
    WhenFull,
)

__version__ = "0.1.0"

__all__ = [
    "ApusError",
    "BadRequest",
    "Client",
    "Closed",
    "ConnectionFailed",
    "Dropped",
    "Forbidden",
    "Gap",
    "Message",
    "MessageTooBig",
    "Notice",
    "Outcome",
    "Overflow",
    "Page",
    "Position",
    "Presence",
    "QueueFull",
    "RateLimited",
    "Since",
    "SlowConsumer",
    "State",
    "StateChange",
    "Stored",
    "Subscription",
    "TokenProvider",
    "TokenUnavailable",
    "TopicCreated",
    "TopicDeleted",
    "TopicExists",
    "TopicInfo",
    "TopicNotFound",
    "TopicSummary",
    "Topics",
    "Unauthorized",
    "Unavailable",
    "Waiting",
    "WhenFull",
]
