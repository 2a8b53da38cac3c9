import ApusSockets
import ApusTLS
import Glibc
import NIOCore

@testable import ApusServer

/// An outbox with a real socket under it and a peer that reads when it is told to, all on one thread.
///
/// Unless told otherwise, the kernel's buffer is as small as it gets, so that nearly every send of more than a few
/// frames is cut somewhere.
final class OutboxRig {
    var outbox: Outbox
    private let server: Socket
    private let peer: Socket
    /// What the peer has read.
    private(set) var received: [UInt8] = []

    init(_ content: Outbox.Content = .frames, sendBuffer: CInt = 1) throws {
        outbox = Outbox(content)
        (server, peer) = try Socket.pair()
        var size = sendBuffer
        setsockopt(server.descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }

    deinit {
        server.close()
        peer.close()
    }

    @discardableResult
    func flush() -> Outbox.Flushed { outbox.flush(to: Transport(server)) }

    /// The peer is gone.
    func hangUp() {
        shutdown(peer.descriptor, CInt(SHUT_RDWR))
    }

    /// Takes up to `count` bytes off the peer's socket.
    func read(_ count: Int) {
        withUnsafeTemporaryAllocation(byteCount: count, alignment: 1) { space in
            if case .bytes(let taken) = peer.receive(into: space) { received += space[..<taken] }
        }
    }

    /// What the event loop does when the socket takes more.
    func becomeWritable() {
        if outbox.isBlocked { flush() }
    }

    /// Reads, flushes and writes on until nothing is left.
    func drain() {
        repeat {
            flush()
            read(1 << 20)
        } while !outbox.isDrained || bytesInKernel > 0
    }

    /// How many bytes of the stream are decided: read, in the kernel, or part of the frame at work.
    var decidedBytes: Int { received.count + bytesInKernel + (outbox.backlog?.current?.readableBytes ?? 0) }

    /// How many bytes wait in the lane for control.
    var controlBytes: Int { outbox.answerBytes - (outbox.backlog?.orderedBytes ?? 0) }

    private var bytesInKernel: Int {
        var count: CInt = 0
        return ioctl(peer.descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }
}
