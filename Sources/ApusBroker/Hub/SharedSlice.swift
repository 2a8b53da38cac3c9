import ApusProtocol
import NIOCore

/// The slice that subscriptions get in a drain if they keep up: the new part of the newest batch.
///
/// It is in the encoding of the last subscription that got it. Most subscriptions of a topic are alike, so most get
/// exactly the frames that the one before got.
struct SharedSlice {
    /// Where the slice begins and ends. The range stays 0..<0 if each message must be checked: no cursor is at 0.
    private(set) var first: Offset = 0
    private(set) var end: Offset = 0
    private let batch: Batch?
    private var encoding = EventEncoding.base
    private var frames = ByteBuffer()
    /// What a delivery of it costs.
    private(set) var cost = TurnLimits.deliveryCost

    init(of reader: TopicReader) {
        batch = reader.newest
        guard let batch, !batch.isSelective, batch.end == reader.head, !reader.isDeleted else { return }
        let begin = max(batch.first, reader.seenHead)
        guard begin < batch.end else { return }
        (first, end) = (begin, batch.end)
        frames = batch.slice(from: first, in: encoding, keeps: true)
        cost = TurnLimits.deliveryCost + frames.readableBytes
    }

    /// The frames for a subscription whose cursor is at the beginning of the slice.
    @inline(__always)
    mutating func frames(for subscription: Subscription) -> ByteBuffer {
        if subscription.encoding != encoding { encode(for: subscription) }
        return frames
    }

    private mutating func encode(for subscription: Subscription) {
        guard let batch else { return }
        encoding = subscription.encoding
        frames = subscription.slice(of: batch)
        cost = TurnLimits.deliveryCost + frames.readableBytes
    }
}
