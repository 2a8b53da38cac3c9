"""Chromium without a window, driven by its own protocol, and trusting the certificates of the tests' servers."""

import asyncio
import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
import urllib.request
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from websockets.asyncio.client import connect

from apus_e2e import TIMEOUT
from certificates import local_pair


def program():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "needs a browser: apt-get install chromium (dev/install does)"
    return path


@cache
def _hash(key):
    """That of the public key that belongs to this file's private key."""
    key = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True,
                         capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


@asynccontextmanager
async def browser(address, *flags, keys=()):
    """A browser at this address, which trusts certificates with these keys, too; the folder of its profile."""
    trusted = ",".join(_hash(key) for key in (local_pair().key, *keys))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
            f"--ignore-certificate-errors-spki-list={trusted}", "--remote-debugging-port=0", *flags, address,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        try:
            yield profile
        finally:
            process.kill()
            await process.wait()


class Page:
    """The browser's page, and what it complains about."""

    def __init__(self, connection):
        self._connection, self._answers, self._number = connection, {}, 0
        self.complaints, self.requests, self._trace = [], [], []

    @classmethod
    @asynccontextmanager
    async def open(cls, address, *flags, **options):
        """A browser of its own that has gone to the address."""
        async with browser("about:blank", *flags, **options) as profile, \
                connect(await _devtools(profile), max_size=None, proxy=None, ping_interval=None) as connection:
            page = cls(connection)
            for domain in ("Log", "Runtime", "Page"):
                await page.ask(f"{domain}.enable")
            await page.go(address)
            yield page

    async def go(self, address):
        """Goes to the address, and waits until all of it is there."""
        self._answers.pop("loaded", None)
        went = await self.ask("Page.navigate", url=address)
        assert "errorText" not in went, went
        while "loaded" not in self._answers:
            await self._receive()

    async def evaluate(self, script):
        """What the script, a promise, comes to."""
        done = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def _receive(self):
        message = json.loads(await self._connection.recv())
        name, parameters = message.get("method"), message.get("params")
        if "id" in message:
            self._answers[message["id"]] = message
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(parameters)
        elif name == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters)
        elif name == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif name == "Page.loadEventFired":
            self._answers["loaded"] = message
        elif name == "Tracing.dataCollected":
            self._trace += parameters["value"]
        elif name == "Tracing.tracingComplete":
            self._answers["traced"] = message

    @asynccontextmanager
    async def tasks(self):
        """Fills a list with how long each task of the page's main thread took by the processor's clock, in ms."""
        found = []
        await self.ask("Tracing.start", transferMode="ReportEvents", traceConfig={"includedCategories": ["toplevel"]})
        yield found
        await self.ask("Tracing.end")
        while "traced" not in self._answers:
            await self._receive()
        del self._answers["traced"]
        threads = {(event["pid"], event["tid"]) for event in self._trace
                   if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"}
        found += [event["tdur"] / 1000 for event in self._trace
                  if (event["pid"], event["tid"]) in threads and event["name"].endswith("RunTask") and "tdur" in event]
        self._trace = []

    async def ask(self, method, **parameters):
        """What the browser answers to a command of its protocol."""
        self._number += 1
        await self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while self._number not in self._answers:
            await self._receive()
        answer = self._answers.pop(self._number)
        return answer.get("result", answer)


async def _devtools(profile):
    """The address of the page's debugger."""
    file = Path(profile) / "DevToolsActivePort"
    for _ in range(int(TIMEOUT * 20)):
        if file.exists() and (lines := file.read_text().split()) and len(lines) > 1:
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        await asyncio.sleep(0.05)
    raise AssertionError("the browser did not start")
