import ApusProtocol
import DequeModule
import NIOCore

/// Compresses one event loop's events (RFC 7692), and keeps what it recently compressed for replays.
///
/// All loops share compressed live events: the batch keeps them until every subscription has read it. Compressed
/// replays would stay as long as the log, so this class keeps them instead. Clients that reconnect together mostly ask
/// for the same messages.
final class Deflation {
    let compressor: MessageCompressor
    var replays = ReplayedFrames()

    init(_ settings: MessageCompressor.Settings) {
        compressor = MessageCompressor(settings)
    }
}

/// The compressed frames of recently replayed batches, at most ``limit`` bytes. The oldest are dropped first.
struct ReplayedFrames {
    static let limit = 1 << 20

    private struct Key: Hashable {
        /// The topic's epoch, which no other topic has.
        let epoch: String
        /// A batch may have been reopened since, and then holds more publications.
        let publications: Range<Offset>
        let encoding: EventEncoding
    }

    private var frames: [Key: Batch.Frames] = [:]
    private var order = Deque<Key>()
    private(set) var bytes = 0

    /// Cached frames that cover `batch` from its publication `index` on, if there are any.
    func find(_ batch: Batch, from index: Int, in encoding: EventEncoding) -> Batch.Frames? {
        let known = frames[Self.key(batch, encoding)]
        return known.flatMap { $0.firstIndex <= index ? $0 : nil }
    }

    mutating func insert(_ made: Batch.Frames, of batch: Batch, in encoding: EventEncoding) {
        let key = Self.key(batch, encoding)
        remove(key)
        guard made.bytes.readableBytes <= Self.limit else { return }
        frames[key] = made
        order.append(key)
        bytes += made.bytes.readableBytes
        while bytes > Self.limit, let oldest = order.first { remove(oldest) }
    }

    private static func key(_ batch: Batch, _ encoding: EventEncoding) -> Key {
        Key(epoch: batch.epoch, publications: batch.first..<batch.end, encoding: encoding)
    }

    private mutating func remove(_ key: Key) {
        guard let gone = frames.removeValue(forKey: key) else { return }
        bytes -= gone.bytes.readableBytes
        if let index = order.firstIndex(of: key) { order.remove(at: index) }
    }
}
