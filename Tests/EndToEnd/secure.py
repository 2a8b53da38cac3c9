"""Servers that speak TLS however the suite is run, and connections to them whose TLS a test has in hand."""

import ssl
from contextlib import contextmanager

import pytest

from apus_e2e import Server
from certificates import client_context, local_pair
from raw_http import request
from wire import RECORD, TLSSocket, connect_plainly

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])


@contextmanager
def secure(*flags, tls=None, pair=None, kind=Server, **options):
    """A server with this pair, whose clients connect with `tls`; `kind` is its class."""
    pair = pair or local_pair()
    with kind(*flags, *pair.flags, tls=tls or client_context(), **options) as server:
        yield server


def tls(server, context=None, name="127.0.0.1", session=None):
    """A connection with a context of its own."""
    return TLSSocket(connect_plainly(server), context or client_context(), name, session)


def speak(connection):
    """Asks for something, so that whatever comes after the handshake has come."""
    connection.sendall(request())
    seen = b""
    while b"uptime_sec" not in seen:
        assert (part := connection.recv(RECORD)), seen
        seen += part


def resumable(server, context):
    """The session of a connection that is over."""
    with tls(server, context) as connection:
        speak(connection)
        return connection.tls.session


def hello(context=None):
    """What a client begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    begun = (context or client_context()).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        begun.do_handshake()
    return outgoing.read()


def read_plainly(plain):
    """All that comes below TLS, up to the end of the connection."""
    data = b""
    try:
        while part := plain.recv(RECORD):
            data += part
    except ConnectionResetError:
        pass
    return data
