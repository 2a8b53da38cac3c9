import ApusBroker
import ApusProtocol
import DequeModule
import NIOCore

/// The replies of a connection that wait until a journal has kept the publishes that they acknowledge.
///
/// Replies keep their order, so those behind an ack that waits are held, too. Used only on the connection's loop.
final class HeldReplies {
    /// How many acks may be held before the connection stops reading: about as many as a client with a large window
    /// sends while one commit is under way.
    static let maxAcks = 4096
    static let maxBytes = 1 << 20

    /// Writes an ack anew.
    typealias Rewrite = (Relocation, inout ByteBuffer) -> Void

    private struct Run {
        /// `nil` for replies that only keep their order.
        var commit: Commit?
        /// How many acks these are.
        var acks: Int
        var bytes: Int
        /// Used if offsets in the ack, which then is alone, have moved.
        var again: Rewrite?
    }

    private var runs = Deque<Run>()
    private var bytes = ByteBuffer()
    private(set) var acks = 0

    var isEmpty: Bool { runs.isEmpty }
    var byteCount: Int { bytes.readableBytes }
    var isFull: Bool { acks >= Self.maxAcks || bytes.readableBytes >= Self.maxBytes }

    /// Adds whole frames.
    ///
    /// - Parameters:
    ///   - commit: what the `acks` that these frames are have to wait for.
    ///   - again: writes the only one of them anew if its offsets have moved when it is kept.
    func append(_ frames: ByteBuffer, _ commit: Commit? = nil, acks count: Int = 0, again: Rewrite? = nil) {
        bytes.writeImmutableBuffer(frames)
        acks += count
        if let last = runs.indices.last, runs[last].commit === commit, runs[last].again == nil, again == nil {
            runs[last].bytes += frames.readableBytes
            runs[last].acks += count
        } else {
            runs.append(Run(commit: commit, acks: count, bytes: frames.readableBytes, again: again))
        }
    }

    /// Takes what no longer has to wait, up to the first ack that has to.
    ///
    /// - Parameter refuse: called for each ack of a publish that could not be kept, with its request id as JSON. Writes
    ///   the error in its place.
    func takeReady(
        refuse: (CommitFailure, UnsafeRawBufferPointer?, inout ByteBuffer) -> Void
    ) -> ByteBuffer {
        var ready = ByteBuffer()
        while let run = runs.first {
            let outcome = run.commit.map(\.outcome) ?? .kept
            guard let outcome else { break }
            runs.removeFirst()
            acks -= run.acks
            guard var frames = bytes.readSlice(length: run.bytes) else { break }
            switch outcome {
            case .kept:
                if let again = run.again, let relocation = run.commit?.relocation {
                    again(relocation, &ready)
                } else {
                    ready.writeBuffer(&frames)
                }
            case .failed(let failure):
                while let ack = Self.readFrame(&frames) {
                    ack.withUnsafeReadableBytes { refuse(failure, MessageEncoder.requestID(of: $0), &ready) }
                }
            }
        }
        if runs.isEmpty { bytes = ByteBuffer() } else { bytes.discardReadBytes() }
        return ready
    }

    /// Reads the payload of one of our own frames.
    private static func readFrame(_ frames: inout ByteBuffer) -> ByteBuffer? {
        let head = frames.withUnsafeReadableBytes { bytes -> (size: Int, payload: Int)? in
            guard bytes.count >= 2 else { return nil }
            switch bytes[1] {
            case 127 where bytes.count >= 10:
                return (10, Int(clamping: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))))
            case 126 where bytes.count >= 4:
                return (4, Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))))
            case let size:
                return (2, Int(size))
            }
        }
        guard let head else { return nil }
        frames.moveReaderIndex(forwardBy: head.size)
        return frames.readSlice(length: head.payload)
    }
}
