"""One soak: a server, everybody who uses it at once, and what is left when all have gone."""

import asyncio
import itertools
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from apus_e2e import Server
from certificates import client_context
from prometheus import Scrape

from . import hostile, keeper, slow, traffic
from .books import Books, left
from .peers import Way
from .place import TOPICS, Place
from .samples import Samples

FOLLOWERS, STREAMS, POLLS = 8, 4, 2
# How long what was closed may take to be gone.
SETTLE = 30


class World:
    """`await run()` it; then it has rows, faults and samples."""

    def __init__(self, seconds, log=lambda text: None):
        self.seconds, self.log = seconds, log
        self.books, self.samples = Books(), Samples()
        self.accounts, self.patterns = [], []
        self.is_over = False
        # What is still published when it is over has been.
        self.published = asyncio.Event()
        self._over = asyncio.Event()
        self._numbers = itertools.count()
        self._spawned = set()
        self.rows = []

    def way(self, number):
        return Way(self, number)

    def number(self):
        return next(self._numbers)

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    async def pause(self, seconds):
        """Sleeps, but not beyond the end."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            pass

    async def scrape(self):
        return Scrape((await self.way(1).ask("GET", "/metrics")).body.decode())

    async def run(self):
        with tempfile.TemporaryDirectory(prefix="apus-soak-") as folder, ThreadPoolExecutor(64) as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            self.place = Place(folder)
            with Server("--config", str(self.place.configuration), tls=client_context()) as self.server:
                await self._warm_up()
                files = await self._settled_files()
                await self._everybody()
                await self._end(files)

    async def _warm_up(self):
        peer = await self.way(1).open(key="boss")
        await peer.leave()
        await self.scrape()

    async def _settled_files(self):
        """The descriptors that are open when no client is there."""
        known = None
        while known != (known := self.server.open_files):
            await asyncio.sleep(0.3)
        return known

    async def _everybody(self):
        publishers = [*(traffic.publish_steadily(self, number) for number in range(2)), traffic.publish_over_http(self)]
        others = [
            *(traffic.follow(self, number) for number in range(FOLLOWERS)),
            *(traffic.follow_stream(self, number) for number in range(STREAMS)),
            *(traffic.follow_pages(self, number) for number in range(POLLS)),
            traffic.publish_and_vanish(self), traffic.publish_for_others(self), traffic.watch_pattern(self),
            slow.slow_rounds(self), hostile.intrude(self), hostile.crowd(self),
            keeper.keep(self), keeper.come_and_go(self), keeper.watch_presence(self),
        ]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            tasks = [group.create_task(publisher) for publisher in publishers]
            for work in others:
                group.create_task(work)
            await self.pause(self.seconds)
            await asyncio.gather(*tasks)
            self.published.set()

    async def _watch(self):
        """Samples, and ends the soak when it is time."""
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < self.seconds:
            if self.samples.take(self.server, now):
                self.samples.told(await self.scrape())
                self.log(self.samples.line)
            await asyncio.sleep(min(1, max(0.05, self.seconds - now)))
        self.is_over = True
        self._over.set()

    async def _end(self, files):
        """All clients are gone: nothing may be left of them."""
        while self._spawned:
            await asyncio.gather(*self._spawned)
        for account in self.accounts:
            account.settle()
        traffic.settle_patterns(self)
        for topic in TOPICS:
            await self.way(1).ask("DELETE", f"/topics/{topic['name']}")
        deadline = time.monotonic() + SETTLE
        while True:
            # Before the scrape, whose own connection may be closing after it.
            self.files = self.server.open_files - files
            told = await self._last_scrape()
            self.rows = list(self.books.rows(told))
            # A scrape does not contain itself.
            self.books.count("requests", "GET 200")
            self.left = left(told)
            is_right = not self.left and not self.files and all(row.is_right for row in self.rows)
            if is_right or time.monotonic() > deadline:
                return
            await asyncio.sleep(0.5)

    async def _last_scrape(self):
        headers = {"X-API-Key": self.place.key("boss")}
        response = await asyncio.to_thread(self.way(1).rest, "GET", "/metrics", None, headers)
        self.books.count("TLS handshakes", "ok")
        return Scrape(response.body.decode())

    @property
    def failures(self):
        """What does not add up, apart from memory."""
        found = [str(row) for row in self.rows if not row.is_right] + self.books.faults
        found += [f"{name} is {value:,.0f} when all clients are gone" for name, value in self.left.items()]
        return found + ([f"{self.files} descriptors are left"] if self.files else [])
