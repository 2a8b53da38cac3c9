"""What tells a client's address: headers of the PROXY protocol as bytes, and who is listed where."""

import socket
import struct

from raw_http import RawHTTP
from wire import connect_plainly, secured

# The proxies of the tests connect from here, and everybody else from there.
TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def line(client, port=4711):
    """A header of version 1."""
    return f"PROXY TCP{6 if ':' in client else 4} {client} {'::1' if ':' in client else '10.0.0.1'} {port} 80\r\n".encode()


def binary(client, port=4711, extensions=b""):
    """A header of version 2."""
    family, kind = (socket.AF_INET6, 0x21) if ":" in client else (socket.AF_INET, 0x11)
    address = socket.inet_pton(family, client)
    rest = address + bytes(len(address)) + struct.pack("!HH", port, 80) + extensions
    return SIGNATURE + struct.pack("!BBH", 0x21, kind, len(rest)) + rest


# A proxy that speaks for itself.
LOCAL = SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)


def raw(server, start=b"", source=TRUSTED):
    """A connection that has sent its first bytes; a header of the PROXY protocol comes before TLS."""
    plain = connect_plainly(server, source=source)
    if server.tls:
        size = _header_size(start)
        plain.sendall(start[:size])
        start = start[size:]
    connection = RawHTTP.on(secured(plain, server))
    if start:
        connection.send(start)
    return connection


def _header_size(start):
    if start.startswith(b"PROXY "):
        return start.index(b"\r\n") + 2
    return 16 + struct.unpack_from("!H", start, 14)[0] if start.startswith(SIGNATURE) else 0


def addresses(server, topic):
    """Where the subscribers of a topic are, by transport."""
    subscribers = server.rest("GET", "/subscribers").json["subscribers"]
    return {entry["transport"]: entry["address"] for entry in subscribers if entry["topic"] == topic}


def logged(server, path):
    """The address in the log's line about a request."""
    found = server.wait_for_log(f" path={path} ")
    return found.split(" address=")[1].split()[0]
