"""What an operator does meanwhile: topics made and deleted, keys changed, tokens revoked, reloads, new certificates."""

import asyncio
import contextlib
import random
import signal
import ssl

from websockets.exceptions import ConnectionClosed

from .place import token


async def keep(world):
    while not world.is_over:
        for act in (change_keys, revoke, change_certificate, reload_what_is_broken):
            await act(world)
            await world.pause(random.uniform(0.5, 4))


async def reload(world, result="success"):
    """Has the server read its files, and waits until it has."""
    world.books.count("reloads", result)
    due = world.books.counts["reloads"][result]
    world.server.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(60):
        while (await world.scrape()).labelled("apus_config_reloads_total", "result")[result] < due:
            await asyncio.sleep(0.05)


async def change_keys(world):
    """Clients of a key that is taken out are closed, those of others notice nothing."""
    world.place.extra_keys = {f"guest-{world.number()}": True}
    world.place.write_keys()
    await reload(world)
    (key,) = world.place.extra_keys
    peer, stream = await world.way(60).open(key=key), await world.way(60).stream("/topics/room/events", key=key)
    if peer:
        await peer.subscribe("room")
    world.place.extra_keys = {}
    world.place.write_keys()
    await reload(world)
    while await world.way(60).part(stream):
        pass
    stream.abort()
    if peer:
        await peer.expect_end("REVOKED")


async def revoke(world):
    name = f"ann-{world.number()}"
    if peer := await world.way(61).open(token=token(name, 600)):
        await peer.subscribe("room")
        entry = (await world.way(61).ask("POST", "/revocations", {"sub": name})).json
        await peer.expect_end("REVOKED")
        await world.way(61).ask("DELETE", f"/revocations/{entry['id']}")


async def change_certificate(world):
    """New connections see the new one; those that are open stay."""
    await asyncio.to_thread(world.place.new_certificate)
    await reload(world)
    _, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=world.server.tls,
                                              server_hostname="127.0.0.1", local_addr=("127.0.0.62", 0))
    world.books.count("TLS handshakes", "ok")
    if writer.get_extra_info("ssl_object").getpeercert(True) != world.place.pair.shown:
        world.books.fault("a new connection sees an old certificate")
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


async def reload_what_is_broken(world):
    world.place.write_configuration(broken=True)
    await reload(world, "failure")
    world.place.write_configuration()
    await reload(world)


async def come_and_go(world):
    """Topics that are made and deleted, for one who waits for one of them and one who wants all of them."""
    way = world.way(63)
    waiting, pattern = await way.enter(key="reader"), await way.enter(key="reader")
    await waiting.subscribe("temp.same", wait=True)
    await pattern.subscribe("temp.*")
    while not world.is_over:
        name = random.choice(("temp.same", f"temp.{world.number()}"))
        await way.ask("POST", "/topics", {"name": name})
        ids = []
        for number in range(random.randint(0, 4)):
            if answer := await way.publish(name, number):
                ids.append(answer["id"])
        await way.ask("DELETE", f"/topics/{name}")
        for peer in (pattern, waiting) if name == "temp.same" else (pattern,):
            seen = []
            while (message := await peer.receive()).get("msg") != "topic_deleted":
                if message["type"] == "event":
                    seen.append(message["message"]["id"])
                elif message["type"] != "info" or message["msg"] not in ("topic_created", "ping"):
                    world.books.fault(f"{name}: there came {message}")
            if seen != ids:
                world.books.fault(f"{name}: {len(ids)} messages were published, and {len(seen)} came")
        await world.pause(random.uniform(0.1, 1))
    await waiting.leave()
    await pattern.leave()


async def watch_presence(world):
    """Who comes is told, and who goes, however they go."""
    watcher = await world.way(64).enter(key="reader")
    await watcher.subscribe("room", "watcher", presence=True)
    joined, left, came = [], [], set()

    async def watch():
        try:
            while True:
                message = await watcher.receive(None)
                if message.get("msg") == "joined" and message["client_id"].startswith("guest"):
                    joined.append(message["client_id"])
                elif message.get("msg") == "left" and message["client_id"].startswith("guest"):
                    left.append(message["client_id"])
                elif message.get("msg") == "presence_dropped":
                    world.books.fault("the watcher reads, and presence was dropped")
        except ConnectionClosed:
            world.books.fault(f"the watcher was closed: {watcher.end}")
    watching = asyncio.create_task(watch())
    while not world.is_over:
        if guest := await world.way(65).open(key="reader"):
            name = f"guest {world.number()}"
            await guest.subscribe("room", name)
            came.add(name)
            await world.pause(random.uniform(0, 0.5))
            match random.randrange(3):
                case 0:
                    guest.vanish()
                case 1:
                    await guest.leave()
                case _:
                    await guest.command("unsubscribe", topic="room", client_id=name)
                    await guest.answer()
                    await guest.leave()
        await world.pause(0.3)
    async with asyncio.timeout(30):
        while len(left) < len(came):
            await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    if not sorted(came) == sorted(joined) == sorted(left):
        world.books.fault(f"{len(came)} guests came, {len(joined)} were told to join, {len(left)} to leave")
    await watcher.leave()
