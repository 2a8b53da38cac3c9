"""Subscriptions, patterns and topics in numbers."""

from urllib.parse import quote

from attack import MIB, attack, pipelined, publishing, reply, swallow
from raw_http import request
from raw_websocket import TEXT, RawWebSocket, command, frame

# The default of `max_subscriptions`.
MOST = 10_000
BATCH = 500


def ask(raw, commands):
    """Sends commands, and reads an answer to each, among whatever else comes; the numbers of answers by type."""
    kinds = {}
    for start in range(0, len(commands), BATCH):
        part = commands[start:start + BATCH]
        raw.send(b"".join(part))
        answers = 0
        while answers < len(part):
            message = reply(raw)
            answers += message["type"] in ("ack", "error")
            kinds[message["type"]] = kinds.get(message["type"], 0) + 1
    return kinds


def subscribing(topic, client_id, **fields):
    return command(type="subscribe", topic=topic, client_id=client_id, **fields)


def create(strike, names):
    told = pipelined(strike.server, [request("PUT", f"/topics/{quote(name, safe='')}", b"{}", **strike.fields)
                                     for name in names])
    assert told == {201: len(names)}, told


def delete(strike, names):
    told = pipelined(strike.server, [request("DELETE", f"/topics/{quote(name, safe='')}", **strike.fields)
                                     for name in names])
    assert told == {200: len(names)}, told


@attack("more subscriptions than one connection may have, on several, given up and made again")
def subscription_flood(strike):
    made = refused = 0
    with strike.topic() as topic:
        for _ in strike.rounds():
            with strike.sockets(strike.many(1, 4)) as raws:
                for raw in raws:
                    told = ask(raw, [subscribing(topic, f"client {number}") for number in range(MOST + 500)])
                    assert told == {"ack": MOST, "error": 500}, told
                    made, refused = made + MOST, refused + 500
    return {"subscriptions": made, "refused": refused}


@attack("more patterns than one connection may have, all different")
def pattern_flood(strike):
    made = refused = 0
    for _ in strike.rounds():
        with strike.sockets(strike.many(1, 4)) as raws:
            for place, raw in enumerate(raws):
                told = ask(raw, [subscribing(f"p{place}.{'*.' * (number % 40)}n{number}.>", "c")
                                 for number in range(MOST + 500)])
                assert told == {"ack": MOST, "error": 500}, told
                made, refused = made + MOST, refused + 500
    return {"patterns": made, "refused": refused}


@attack("patterns that match everything, by thousands, while topics are made and deleted", peak=64 * MIB)
def patterns_and_topics(strike):
    made = matched = 0
    for _ in strike.rounds():
        prefix = strike.name()
        with RawWebSocket.open(strike.server) as raw:
            told = ask(raw, [subscribing(f"{prefix}.{['>', '*', '*.>'][number % 3]}", f"c{number}")
                             for number in range(strike.many(600, 3000))])
            assert set(told) == {"ack"}
            names = [f"{prefix}.{number}" for number in range(strike.many(50, 200))]
            create(strike, names)
            made += len(names)
            # Each of them is for two thirds of the patterns; beyond the bound of matches the connection goes.
            matched += swallow(raw, 0.05)[0]
            delete(strike, names)
    return {"topics": made}


@attack("more matches than a connection's patterns may have: it must go", peak=64 * MIB)
def match_flood(strike):
    closed = 0
    for _ in strike.rounds():
        prefix = strike.name()
        names = [f"{prefix}.{number}" for number in range(20)]
        with RawWebSocket.open(strike.server) as raw:
            assert set(ask(raw, [subscribing(f"{prefix}.*", f"c{number}") for number in range(6000)])) == {"ack"}
            create(strike, names)
            code = None
            while code is None:
                received = raw.read_frame()
                code = received.close[0] if received.opcode == 8 else None
            assert code == 1013
            closed += 1
        delete(strike, names)
    return {"closed": closed}


@attack("thousands of topics with long names, made and deleted")
def topic_flood(strike):
    made = 0
    for _ in strike.rounds():
        prefix = strike.name()
        names = [f"{prefix}/{number}/".ljust(255, "é"[number % 1:]) for number in range(strike.many(1000, 10_000))]
        names = [name.encode()[:254].decode(errors="ignore") for name in names]
        create(strike, names)
        delete(strike, names)
        made += len(names)
    return {"topics": made}


@attack("10,000 topics with names of 200 bytes, made by publishing to them", flags=("--topics-create-on", "publish"))
def topics_by_use(strike):
    made = 0
    for _ in strike.rounds():
        prefix = strike.name()
        names = [f"{prefix}.{number}.".ljust(200, "n") for number in range(strike.many(2000, 10_000))]
        with RawWebSocket.open(strike.server) as raw:
            assert ask(raw, [frame(TEXT, publishing(name, "1")) for name in names]) == {"ack": len(names)}
        delete(strike, names)
        made += len(names)
    return {"topics": made}


@attack("client_ids that are not subscribed, unsubscribed; long ones; subscribed again and again")
def client_ids(strike):
    asked = 0
    with strike.topic() as topic, RawWebSocket.open(strike.server) as raw:
        for number in strike.rounds():
            commands = [command(type="unsubscribe", topic=topic, client_id=f"{number}-{place}")
                        for place in range(1000)]
            commands += [subscribing(topic, f"{place % 10}".rjust(1024, "x"), last_n=100) for place in range(1000)]
            commands += [command(type="unsubscribe", topic=topic, client_id=f"{place}".rjust(1024, "x"))
                         for place in range(10)]
            told = ask(raw, commands)
            assert told == {"ack": len(commands)}, told
            asked += len(commands)
    return {"commands": asked}


@attack("subscriptions that wait for topics that never come")
def waiting_flood(strike):
    made = 0
    for _ in strike.rounds():
        with strike.sockets(strike.many(1, 4)) as raws:
            for raw in raws:
                prefix = strike.name()
                told = ask(raw, [subscribing(f"{prefix}{number}".ljust(200, "w"), "c", wait=True)
                                 for number in range(MOST + 100)])
                assert told == {"ack": MOST, "error": 100}, told
                made += MOST
    return {"waiting": made}


@attack("clients that come and go where hundreds watch who does")
def presence_storm(strike):
    joined = 0
    with strike.topic() as topic, strike.sockets(strike.many(30, 200)) as watchers:
        for watcher in watchers:
            watcher.subscribe(topic, "watcher", presence=True)
        with RawWebSocket.open(strike.server) as raw:
            for _ in strike.rounds():
                commands = [subscribing(topic, f"c{number}") for number in range(250)]
                commands += [command(type="unsubscribe", topic=topic, client_id=f"c{number}") for number in range(250)]
                assert ask(raw, commands) == {"ack": 500}
                joined += 250
        assert all(swallow(watcher, 0.05)[0] > 100 for watcher in watchers)
    return {"joined": joined}


@attack("listings and metrics asked for again and again where there is a lot to list", peak=64 * MIB)
def listings(strike):
    asked = 0
    prefix = strike.name()
    names = [f"{prefix}.{number}" for number in range(strike.many(1000, 5000))]
    create(strike, names)
    with RawWebSocket.open(strike.server) as raw:
        assert set(ask(raw, [subscribing(name, "c") for name in names])) == {"ack"}
        for _ in strike.rounds():
            texts = [request(path=path, **strike.fields) for path in (
                "/topics", "/stats", "/subscribers?sort=lag&limit=10000", "/metrics", "/health")]
            assert pipelined(strike.server, texts * 4, 5) == {200: 20}
            asked += 20
    delete(strike, names)
    return {"answers": asked}
