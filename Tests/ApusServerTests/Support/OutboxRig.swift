import Glibc
import NIOCore
import NIOEmbedded

@testable import ApusServer

/// An outbox with a real socket under it and a peer that reads when it is told to, all on one thread.
///
/// ```
/// outbox ──send(2)──────────────────────────► socketpair ──► peer: reads so many bytes
///    └────► embedded channel ──► SocketEnd ──────┘
///                               keeps what the socket does not take until `becomeWritable()`
/// ```
/// The kernel's buffer is as small as it gets, so that nearly every send of more than a few frames is cut somewhere.
final class OutboxRig {
    let outbox: Outbox
    private let channel = EmbeddedChannel()
    private let end: SocketEnd
    private let context: ChannelHandlerContext
    private let sockets: (server: CInt, peer: CInt)
    /// How often the outbox said that it has become empty.
    private let emptied: Counter
    /// What the peer has read.
    private(set) var received: [UInt8] = []

    struct NoSocket: Error {}

    private final class Counter {
        var count = 0
    }

    /// - Parameter sendsDirectly: whether the outbox knows the socket, or has to write through the channel.
    init(sendsDirectly: Bool = true) throws {
        var pair: [CInt] = [0, 0]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) == 0 else { throw NoSocket() }
        sockets = (pair[0], pair[1])
        var least: CInt = 1
        setsockopt(sockets.server, SOL_SOCKET, SO_SNDBUF, &least, socklen_t(MemoryLayout<CInt>.size))
        let emptied = Counter()
        self.emptied = emptied
        outbox = Outbox(socket: sendsDirectly ? sockets.server : nil) { emptied.count += 1 }
        end = SocketEnd(socket: sockets.server)
        let last = LastHandler()
        try channel.pipeline.syncOperations.addHandlers([end, last])
        context = try channel.pipeline.syncOperations.context(handler: last)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "test")).wait()
    }

    deinit {
        Glibc.close(sockets.server)
        Glibc.close(sockets.peer)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    var timesEmptied: Int { emptied.count }

    func flush() -> Outbox.Flushed { outbox.flush(context) }

    /// The peer is gone.
    func hangUp() {
        shutdown(sockets.peer, CInt(SHUT_RDWR))
    }

    /// Takes up to `count` bytes off the peer's socket.
    func read(_ count: Int) {
        var buffer = [UInt8](repeating: 0, count: count)
        let taken = recv(sockets.peer, &buffer, count, CInt(MSG_DONTWAIT))
        if taken > 0 { received += buffer.prefix(taken) }
    }

    /// What the event loop does when the socket takes more.
    func becomeWritable() { end.send() }

    /// Reads, flushes and writes on until nothing is left.
    func drain() {
        repeat {
            _ = flush()
            becomeWritable()
            read(1 << 20)
        } while !outbox.isDrained || bytesInKernel > 0
    }

    /// How many bytes of the stream are decided: read, in the kernel, or part of the frame that the channel has.
    var decidedBytes: Int { received.count + bytesInKernel + end.heldBytes }

    /// Whether the channel waits for the socket.
    var isBlocked: Bool { end.heldBytes > 0 }

    private var bytesInKernel: Int {
        var count: CInt = 0
        return ioctl(sockets.peer, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    private final class LastHandler: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundIn = ByteBuffer
    }
}

/// The channel's end: sends what it is given, and keeps what the socket does not take.
private final class SocketEnd: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private let socket: CInt
    private var held: [(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)] = []

    init(socket: CInt) {
        self.socket = socket
    }

    var heldBytes: Int { held.reduce(0) { $0 + $1.bytes.readableBytes } }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        held.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {
        send()
    }

    func send() {
        while let (bytes, promise) = held.first {
            let count = bytes.withUnsafeReadableBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            guard count >= 0 else { return }
            guard count == bytes.readableBytes else {
                held[0].bytes.moveReaderIndex(forwardBy: count)
                continue
            }
            held.removeFirst()
            // This may call back, with more to send.
            promise?.succeed()
        }
    }
}
