"""An HTTP proxy on the way to the server."""

import asyncio
import base64
import contextlib
import re

import pytest

import apus
from apus import _address, _proxy


class ConnectProxy:
    """Opens tunnels for those with the credential, as an HTTP proxy does."""

    def __init__(self, credential=None):
        self.asked, self.status = [], 200
        self._expected = credential and f"Basic {base64.b64encode(credential.encode()).decode()}"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.authority = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            host, port = re.match(r"CONNECT (\S+):(\d+) HTTP/1\.[01]\r\n", head).groups()
            self.asked.append(f"{host}:{port}")
            given = re.search(r"\r\nProxy-Authorization: (.*)\r\n", head)
            status = self.status if self._expected == (given and given[1]) else 407
            writer.write(f"HTTP/1.1 {status} X\r\n{'Content-Length: 0' * (status != 200)}\r\n\r\n".encode())
            if status == 200:
                await self._tunnel(reader, writer, await asyncio.open_connection(host, int(port)))
        writer.close()

    async def _tunnel(self, reader, writer, onward):
        async def copy(source, sink):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))


async def test_all_goes_through_the_proxy(server, topic):
    async with ConnectProxy("ann:s3cret") as proxy:
        url = f"http://ann:s3cret@{proxy.authority}"
        async with apus.Client(server.url, proxy=url) as client:
            await client.topics.create(topic)
            async with client.subscribe(topic) as subscription:
                await client.publish(topic, 1)
                assert (await anext(subscription)).payload == 1
        # Both connections, and the request.
        assert proxy.asked == [f"127.0.0.1:{server.port}"] * 3


async def test_the_environment_names_the_proxy_for_who_wants_that(server, monkeypatch):
    async with ConnectProxy() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.authority}")
        async with apus.Client(server.url, proxy=True):
            assert len(proxy.asked) == 1
        async with apus.Client(server.url):
            assert len(proxy.asked) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with apus.Client(server.url, proxy=True):
            assert len(proxy.asked) == 1


@pytest.mark.parametrize(("status", "credential"), [(502, None), (200, "ann:other")])
async def test_a_proxy_that_refuses_is_named(server, status, credential):
    async with ConnectProxy("ann:s3cret" if credential else None) as proxy:
        proxy.status = status
        url = f"http://{f'{credential}@' if credential else ''}{proxy.authority}"
        with pytest.raises(apus.ConnectionFailed, match=proxy.authority) as caught:
            async with apus.Client(server.url, proxy=url):
                pass
        assert caught.value.code == "UNREACHABLE"
        assert "other" not in str(caught.value)
        with pytest.raises(apus.ConnectionFailed):
            await apus.Client(server.url, proxy=url).topics.list()


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", "http://", "http://ann:s3cret@h:x"])
def test_what_is_no_proxy_is_said_so(proxy):
    with pytest.raises(ValueError, match="proxy") as caught:
        apus.Client("http://localhost:8080", proxy=proxy)
    assert "s3cret" not in str(caught.value)


def test_a_unix_socket_has_no_proxy(monkeypatch):
    monkeypatch.setenv("all_proxy", "http://p:1")
    assert _proxy.towards(_address.parse("unix:/run/apus.sock"), True) is None
    assert _proxy.towards(_address.parse("https://h"), True).host == "p"
