"""What can be done to TLS itself, once or without end."""

import contextlib
import socket
import ssl
import struct

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import ContentType, KeyUpdateMessageType
from tlslite.errors import TLSError
from tlslite.messages import ClientHello, Message

from attack import MIB, TLS, attack
from certificates import authority
from flood import TINY_WINDOW
from raw_http import request
from secure import V13, hello, read_plainly, resumable, speak
from wire import RECORD, TLSSocket, connect_plainly

SECOND_HELLO = ClientHello().create((3, 3), bytearray(32), bytearray(0), [0xC02B, 0xC02F], None, None, False, None,
                                    None)
ALERT, DATA, HANDSHAKE = ContentType.alert, ContentType.application_data, ContentType.handshake


@contextlib.contextmanager
def lite(strike, version):
    """A client that can be made to say anything inside of TLS, and has been answered once."""
    client, settings = TLSConnection(connect_plainly(strike.server)), HandshakeSettings()
    settings.minVersion = settings.maxVersion = version
    client.handshakeClientCert(settings=settings)
    client.ignoreAbruptClose = True
    try:
        client.sendall(request(path="/livez"))
        seen = b""
        while b"alive" not in seen:
            part = client.recv(RECORD)
            assert part, seen
            seen += part
        yield client
    finally:
        client.sock.close()


def say(client, kind, data):
    for _ in client._recordLayer.sendRecord(Message(kind, bytearray(data))):
        pass


def read_to_end(client):
    """Reads on until the server has ended the connection, in whatever way."""
    try:
        while client.recv(RECORD):
            pass
    except (TLSError, OSError) as error:
        assert not isinstance(error, TimeoutError), "the connection is still open"


@attack("renegotiations asked for in TLS 1.2 without end", port=TLS)
def renegotiation(strike):
    asked = 0
    for _ in strike.rounds():
        with lite(strike, (3, 3)) as client:
            with contextlib.suppress(TLSError, OSError):
                for _ in range(200):
                    say(client, HANDSHAKE, SECOND_HELLO.write())
                    asked += 1
                client.sock.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(TLSError, OSError):
                while part := client.recv(RECORD):
                    answer += part
            # Refused by a warning, or by the end; never done.
            assert not answer
    return {"hellos": asked}


@attack("updates of keys in TLS 1.3 without end, whose answers nobody reads", port=TLS)
def key_updates(strike):
    asked = 0
    for _ in strike.rounds():
        with lite(strike, (3, 4)) as client:
            client.sock.settimeout(1)
            with contextlib.suppress(TLSError, OSError):
                for _ in range(strike.many(1000, 2000)):
                    for _ in client.send_keyupdate_request(KeyUpdateMessageType.update_requested):
                        pass
                    asked += 1
    return {"updates": asked}


@attack("early data where there is none: with a ticket and without, and a great deal of it", port=TLS)
def early_data(strike):
    context = authority().context(V13)
    session, refused = resumable(strike.server, context), 0
    early = struct.pack("!BHH", DATA, 0x0303, 16_000) + b"e" * 16_000
    for number in strike.rounds():
        for text in (with_early_data(hello(context)), with_early_data(resuming(context, session)), hello(context)):
            with connect_plainly(strike.server) as plain:
                with contextlib.suppress(OSError):
                    plain.sendall(text + early * strike.many(10, 100))
                    plain.shutdown(socket.SHUT_WR)
                said = read_plainly(plain)
            # An alert, or a hello and then an alert; never an answer to what came early.
            assert said[:1] in (b"", b"\x15", b"\x16") and b"HTTP" not in said, said[:50]
            refused += 1
    return {"refused": refused}


def resuming(context, session):
    """The hello of a client that has been here."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    begun = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1", session=session)
    with contextlib.suppress(ssl.SSLWantReadError):
        begun.do_handshake()
    return outgoing.read()


def with_early_data(text):
    """A hello that announces early data (RFC 8446 section 4.2.10) first of all: a ticket must be the last extension."""
    # Record header, type and length, version, random; then session id, ciphers and compression, each with its length.
    place = 5 + 4 + 2 + 32
    for size in (1, 2, 1):
        place += size + int.from_bytes(text[place:place + size], "big")
    body = text[9:place] + struct.pack("!H", int.from_bytes(text[place:place + 2], "big") + 4) \
        + b"\x00\x2a\x00\x00" + text[place + 2:]
    return struct.pack("!BHHB", 22, 0x0301, len(body) + 4, 1) + len(body).to_bytes(3, "big") + body


@attack("clients of TLS that ask for much and read nothing, not even the handshake", port=TLS)
def tls_never_reads(strike):
    asked = 0
    texts = [request(path="/openapi.json") * 200, request(path="/livez") * 1000]
    for _ in strike.rounds():
        with contextlib.ExitStack() as stack:
            for number in range(strike.many(20, 200)):
                plain = stack.enter_context(connect_plainly(strike.server, receive_buffer=TINY_WINDOW))
                if number % 4 == 3:
                    plain.sendall(hello())
                    continue
                client = TLSSocket(plain, authority().context())
                plain.settimeout(0.05)
                with contextlib.suppress(OSError):
                    client.sendall(texts[number % 2])
                asked += 1
    return {"connections": asked}


@attack("records that are empty, alerts, and records sealed by nobody, without end", port=TLS)
def odd_records(strike):
    ended = 0
    floods = [((3, 4), DATA, b"", 2000), ((3, 3), DATA, b"", 2000), ((3, 4), ALERT, b"\x01\x5a", 500),
              ((3, 3), ALERT, b"\x01\x5a", 500), ((3, 4), HANDSHAKE, b"\xff\xff\xff\xff", 1), ((3, 4), 99, b"x", 1)]
    for _ in strike.rounds():
        for version, kind, data, count in floods:
            with lite(strike, version) as client:
                with contextlib.suppress(TLSError, OSError):
                    for _ in range(count):
                        say(client, kind, data)
                    # Whoever took all that takes nothing that was not sealed.
                    client.sock.sendall(struct.pack("!BHH", DATA, 0x0303, 1000) + b"x" * 1000)
                read_to_end(client)
                ended += 1
    return {"connections ended": ended}


@attack("bytes one by one inside of TLS, each a record of its own", port=TLS)
def tiny_records(strike):
    sent, text = 0, request("POST", "/topics", b" " * 1000 + b"{}")
    for _ in strike.rounds():
        with TLSSocket(connect_plainly(strike.server), authority().context()) as client:
            speak(client)
            # Sealed one by one, and sent at once.
            client.plain.sendall(b"".join(client.seal(text[place:place + 1]) for place in range(len(text))))
            assert b" 400 " in client.recv(MIB)
            sent += len(text)
    return {"records": sent}
