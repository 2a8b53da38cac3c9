"""A WebSocket of the client against servers that only tests have: odd answers, faults, ends."""

import asyncio

import pytest
from websockets.asyncio.server import serve

import apus
from apus import _address
from apus._websocket import connect, ended


def ignore(text, size):
    """Takes a message."""


async def dial(port, on_message, **options):
    settings = {"headers": {}, "ssl": None, "max_message": 1 << 20, "compression": False}
    settings |= {"timeout": 10, "close_timeout": 10} | options
    socket = await connect(_address.parse(f"ws://127.0.0.1:{port}"), on_message, **settings)
    socket.resume()
    return socket


@pytest.mark.parametrize("compression", [False, True])
async def test_another_implementation_understands_it_and_is_understood(compression):
    async def echo(connection):
        async for text in connection:
            await connection.send(text)

    async with serve(echo, "127.0.0.1", 0) as listening:
        received = asyncio.Queue()
        socket = await dial(
            listening.sockets[0].getsockname()[1], lambda text, size: received.put_nowait(text), compression=compression
        )
        for text in ("", "Straße ☃ 𝄞", "x" * 126, "y" * 70_000):
            socket.send(text)
            assert await received.get() == text
        await socket.ping()
        await socket.close(10)
        assert socket.closed.result() == (1000, "")


async def test_fragments_and_pings_of_another_implementation():
    ponged = asyncio.Event()

    async def speak(connection):
        await (await connection.ping())
        ponged.set()
        await connection.send(["a", "b" * 1000, "c"])
        await connection.close(4321, "because")

    async with serve(speak, "127.0.0.1", 0) as listening:
        received = asyncio.Queue()
        socket = await dial(listening.sockets[0].getsockname()[1], lambda text, size: received.put_nowait(text))
        assert await received.get() == "a" + "b" * 1000 + "c"
        assert ponged.is_set()
        assert await socket.closed == (4321, "because")


async def answer_with(text):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (b"", apus.ConnectionFailed, "UNREACHABLE"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", apus.ConnectionFailed, "PROTOCOL_ERROR"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", apus.ConnectionFailed, "PROTOCOL_ERROR"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", apus.Unauthorized, "UNAUTHORIZED"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", apus.ApusError, "NOT_FOUND"),
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n\r\n", apus.Unavailable, "UNAVAILABLE"),
        (b"x" * 100_000, apus.ConnectionFailed, "PROTOCOL_ERROR"),
    ],
)
async def test_a_handshake_that_fails_says_why(answer, kind, code):
    async with await answer_with(answer) as listening:
        with pytest.raises(kind) as caught:
            await dial(listening.sockets[0].getsockname()[1], ignore)
        assert caught.value.code == code
        assert caught.value.retry_after == (7 if code == "UNAVAILABLE" else None)


async def test_a_server_that_does_not_answer_is_given_up():
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as listening:
        with pytest.raises(apus.ConnectionFailed, match=r"0\.05 s"):
            await dial(listening.sockets[0].getsockname()[1], ignore, timeout=0.05)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            await task  # The server's handler, which sees the end.


async def test_what_is_paused_hands_out_nothing_until_it_goes_on():
    async def speak(connection):
        for number in range(100):
            await connection.send(str(number))
        await connection.wait_closed()

    async with serve(speak, "127.0.0.1", 0) as listening:
        received = []

        def take(text, size):
            received.append(text)
            socket.pause()

        socket = await dial(listening.sockets[0].getsockname()[1], take)
        for count in range(1, 101):
            while len(received) < count:
                await asyncio.sleep(0.001)
            assert received == [str(number) for number in range(count)]
            socket.resume()
        await socket.close(10)


async def test_what_is_paused_is_not_read():
    sent = 0

    async def speak(connection):
        nonlocal sent
        while True:
            await connection.send("x" * 100_000)
            sent += 1

    async with serve(speak, "127.0.0.1", 0) as listening:
        socket = await dial(listening.sockets[0].getsockname()[1], lambda text, size: socket.pause())
        before = -1
        while before < sent:
            before = sent
            await asyncio.sleep(0.2)
        assert socket.is_paused
        assert len(socket._connection.recv_messages.frames) <= 4
        await socket.close(0.1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01\xff", 1007),
        (b"\xc1\x01a", 1002),
        (b"\x80\x01a", 1002),
        (b"\x01\x01a\x81\x01b", 1002),
        (b"\x09\x01a", 1002),
        (b"\x83\x01a", 1002),
        (b"\x81\xff" + bytes(12), 1002),
        (b"\x81\x7e\x04\x01" + b"a" * 1025, 1009),
        (b"\x01\x7e\x02\x58" + b"a" * 600 + b"\x80\x7e\x02\x58" + b"b" * 600, 1009),
    ],
)
async def test_what_is_no_websocket_ends_it_with_the_close_code_of_the_fault(data, code):
    async def speak(connection):
        connection.transport.write(data)
        await connection.wait_closed()

    async with serve(speak, "127.0.0.1", 0, compression=None) as listening:
        socket = await dial(listening.sockets[0].getsockname()[1], ignore, max_message=1000)
        got, reason = await socket.closed
        assert got == code
        assert ("raise max_message" in reason) == (code == 1009)


async def test_what_inflates_too_far_ends_it():
    async def speak(connection):
        await connection.send("a" * 100_000)
        await connection.wait_closed()

    async with serve(speak, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        socket = await dial(port, ignore, max_message=1000, compression=True)
        assert (await socket.closed)[0] == 1009


async def test_a_close_waits_for_the_server_only_so_long():
    """One that neither reads nor answers, while nothing of what it sent is read here."""
    over = asyncio.Event()

    async def speak(connection):
        connection.transport.pause_reading()
        for _ in range(10):
            await connection.send("a")
        await over.wait()
        connection.transport.abort()

    async with serve(speak, "127.0.0.1", 0) as listening:
        socket = await dial(listening.sockets[0].getsockname()[1], lambda text, size: socket.pause())
        while not socket.is_paused:
            await asyncio.sleep(0.001)
        socket.send("x" * 50_000_000)
        await socket.close(0.05)
        assert socket.closed.done()
        over.set()


async def test_a_redirect_is_not_followed_with_what_is_for_this_server_only():
    seen = []

    async def elsewhere(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(elsewhere, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        answer = f"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with await answer_with(answer) as listening:
            with pytest.raises(apus.ApusError, match="status 302"):
                await dial(listening.sockets[0].getsockname()[1], ignore, headers={"X-API-Key": "secret"})
    assert seen == []


async def test_a_refusal_has_the_servers_own_words():
    body = b'{"code": "UNAUTHORIZED", "detail": "the key ends"}'
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with await answer_with(answer) as listening:
        with pytest.raises(apus.Unauthorized, match="the key ends") as caught:
            await dial(listening.sockets[0].getsockname()[1], ignore)
        assert caught.value.status == 401


async def test_a_fault_while_a_message_is_handed_out_is_told_to_whoever_waits_for_the_end():
    def fail(text, size):
        raise LookupError(text)

    async with serve(lambda connection: connection.send("a"), "127.0.0.1", 0) as listening:
        socket = await dial(listening.sockets[0].getsockname()[1], fail)
        with pytest.raises(LookupError):
            await socket.closed
        socket.abort()


async def test_what_is_not_read_for_a_slow_loop_is_not_given_up():
    """The answers to pings would be behind what is not read."""

    async def speak(connection):
        for _ in range(100):
            await connection.send("x" * 100_000)
        await connection.wait_closed()

    async with serve(speak, "127.0.0.1", 0) as listening:
        socket = await dial(listening.sockets[0].getsockname()[1], lambda text, size: socket.pause())
        while not socket.is_paused:
            await asyncio.sleep(0.001)
        watching = asyncio.create_task(ended(socket, 0.02))
        done, _ = await asyncio.wait([watching], timeout=0.4)
        assert not done
        await socket.close(10)
        assert await watching == (1000, "")
