"""Frames, messages and JSON that are legal and a burden, or not legal at all."""

import random
import zlib

from attack import MIB, UUID, attack, publishing, push, read_to_close, reply
from compressed_websocket import RSV1, TAIL, CompressedWebSocket, compressed_command, deflate
from raw_websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawWebSocket, command, frame

PINGED = command(type="ping", request_id="end")


@attack("messages of 100,000 fragments of one byte or none")
def tiny_fragments(strike):
    sent = 0
    for number in strike.rounds():
        with RawWebSocket.open(strike.server) as raw:
            text = b'{"type":"ping"' + b" " * 100_000 + b"}"
            parts = [frame(CONTINUATION, text[place:place + 1], fin=False) for place in range(1, len(text) - 1)]
            # Empty ones add nothing to the message, and are as much work.
            empty = frame(CONTINUATION, fin=False) * 10_000
            raw.send(b"".join([frame(TEXT, text[:1], fin=False), empty, *parts, empty, frame(CONTINUATION, text[-1:])]))
            assert reply(raw)["type"] == "pong"
            sent += len(parts) + 20_000
    return {"fragments": sent}


@attack("pings, pongs and pings of our own protocol as fast as they go", twice=True)
def ping_flood(strike):
    answered = unread = 0
    pings, pongs, ours = frame(PING, b"x" * 125) * 500, frame(PONG, b"") * 2000, command(type="ping") * 500
    with RawWebSocket.open(strike.server) as raw, RawWebSocket.open(strike.server) as other:
        for _ in strike.rounds():
            raw.send(pings)
            other.send(pongs + ours)
            for _ in range(500):
                while raw.read_frame().opcode != PONG:
                    # The server's own pings and heartbeats, in time.
                    pass
                assert reply(other)["type"] == "pong"
            answered += 1000
            unread += 2000
    return {"answered": answered, "pongs": unread}


@attack("a gigabyte in a compressed megabyte, whole and in fragments")
def compression_bombs(strike):
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = ((block.compress(bytes(16 * MIB)) + block.flush(zlib.Z_FULL_FLUSH)) * 64)[:-len(TAIL)]
    texts, count = [frame(TEXT, bomb, rsv=RSV1)], 0
    parts = [bomb[start:start + 1000] for start in range(0, len(bomb), 1000)]
    texts.append(frame(TEXT, parts[0], fin=False, rsv=RSV1)
                 + b"".join(frame(CONTINUATION, part, fin=False) for part in parts[1:-1])
                 + frame(CONTINUATION, parts[-1]))
    for number in strike.rounds():
        with CompressedWebSocket.open(strike.server) as raw:
            push(raw, texts[number % 2])
            assert read_to_close(raw) == 1009
            count += 1
    return {"bombs": count}


# A hundred of them are a topic's history.
@attack("messages that become a thousand times as large, within the bounds", peak=128 * MIB)
def inflating_frames(strike):
    count = 0
    full = b'{"type":"ping"}' + b" " * (MIB - 100)
    with strike.topic() as topic, CompressedWebSocket.open(strike.server) as raw:
        texts = [frame(TEXT, deflate(full), rsv=RSV1),
                 frame(TEXT, deflate(publishing(topic, f'"{"x" * (MIB - 200)}"')), rsv=RSV1),
                 frame(TEXT, deflate(b"[" * (MIB - 1)), rsv=RSV1)]
        assert max(map(len, texts)) < MIB / 500
        for number in strike.rounds():
            raw.send(b"".join(texts))
            for kind in ("pong", "ack", "error"):
                assert reply(raw)["type"] == kind
                count += 1
    return {"MiB inflated": count}


@attack("JSON that is nested without end, or has a million members")
def deep_json(strike):
    texts = [b"[" * (MIB - 8), b'{"a":' * 200_000, b'{"type":"publish","topic":"t","message":' + b"[" * 900_000,
             b'{"type":"ping","x":' + b"[" * 400_000 + b"]" * 400_000 + b"}",
             b'{"a":1,' * 10 + b'"a":1,' * 150_000 + b'"type":"ping"}', b'{"type":"' + b"\\u0061" * 170_000 + b'"}']
    frames, refused = [frame(TEXT, text) for text in texts], 0
    many = frame(TEXT, b'{"type":"ping",' + b",".join(b'"%d":[{}]' % number for number in range(70_000)) + b"}")
    with RawWebSocket.open(strike.server) as raw:
        for _ in strike.rounds():
            for text in frames:
                raw.send(text)
                assert reply(raw)["error"]["code"] == "BAD_REQUEST"
                refused += 1
            raw.send(many)
            assert reply(raw)["type"] == "pong"
    return {"refused": refused}


@attack("frames of random bytes, and good ones with wrong bytes")
def random_frames(strike):
    source, count = random.Random(strike.seed), 0
    good = command(type="subscribe", topic="nowhere", client_id="c") + command(type="ping") + frame(BINARY, b"x" * 200)
    for number in strike.rounds():
        for _ in range(20):
            with RawWebSocket.open(strike.server) as raw:
                text = bytearray(good if number % 2 else source.randbytes(source.randrange(1, 3000)))
                for _ in range(source.randrange(1, 6)):
                    text[source.randrange(len(text))] = source.randrange(256)
                push(raw, bytes(text) + frame(CLOSE, b"\x03\xe8") + b"\xff" * 200)
                try:
                    raw.half_close()
                    while raw.read_frame().opcode != CLOSE:
                        pass
                except (EOFError, OSError):
                    # It has been cut off, or what came looked like the beginning of a long frame.
                    pass
                count += 1
    return {"connections": count}


@attack("batches of 10,000 messages, large messages, and what is no command, without end", peak=128 * MIB)
def publish_flood(strike):
    published = refused = 0
    one = f'{{"id":"{UUID}","payload":1}}'
    with strike.topic() as topic, RawWebSocket.open(strike.server) as raw:
        batch = frame(TEXT, f'{{"type":"publish","topic":"{topic}","messages":[{",".join([one] * 10_000)}]}}')
        large, none = frame(TEXT, publishing(topic, f'"{"x" * (MIB - 200)}"')), frame(TEXT, b"x") * 1000
        for _ in strike.rounds():
            raw.send(batch + large + none)
            for _ in range(2):
                assert reply(raw)["type"] == "ack"
            for _ in range(1000):
                assert reply(raw)["type"] == "error"
            published += 10_001
            refused += 1000
    return {"published": published, "refused": refused}


@attack("WebSockets opened and at once closed against the rules")
def protocol_errors(strike):
    count = 0
    wrong = [frame(TEXT, b"x", mask=False), frame(PING, fin=False), frame(3), frame(TEXT, b"\xff"),
             frame(CLOSE, b"\x03"), frame(TEXT, b"x", announce=1 << 62)]
    codes = [1002, 1002, 1002, 1007, 1002, 1009]
    for _ in strike.rounds():
        for text, code in zip(wrong, codes):
            with strike.sockets(strike.many(10, 20)) as raws:
                for raw in raws:
                    raw.send(text)
                for raw in raws:
                    assert read_to_close(raw) == code
                    count += 1
    return {"closed": count}


@attack("compressed messages of random bytes, and compressed frames where none may be")
def broken_compression(strike):
    source, count = random.Random(1), 0
    texts = [frame(TEXT, source.randbytes(1000), rsv=RSV1), frame(PING, b"x", rsv=RSV1),
             compressed_command(type="ping")[:20] + b"\x00" * 20, frame(CONTINUATION, b"x", rsv=RSV1)]
    for number in strike.rounds():
        for text in texts:
            with CompressedWebSocket.open(strike.server) as raw:
                try:
                    raw.send(text)
                    raw.half_close()
                    read_to_close(raw)
                except (EOFError, OSError):
                    pass
                count += 1
    return {"connections": count}
