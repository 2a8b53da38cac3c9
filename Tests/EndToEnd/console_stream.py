"""A reader of the console's stream: see docs/console.md."""

import json
from urllib.parse import urlencode

from apus_e2e import TIMEOUT, until
from event_stream import EventStream


class Console:
    """An open console. Events come in order; `expect` passes over those of other names."""

    def __init__(self, stream):
        self.stream = stream

    @classmethod
    async def open(cls, server, headers=None, **query):
        stream = await EventStream.open(server, f"/console/stream?{urlencode(query)}", headers)
        return cls(stream)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.stream.__aexit__()

    async def next(self, timeout=TIMEOUT):
        """The next event and its data; None when the stream ended."""
        part = await self.stream.next(timeout)
        return part and (part.event, json.loads("\n".join(part.data)))

    async def expect(self, name, condition=lambda data: True):
        """The data of the next event of this name for which the condition holds."""
        found = None

        async def look():
            nonlocal found
            event = await self.next()
            assert event is not None, f"the stream ended without '{name}'"
            found = event[1] if event[0] == name and condition(event[1]) else None
            return found is not None

        while not await look():
            pass
        return found

    async def rest(self):
        """The names of the events up to the end of the stream."""
        names = []
        while (event := await self.next()) is not None:
            names.append(event[0])
        return names


async def open_consoles(server, count, timeout=TIMEOUT):
    """Waits until the server counts so many."""
    def counted():
        text = server.rest("GET", "/metrics").body.decode()
        return f"\napus_consoles {count}\n" in text

    await until(counted, f"{count} consoles", timeout)
