"""A browser's own EventSource, whose connections are cut again and again: it comes back by itself and loses nothing."""

import asyncio
import json

from apus_e2e import Server, tls_options
from chromium import browser

MESSAGES = 100
PAGE = """<!doctype html><script>
const got = [];
const source = new EventSource("/topics/t/events?last_n=0");
source.addEventListener("message", event => {
    got.push(JSON.parse(event.data).message.payload);
    if (got.length >= %d) { source.close(); fetch("/got", {method: "POST", body: JSON.stringify(got)}); }
});
source.onopen = () => fetch("/opened", {method: "POST"});
</script>""" % MESSAGES


class CuttingProxy:
    """Serves the page, passes event streams on to the server, and cuts each after a while, in the midst of whatever comes."""

    def __init__(self, server):
        self.server, self.cuts = server, 0
        self.opened, self.got = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._listener.close()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            if path.startswith("/topics/"):
                await self._pass_on(head, writer)
                return
            size = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
            body = await reader.readexactly(size[0]) if size else b""
            if path == "/opened":
                self.opened.set()
            if path == "/got" and not self.got.done():
                self.got.set_result(json.loads(body))
            page = PAGE.encode() if path == "/" else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                         % len(page) + page)
            await writer.drain()
        finally:
            writer.close()

    async def _pass_on(self, head, writer):
        reader, upstream = await asyncio.open_connection("127.0.0.1", self.server.port, **tls_options(self.server))
        upstream.write(head)
        # So many bytes, and no more: the cut is rarely between two events.
        rest = 1500 + 377 * (self.cuts % 7)
        while rest > 0 and (data := await reader.read(rest)):
            rest -= len(data)
            writer.write(data)
            await writer.drain()
        self.cuts += 1
        upstream.transport.abort()
        writer.transport.abort()


async def test_an_event_source_whose_connections_are_cut_gets_every_message_once_and_in_order():
    with Server("--history", "1000") as server:
        server.create("t")
        async with CuttingProxy(server) as proxy, browser(f"http://127.0.0.1:{proxy.port}/"):
            await asyncio.wait_for(proxy.opened.wait(), 60)
            for number in range(MESSAGES):
                await asyncio.to_thread(server.rest, "POST", "/topics/t/messages", number)
            assert await asyncio.wait_for(proxy.got, 120) == list(range(MESSAGES))
            assert proxy.cuts > 5, "the connections were not cut often enough to show anything"
