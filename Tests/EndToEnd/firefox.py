"""Firefox without a window, driven by WebDriver BiDi."""

import asyncio
import json
import re
import shutil
import tempfile
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect

from apus_e2e import TIMEOUT


def program():
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    assert path, "needs a browser: apt-get install firefox-esr (dev/install does)"
    return path


class Firefox:
    """One page of it, and what it complains about."""

    def __init__(self, connection):
        self._connection, self._number, self._answers = connection, 0, {}
        self.complaints = []

    @classmethod
    @asynccontextmanager
    async def open(cls, address):
        """A browser of its own that has gone to the address."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            process = await asyncio.create_subprocess_exec(
                program(), "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0",
                "about:blank",
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
            try:
                url = await asyncio.wait_for(_listening(process.stderr), 6 * TIMEOUT)
                reading = asyncio.create_task(_read_on(process.stderr))
                async with connect(f"{url}/session", max_size=None, proxy=None) as connection:
                    page = cls(connection)
                    await page._begin(address)
                    yield page
                reading.cancel()
            finally:
                process.kill()
                await process.wait()

    async def _begin(self, address):
        await self._ask("session.new", capabilities={})
        await self._ask("session.subscribe", events=["log.entryAdded"])
        tree = await self._ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        await self._ask("browsingContext.navigate", context=self._context, url=address, wait="complete")

    async def evaluate(self, script):
        """What the script, a promise of a text, comes to."""
        target = {"context": self._context}
        done = await self._ask("script.evaluate", expression=script, target=target, awaitPromise=True)
        assert done["type"] == "success", done
        return done["result"].get("value")

    async def click(self, x, y):
        """Presses and releases the mouse there."""
        actions = [{"type": "pointerMove", "x": int(x), "y": int(y)}, {"type": "pointerDown", "button": 0},
                   {"type": "pointerUp", "button": 0}]
        await self._ask("input.performActions", context=self._context,
                        actions=[{"type": "pointer", "id": "mouse", "actions": actions}])

    async def _ask(self, method, **parameters):
        self._number += 1
        await self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while self._number not in self._answers:
            message = json.loads(await self._connection.recv())
            if message.get("method") == "log.entryAdded" and message["params"]["level"] in ("error", "warn"):
                self.complaints.append(message["params"])
            elif "id" in message:
                self._answers[message["id"]] = message
        answer = self._answers.pop(self._number)
        assert answer["type"] == "success", answer
        return answer["result"]


async def _listening(stream):
    """The address that it says it listens on."""
    while line := await stream.readline():
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line.decode(errors="replace")):
            return found[1]
    raise AssertionError("the browser did not start")


async def _read_on(stream):
    """Takes what it says, which would otherwise hold it up."""
    while await stream.read(65536):
        pass
