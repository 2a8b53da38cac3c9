"""permessage-deflate (RFC 7692) by hand: a raw client whose messages are compressed as a test wants it."""

import json
import zlib

from raw_websocket import PING, PONG, TEXT, RawWebSocket, frame, upgrade_request

TAIL = b"\x00\x00\xff\xff"
RSV1 = 4


def deflate(data, level=9, window=15):
    """A message as it goes into frames (section 7.2.1)."""
    if isinstance(data, str):
        data = data.encode()
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window)
    data = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert data.endswith(TAIL)
    return data[:-len(TAIL)]


def inflate(data, window=15):
    """A message as it was (section 7.2.2), read with no larger window than this, byte by byte."""
    decompressor = zlib.decompressobj(-window)
    text = bytearray()
    data += TAIL
    while data:
        text += decompressor.decompress(data, 1)
        data = decompressor.unconsumed_tail
    return bytes(text) + decompressor.flush()


def compressed_command(**fields):
    """The bytes of one command in a compressed text frame."""
    return frame(TEXT, deflate(json.dumps(fields)), rsv=RSV1)


class CompressedWebSocket(RawWebSocket):
    """A socket that has negotiated permessage-deflate; `extension` is what the server answered."""

    reserved = (0, RSV1)

    @classmethod
    def open(cls, server, path="/ws", offer="permessage-deflate", window=15, **options):
        raw = cls(server, **options)
        raw.window = window
        status, headers = raw.request(upgrade_request(path, Sec_WebSocket_Extensions=offer))
        assert status == 101
        raw.extension = headers.get("sec-websocket-extensions")
        return raw

    def read_data(self):
        """The next frame of a message; pings on the way are answered."""
        while (received := self.read_frame()).opcode == PING:
            self.send(frame(PONG, received.payload))
        return received

    def text(self, received):
        """What a frame of the server says."""
        assert received.opcode == TEXT and received.fin, received
        return inflate(received.payload, self.window) if received.rsv else received.payload

    def read_message(self):
        return json.loads(self.text(self.read_data()))
