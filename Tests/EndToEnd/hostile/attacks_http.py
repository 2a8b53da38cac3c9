"""Requests in numbers and in odd forms."""

import contextlib
import gzip

from apus_e2e import TIMEOUT
from attack import KIB, MIB, attack, pipelined
from flood import TINY_WINDOW
from raw_http import RawHTTP, request

TEXT = {"Content_Type": "text/plain"}


def answers(strike, text, count):
    """Sends the text on a connection of its own; the statuses of so many answers."""
    with RawHTTP(strike.server, timeout=3 * TIMEOUT) as raw:
        with contextlib.suppress(ConnectionError):
            raw.send(text)
        return [raw.answer().status for _ in range(count)]


@attack("10,000 requests at once on one connection, and on several")
def pipelining(strike):
    count, kinds = 0, [request(path="/livez"), request(path="/topics", **strike.fields), request(path="/nope")]
    for _ in strike.rounds():
        for _ in range(strike.many(1, 4)):
            told = pipelined(strike.server, kinds * strike.many(1000, 3334), 2000)
            assert told[200] == 2 * told[404], told
            count += sum(told.values())
    return {"answers": count}


@attack("bodies in chunks of one byte, with extensions, and trailers")
def one_byte_chunks(strike):
    count = 0
    chunks = [b"1\r\nx\r\n" * 5000, b"1;a=b\r\nx\r\n" * 3000, b"1;" + b"e" * 8000 + b"\r\nx\r\n",
              b"0000000000000001\r\nx\r\n" * 1000]
    ends = [b"0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"0\r\n" + b"T: t\r\n" * 100 + b"\r\n"]
    with strike.topic() as topic:
        for _ in strike.rounds():
            for chunk in chunks:
                for end in ends:
                    head = request("POST", f"/topics/{topic}/messages", Transfer_Encoding="chunked", **TEXT)
                    told = answers(strike, head + chunk + end, 1)
                    assert told[0] in (201, 400, 431), told
                    count += 1
    return {"bodies": count}


@attack("trailers, extensions of chunks and sizes of chunks that do not end")
def endless_framing(strike):
    refused = 0
    wrong = [b"1;" + b"e" * MIB, b"0" * MIB, b"0\r\n" + b"T: t\r\n" * 100_000, b"0\r\nT: " + b"t" * MIB]
    for _ in strike.rounds():
        for text in wrong:
            head = request("POST", "/topics/nowhere/messages", Transfer_Encoding="chunked", **TEXT)
            # Some of these end by the server's own time for a body, 10 s.
            with RawHTTP(strike.server, timeout=60) as raw:
                with contextlib.suppress(ConnectionError):
                    raw.send(head + text)
                with contextlib.suppress(ConnectionError, EOFError):
                    assert raw.answer().status in (400, 404, 408, 413, 431)
                refused += 1
    return {"refused": refused}


@attack("heads of 64 KiB and more, hundreds of fields, thousands of parameters")
def huge_heads(strike):
    count = 0
    parameters = "&".join(f"topic=t{number}" for number in range(5000))
    heads = {
        request(path="/health", X_Large="x" * 80 * KIB): (431,),
        request(path="/health?" + "y" * 80 * KIB): (414, 431),
        request(path="/health", **{f"X_{number}": "y" for number in range(1000)}): (431,),
        request(path=f"/events?{parameters}", **strike.fields): (400,),
        request(path=f"/topics?{'a=b&' * 12_000}", **strike.fields): (200, 400),
        request(path="/topics/" + "%C3%A9" * 9000, **strike.fields): (400, 404),
        request(path="/health", X_Forwarded_For=", ".join(["1.2.3.4"] * 5000)): (200,),
        request(path="/health", Cookie="c" * 60 * KIB): (200,),
    }
    for _ in strike.rounds():
        for text, expected in heads.items():
            told = answers(strike, text, 1)
            assert told[0] in expected, (text[:80], told)
            count += 1
    return {"heads": count}


@attack("bodies that are compressed a thousandfold, and nested compression")
def compressed_bodies(strike):
    count = 0
    zeros = bytes(strike.many(16, 200) * MIB)
    bomb, nested = gzip.compress(zeros), gzip.compress(gzip.compress(gzip.compress(zeros)))
    with strike.topic() as topic:
        for _ in strike.rounds():
            for text, coding in ((bomb, "gzip"), (nested, "gzip, gzip, gzip"), (nested, ",".join(["gzip"] * 100))):
                asked = request("POST", f"/topics/{topic}/messages", text, Content_Encoding=coding, **TEXT)
                told = answers(strike, asked, 1)
                assert told[0] in (413, 415), told
                count += 1
    return {"bombs": count}


@attack("requests that wait for messages, by hundreds, released at once or given up")
def long_polls(strike):
    answered = left = 0
    with strike.topic() as topic:
        wait = request(path=f"/topics/{topic}/messages?last_n=0&wait=60s", **strike.fields)
        for _ in strike.rounds():
            with strike.sockets(strike.many(200, 1000), RawHTTP) as raws:
                for raw in raws:
                    raw.send(wait)
                for raw in raws[::2]:
                    raw.half_close()
                    assert raw.answer().status == 200
                    left += 1
                body = request("POST", f"/topics/{topic}/messages", b"1", **strike.fields)
                assert answers(strike, body, 1) == [201]
                for raw in raws[1::2]:
                    assert raw.answer().status == 200
                    answered += 1
    return {"answered": answered, "given up": left}


@attack("event streams of a hundred topics each, opened and left, or not read")
def event_streams(strike):
    opened = 0
    with strike.topic() as topic:
        several = "&".join([f"topic={topic}", *(f"topic={topic}.{number}.*" for number in range(99))])
        texts = [request(path=path, **strike.fields) for path in (f"/events?{several}", f"/topics/{topic}/events")]
        publish = request("POST", f"/topics/{topic}/messages", b"x" * 10_000, **TEXT, **strike.fields)
        for _ in strike.rounds():
            with contextlib.ExitStack() as stack:
                for number in range(strike.many(50, 200)):
                    raw = stack.enter_context(RawHTTP(strike.server, receive_buffer=TINY_WINDOW))
                    raw.send(texts[number % 2])
                    assert raw.head()[0] == 200
                    opened += 1
                assert pipelined(strike.server, [publish] * 100) == {201: 100}
    return {"streams": opened}


@attack("requests that are none, or can be read in two ways, and what is behind them")
def smuggling(strike):
    refused = 0
    hidden = request("POST", "/topics", b'{"name":"smuggled"}')
    wrong = [request("POST", "/topics", hidden, Content_Length=["0", str(len(hidden))]),
             request("POST", "/topics", b"0\r\n\r\n" + hidden, Content_Length=5, Transfer_Encoding="chunked"),
             request("POST", "/topics", b"0\r\n\r\n" + hidden, Transfer_Encoding=["identity", "chunked"]),
             b"GET /health HTTP/1.1\nHost: 127.0.0.1\n\n" + b"\x00" * 1000, b"\r\n" * 50_000,
             b"GET http://[::1 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    for _ in strike.rounds():
        for text in wrong:
            with RawHTTP(strike.server) as raw:
                with contextlib.suppress(OSError, EOFError, ValueError):
                    raw.send(text)
                    raw.half_close()
                    while raw.answer():
                        pass
                refused += 1
    names = strike.server.rest("GET", "/topics", headers=strike.headers).json["topics"]
    assert "smuggled" not in [topic["name"] for topic in names]
    return {"refused": refused}
