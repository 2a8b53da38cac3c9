import Glibc
import NIOCore

/// The way out of a connection: straight to the socket when nothing is in the way, through the channel when something is.
///
/// A channel's write costs about a microsecond of promises and pipeline besides the system call. So the first write of a turn
/// is only held, and ``flush(_:)`` gives it to `send(2)` itself if it stayed the only one. What the kernel does not take, and
/// every write behind it, goes through the channel, which keeps it in order, waits for the socket, and says when it is full.
/// While the channel holds anything, nothing goes past it.
///
/// Bounded by the channel's write buffer water mark: the owner writes events only while the channel is writable.
///
/// A class, because a flush may call back: the channel tells at once that it has room again, and more is written then.
final class Outbox {
    /// The plain socket under the channel; `nil` to write through the channel only.
    private let socket: CInt?
    private var held: ByteBuffer?
    /// How many writes the channel has not finished.
    private var inChannel = 0
    /// Whether the channel was written to since it was flushed.
    private var isChannelUnflushed = false

    init(socket: CInt?) {
        self.socket = socket
    }

    var hasUnflushed: Bool { held != nil || isChannelUnflushed }

    /// What a flush left to be done.
    enum Flushed {
        /// Everything is in the kernel, from this buffer, which may be used again.
        case sent(ByteBuffer)
        /// The channel has it.
        case handedOver
        /// The socket is broken.
        case failed
    }

    /// Takes bytes to be sent with the next flush.
    func write(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard socket != nil, inChannel == 0 else { return writeToChannel(bytes, context) }
        guard let first = held.take() else {
            held = bytes
            return
        }
        writeToChannel(first, context)
        writeToChannel(bytes, context)
    }

    private func writeToChannel(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        inChannel += 1
        isChannelUnflushed = true
        context.write(NIOAny(bytes)).assumeIsolated().whenComplete { _ in self.inChannel -= 1 }
    }

    /// Sends what was written.
    func flush(_ context: ChannelHandlerContext) -> Flushed {
        if var bytes = held.take(), let socket {
            switch Self.send(&bytes, to: socket) {
            case .sent:
                return .sent(bytes)
            case .failed:
                return .failed
            case .handedOver:
                writeToChannel(bytes, context)
            }
        }
        isChannelUnflushed = false
        context.flush()
        return .handedOver
    }

    private static func send(_ bytes: inout ByteBuffer, to socket: CInt) -> Flushed {
        while bytes.readableBytes > 0 {
            let count = bytes.withUnsafeReadableBytes { readable in
                Glibc.send(socket, readable.baseAddress, readable.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count >= 0 {
                bytes.moveReaderIndex(forwardBy: count)
                // A short count means a full socket: the next attempt would only be told so.
                if bytes.readableBytes > 0 { return .handedOver }
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                return .handedOver
            } else if errno != EINTR {
                return .failed
            }
        }
        return .sent(bytes)
    }
}
