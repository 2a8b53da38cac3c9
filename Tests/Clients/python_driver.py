"""The Python client under the scenarios: steps as JSON lines on standard input, what happens on standard output."""

import asyncio
import json
import sys
from pathlib import Path

import apus

NAMES = {apus.Waiting: "waiting", apus.TopicCreated: "topicCreated", apus.TopicDeleted: "topicDeleted"}


def say(**event):
    print(json.dumps(event), flush=True)


def item(thing):
    match thing:
        case apus.Message(payload=payload, offset=offset):
            return {"payload": payload, "offset": offset}
        case apus.Gap(missed=missed):
            return {"notice": "gap", "missed": missed}
        case apus.Dropped(missed=missed):
            return {"notice": "dropped", "missed": missed}
    return {"notice": NAMES[type(thing)]}


class Driver:
    def __init__(self, url, token_file):
        token = (lambda: Path(token_file).read_text().strip()) if token_file else None
        self.client = apus.Client(url.split(","), token=token, min_delay=0.05, max_delay=0.3, on_state=self._turned)
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.tasks = []

    @staticmethod
    def _turned(change):
        if change.state == "waiting":
            say(event="lost", reason=str(change.error))

    async def read(self, topic, options):
        try:
            async for thing in self.client.subscribe(topic, notices=True, **options):
                say(event="item", **item(thing))
                await self.may_take.wait()
            say(event="ended", code=None)
        except apus.ApusError as error:
            say(event="ended", code=error.code)

    async def publish(self, topic, payload, name):
        try:
            outcome = await self.client.publish(topic, payload, id=name)
            say(event="outcome", offset=outcome.offset, duplicate=outcome.duplicate)
        except apus.ApusError as error:
            say(event="refused", code=error.code)

    def do(self, step):
        match step:
            case {"do": "subscribe", "topic": topic, "options": options}:
                self.tasks.append(asyncio.create_task(self.read(topic, options)))
            case {"do": "publish", "topic": topic, "payload": payload, "id": name}:
                self.tasks.append(asyncio.create_task(self.publish(topic, payload, name)))
            case {"do": "pause"}:
                self.may_take.clear()
            case {"do": "resume"}:
                self.may_take.set()


async def main():
    driver = Driver(sys.argv[1], sys.argv[2])
    steps = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(steps), sys.stdin)
    async with driver.client:
        while line := await steps.readline():
            driver.do(json.loads(line))
    for task in driver.tasks:
        task.cancel()


asyncio.run(main())
