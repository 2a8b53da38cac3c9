"""Those that have no right to be there, that want too much, or that speak something else."""

import asyncio
import contextlib
import socket
import ssl

from certificates import authority
from websockets.exceptions import ConnectionClosed

from .peers import PATIENCE
from .place import MAX_CONNECTIONS, PER_ADDRESS, TOPIC_RATE, token

NONE_GIVEN = "A valid API key or token is required: X-API-Key: KEY or Authorization: Bearer TOKEN"


async def intrude(world):
    """All of them, again and again."""
    while not world.is_over:
        attempts = (wrong_credentials, forbidden, too_fast, expired, no_tls, broken_tls)
        await asyncio.gather(*(attempt(world) for attempt in attempts))
        await world.pause(3)


async def wrong_credentials(world):
    way = world.way(40)
    for options in ({"key": "no"}, {"token": token("eve", 60, secret="another secret of 32 bytes and more")}):
        if await way.open(**options) is not None:
            world.books.fault("a wrong credential was let in")
    # A wrong one in the first message, and none at all.
    for fields in ({"type": "auth", "api_key": "wrong"}, None):
        if peer := await way.open():
            if fields:
                # On a busy machine, its time may be up before it is sent, or before it is read.
                with contextlib.suppress(ConnectionClosed):
                    await peer.client.send(**fields)
            error = (await peer.answer())["error"]
            world.books.count("commands", "auth", int(error["message"] != NONE_GIVEN))
            await peer.expect_end("UNAUTHORIZED")
    if (await way.ask("GET", "/topics", key=None)).status != 401:
        world.books.fault("REST without a key was answered")
    if (await way.ask("GET", "/ws")).status != 426:
        world.books.fault("/ws without a handshake was not 426")
    world.books.count("handshakes refused", "no_upgrade")


async def forbidden(world):
    way = world.way(41)
    for key, kind, fields in (("reader", "publish", {"message": {"id": "0" * 32, "payload": 1}}),
                              ("writer", "subscribe", {"client_id": "c"}), ("narrow", "subscribe", {"client_id": "c"})):
        if peer := await way.open(key=key):
            await peer.command(kind, topic="room", **fields)
            answer = await peer.answer()
            if answer.get("error", {}).get("code") != "FORBIDDEN":
                world.books.fault(f"{key} may {kind}: {answer}")
            await peer.leave()
    if (await way.ask("POST", "/topics", {"name": "x"}, key="reader")).status != 403:
        world.books.fault("a reader made a topic")


async def too_fast(world):
    """Beyond the rates of commands, of messages, and of a topic's messages."""
    if (peer := await world.way(42).open(key="rude")) is None:
        return
    for _ in range(300):
        await peer.command("ping")
    answers = [await peer.answer() for _ in range(300)]
    if {answer["type"] for answer in answers} != {"pong", "error"}:
        world.books.fault("300 commands at once passed a limit of 150")
    await asyncio.sleep(1)
    for _ in range(3):
        await peer.publish("sink", list(range(400)))
    for _ in range(2 * TOPIC_RATE):
        await peer.publish("limited", [1])
    await peer.leave()


async def expired(world):
    if peer := await world.way(43).open(token=token("ann", 2)):
        await peer.subscribe("room")
        await peer.expect_end("TOKEN_EXPIRED")


async def raw(world, number):
    plain = socket.socket()
    plain.setblocking(False)
    plain.bind((f"127.0.0.{number}", 0))
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", world.server.port))
    return plain


async def no_tls(world):
    """Plain HTTP is told so; who connects and says nothing at all is not counted."""
    loop = asyncio.get_running_loop()
    with contextlib.closing(await raw(world, 44)) as plain:
        await loop.sock_sendall(plain, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if not (await loop.sock_recv(plain, 1 << 16)).startswith(b"HTTP/1.1 400"):
            world.books.fault("plain HTTP was not answered 400")
    world.books.count("connections refused", "plain_text")
    (await raw(world, 44)).close()


async def broken_tls(world):
    loop = asyncio.get_running_loop()
    with contextlib.closing(await raw(world, 45)) as plain:
        await loop.sock_sendall(plain, b"\x16\x03\x01\x00\x05hello")
        with contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(plain, 1 << 16):
                pass
    world.books.count("TLS handshakes", "failed")
    # One that does not trust the server leaves without a word, as asyncio does.
    for context, result in ((ssl.create_default_context(), "abandoned"), (only_h2(), "failed")):
        with contextlib.suppress(ssl.SSLError, ConnectionResetError):
            _, writer = await asyncio.wait_for(asyncio.open_connection(
                "127.0.0.1", world.server.port, ssl=context, server_hostname="127.0.0.1",
                local_addr=("127.0.0.45", 0)), PATIENCE)
            writer.close()
            world.books.fault("a TLS handshake that must fail did not")
        world.books.count("TLS handshakes", result)


def only_h2():
    context = ssl.create_default_context(cafile=authority().certificate)
    context.set_alpn_protocols(["h2"])
    return context


async def crowd(world):
    """More connections than an address may have, then more than there may be."""
    while not world.is_over:
        await world.pause(0.5)
        peers = [await world.way(50).open(key="reader") for _ in range(PER_ADDRESS + 4)]
        for number in range(51, 51 + MAX_CONNECTIONS // PER_ADDRESS):
            way = world.way(number)
            peers += await asyncio.gather(*(way.open(key="reader") for _ in range(PER_ADDRESS)))
        for number, peer in enumerate(filter(None, peers)):
            if number % 2:
                peer.vanish()
            else:
                await peer.leave()
        await world.pause(40)
