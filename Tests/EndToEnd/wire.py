"""Connections as blocking sockets, over TLS where the server speaks it."""

import contextlib
import socket
import ssl

from apus_e2e import TIMEOUT

RECORD = 1 << 16


def connect(server, timeout=TIMEOUT, receive_buffer=None, source=None):
    """A connection to the server that can be used as a socket."""
    return secured(connect_plainly(server, timeout, receive_buffer, source), server)


def connect_plainly(server, timeout=TIMEOUT, receive_buffer=None, source=None):
    """One on which TLS has not begun."""
    plain = socket.socket()
    if receive_buffer is not None:
        # Before connect: afterwards the window has been announced.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.settimeout(timeout)
    if source is not None:
        plain.bind((source, 0))
    plain.connect(("127.0.0.1", server.port))
    return plain


def secured(plain, server):
    """This connection with TLS on it, where the server speaks that."""
    context = getattr(server, "tls", None)
    return plain if context is None else TLSSocket(plain, context)


class TLSSocket:
    """A socket with TLS on it that tests use like a plain one.

    Python's own cannot close one side and read on. Here that is a `close_notify` and a FIN. An end without the server's
    `close_notify` is a reset: something may be missing.
    """

    def __init__(self, plain, context, name="127.0.0.1", session=None):
        self.plain, self._unsent = plain, b""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name, session=session)
        try:
            self._until_done(self.tls.do_handshake)
            self.flush()
        except BaseException:
            plain.close()
            raise

    def __getattr__(self, name):
        # Options, addresses and deadlines are those of the socket below.
        if name == "plain":
            raise AttributeError(name)
        return getattr(self.plain, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _until_done(self, operation):
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                self.flush()
                if data := self.plain.recv(RECORD):
                    self.incoming.write(data)
                else:
                    self.incoming.write_eof()
            except ssl.SSLError:
                # The alert that says why.
                with contextlib.suppress(OSError):
                    self.flush()
                raise

    def flush(self):
        """Sends what has been sealed."""
        if sealed := self.outgoing.read():
            self.plain.sendall(sealed)

    def seal(self, data):
        """The records of these bytes, which it is for the caller to send."""
        data = memoryview(data)
        while data:
            data = data[self.tls.write(data):]
        return self.outgoing.read()

    def sendall(self, data):
        self.plain.sendall(self.seal(data))

    def send(self, data):
        """For sockets that do not wait: as much as goes out of these bytes, or of what is left from before."""
        if not self._unsent:
            self._unsent = self.seal(data)
        self._unsent = self._unsent[self.plain.send(self._unsent):]
        return len(data)

    def recv(self, count):
        try:
            return self._until_done(lambda: self.tls.read(count))
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLEOFError:
            raise ConnectionResetError("the end came without close_notify") from None

    def end(self):
        """The record that closes this side, which it is for the caller to send."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        return self.outgoing.read()

    def shutdown(self, how):
        if how != socket.SHUT_RD:
            self.plain.sendall(self.end())
        self.plain.shutdown(how)

    def close(self):
        with contextlib.suppress(OSError):
            self.plain.setblocking(False)
            self.plain.send(self.end())
        self.plain.close()
