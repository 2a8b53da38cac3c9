public import ApusSockets
public import Glibc

/// How a connection's bytes travel: on its socket as they are, or through TLS. Its owner must close it.
public struct Transport {
    public let socket: Socket
    public let tls: TLSTransport?

    public init(_ socket: Socket, tls: TLSTransport? = nil) {
        self.socket = socket
        self.tls = tls
    }

    /// Sends as many bytes as the socket accepts. Through TLS, it may have accepted bytes and still be full: see
    /// ``hasUnsent``.
    @inline(__always)
    public func send(_ bytes: UnsafeRawBufferPointer) -> Socket.Transfer {
        guard let tls else { return socket.send(bytes) }
        return tls.send(bytes, to: socket)
    }

    /// Sends as many bytes of the slices, in their order, as the socket accepts: in one call, or through TLS, slice by
    /// slice.
    public func send(_ slices: UnsafeMutableBufferPointer<iovec>) -> Socket.Transfer {
        guard let tls else { return socket.send(slices) }
        var sent = 0
        for slice in slices {
            switch tls.send(UnsafeRawBufferPointer(start: slice.iov_base, count: slice.iov_len), to: socket) {
            case .bytes(let count):
                sent += count
                if count < slice.iov_len || tls.hasUnsent { return .bytes(sent) }
            // What was sealed before is no loss: the next call reports the same.
            case .wouldBlock: return sent > 0 ? .bytes(sent) : .wouldBlock
            case .failed: return .failed
            }
        }
        return .bytes(sent)
    }

    /// Whether sealed bytes wait for the socket. Then ``send(_:)`` must be called again when that is writable, if only
    /// with no bytes.
    @inline(__always)
    public var hasUnsent: Bool { tls?.hasUnsent ?? false }

    /// Receives what has come. `space` must have room for ``TLSTransport/minSpace`` bytes.
    @inline(__always)
    public func receive(into space: UnsafeMutableRawBufferPointer) -> Socket.Transfer {
        guard let tls else { return socket.receive(into: space) }
        return tls.receive(from: socket, into: space)
    }

    /// Signals the end of output. Bytes already accepted are still sent.
    public func finishSending() {
        tls?.finish(socket)
        socket.finishSending()
    }

    public func close() {
        tls?.finish(socket)
        socket.close()
    }
}

/// A transport on its way to another thread.
public struct DetachedTransport: Sendable {
    public let socket: Socket
    public let tls: DetachedTLS?

    public init(_ socket: Socket, tls: DetachedTLS? = nil) {
        self.socket = socket
        self.tls = tls
    }

    public func attached(_ buffers: @autoclosure () -> TLSBuffers) -> Transport {
        Transport(socket, tls: tls.flatMap { TLSSession($0) }.map { TLSTransport($0, buffers()) })
    }

    public func close() { socket.close() }
}

extension Transport {
    /// Takes the transport to another thread. Nothing may be unsent, and this one is not used any more.
    public func detached() -> DetachedTransport {
        DetachedTransport(socket, tls: tls?.session.detach())
    }
}
