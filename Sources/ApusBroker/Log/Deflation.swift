import ApusProtocol
import DequeModule
import NIOCore

/// What compresses one event loop's events (RFC 7692), and what it has compressed of late for replays.
///
/// Live events are compressed once for all loops and kept with their batch until all have read them. What a replay
/// reads would stay for as long as the log, so it is kept here: clients that come back together mostly ask for the
/// same.
final class Deflation {
    let compressor: MessageCompressor
    var replays = ReplayedFrames()

    init(_ settings: MessageCompressor.Settings) {
        compressor = MessageCompressor(settings)
    }
}

/// The compressed frames of batches that were replayed last. Bounded by ``limit`` bytes; beyond it the oldest go.
struct ReplayedFrames {
    static let limit = 1 << 20

    private struct Key: Hashable {
        /// That of the topic, which no other has.
        let epoch: String
        /// A batch may have been gone on with since, and have more.
        let publications: Range<Offset>
        let encoding: EventEncoding
    }

    private var frames: [Key: Batch.Frames] = [:]
    private var order = Deque<Key>()
    private(set) var bytes = 0

    /// At least the frames of `batch` from its publication `index` on.
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
