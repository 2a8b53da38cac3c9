import ApusProtocol
import NIOCore

/// What those who keep up get of a drain: what is new of the newest batch, in the encoding of who was given it last.
///
/// Subscriptions of one topic are mostly alike, so most are handed the very frames that the one before them got.
struct SharedSlice {
    /// Where it begins and ends; nobody is at 0, so that nobody gets it where each has to be looked at.
    private(set) var first: Offset = 0
    private(set) var end: Offset = 0
    private let batch: Batch?
    private var encoding = EventEncoding.base
    private var frames = ByteBuffer()

    init(of reader: TopicReader) {
        batch = reader.newest
        guard let batch, batch.details == nil, batch.end == reader.head, !reader.isDeleted else { return }
        let begin = max(batch.first, reader.seenHead)
        guard begin < batch.end else { return }
        (first, end) = (begin, batch.end)
        frames = batch.slice(from: first, in: encoding, keeps: true)
    }

    /// The frames for a subscription that is at the portion's beginning.
    @inline(__always)
    mutating func frames(for subscription: Subscription) -> ByteBuffer {
        if subscription.encoding != encoding { encode(for: subscription) }
        return frames
    }

    private mutating func encode(for subscription: Subscription) {
        guard let batch else { return }
        encoding = subscription.encoding
        frames = subscription.slice(of: batch)
    }
}
