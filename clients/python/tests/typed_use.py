"""What programs write, for mypy: nothing here is run."""

import asyncio
import datetime
from typing import assert_type

import apus
from apus.sync import Client as SyncClient


async def token() -> str:
    return "eyJ"


async def use(saved: apus.Position | None) -> None:
    async with apus.Client("http://localhost:8080", token=token) as client:
        outcome = await client.publish("orders", {"id": 1}, key="k", ttl="30s")
        assert_type(outcome, apus.Outcome)
        assert_type(client.enqueue("orders", 1), asyncio.Future[apus.Outcome])
        async with client.subscribe("orders", since=saved or "all", overflow="latest", queue=10) as orders:
            async for message in orders:
                assert_type(message, apus.Message)
                saved = message.position
        async for item in client.subscribe("orders", since=datetime.timedelta(minutes=10), notices=True):
            match item:
                case apus.Message(payload=payload):
                    print(payload)
                case apus.Gap(missed=missed):
                    assert_type(missed, tuple[int, int] | None)
                case apus.Dropped() | apus.TopicDeleted() | apus.Waiting() | apus.TopicCreated():
                    pass
        assert_type(await client.topics.list(), list[apus.TopicSummary])


def use_without_asyncio() -> None:
    with SyncClient("http://localhost:8080", api_key="k") as client, client.subscribe("orders") as orders:
        for message in orders.messages(timeout=1.0):
            assert_type(message, apus.Message)
        assert_type(client.publish("orders", 1), apus.Outcome)
        assert_type(client.topics.get("orders"), apus.TopicInfo)
