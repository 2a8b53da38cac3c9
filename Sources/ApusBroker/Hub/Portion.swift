import ApusProtocol
import NIOCore

/// What those who keep up get of a drain: the newest batch as it is, in the encoding of who was given it last.
///
/// Subscriptions of one topic are mostly alike, so most are handed the very frames that the one before them got.
struct Portion {
    /// Where the batch begins and ends; nobody is at 0, so that nobody gets it where each has to be looked at.
    private(set) var first: Offset = 0
    private(set) var end: Offset = 0
    private let batch: Batch?
    private var encoding = EventEncoding.base
    private var frames = ByteBuffer()

    init(of source: HubTopic) {
        batch = source.newest
        guard let batch, batch.details == nil, batch.end == source.head, !source.isDeleted else { return }
        (first, end) = (batch.first, batch.end)
        frames = batch.slice(from: first, in: encoding, keeps: true)
    }

    /// The frames for a subscription that is at the batch's beginning.
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
