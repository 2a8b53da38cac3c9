import ApusProtocol

/// A message that somebody looks for.
package struct TracedMessage: Sendable, Equatable {
    package var offset: Offset
    /// In milliseconds since 1970.
    package var time: Int64
    /// As a quoted JSON string.
    package var key: [UInt8]?
    /// The size of the published object.
    package var bytes: Int
    /// The connection that published it; `nil` when that is not known any more.
    package var origin: UInt32?
    /// Whether a later message in the log has the same key.
    package var isSuperseded = false
}

/// What became of a message for one subscription.
package enum DeliveryOutcome: Sendable, Equatable {
    /// It was handed to the subscriber's connection.
    case delivered
    /// The subscription has not come to it: it is so many messages ahead.
    case pending(ahead: UInt64)
    /// The subscriber does not get it. For the reason of an ended subscription, see ``EndReason``.
    case dropped(reason: String, time: Int64)
    /// The subscription did not want it; the time is not always known.
    case filtered(reason: String, time: Int64?)
    /// The subscription began after it, and did not ask for it.
    case later
    /// It is too long ago: what happened to it is forgotten.
    case unknown

    package var name: String {
        switch self {
        case .delivered: "delivered"
        case .pending: "pending"
        case .dropped: "dropped"
        case .filtered: "filtered"
        case .later: "later"
        case .unknown: "unknown"
        }
    }

    /// Those that somebody looks for come first.
    var rank: Int {
        switch self {
        case .dropped: 0
        case .pending: 1
        case .unknown: 2
        case .filtered: 3
        case .later: 4
        case .delivered: 5
        }
    }
}

/// How far a subscription came, and what it passed over on its way.
package struct DeliveryTrail: Sendable {
    let epoch: String
    /// The first offset that it was to get, and the next one.
    let begin, cursor: Offset
    let drops: [DropLog.Entry]
    let forgotten: Offset
    /// What this connection publishes is not for it.
    let excluded: UInt32?
    let conflates: Bool

    init(_ subscription: Subscription) {
        epoch = subscription.topic.epoch
        begin = subscription.begin
        cursor = subscription.cursor
        drops = subscription.drops.map { Array($0.entries) } ?? []
        forgotten = subscription.drops?.forgotten ?? 0
        excluded = subscription.options.echo ? nil : subscription.subscriber.origin
        conflates = subscription.overflow.conflates
    }

    /// What became of a message of the subscription's topic.
    ///
    /// - Parameter end: if the subscription has ended, why and when.
    package func outcome(
        of message: TracedMessage,
        end: (reason: EndReason, time: Int64)? = nil
    ) -> DeliveryOutcome {
        guard message.offset >= begin else { return .later }
        if let drop = drops.last(where: { $0.range.contains(message.offset) }) {
            // Where the queue was full, what later messages replaced was no loss.
            if drop.reason == .queueFull, conflates, message.isSuperseded {
                return .filtered(reason: DropLog.Reason.superseded.rawValue, time: drop.time)
            }
            return drop.reason.isLoss
                ? .dropped(reason: drop.reason.rawValue, time: drop.time)
                : .filtered(reason: drop.reason.rawValue, time: drop.time)
        }
        if let excluded, message.origin == excluded { return .filtered(reason: "own", time: nil) }
        if message.offset >= cursor {
            guard let end else { return .pending(ahead: message.offset - cursor) }
            return message.time > end.time ? .later : .dropped(reason: end.reason.code, time: end.time)
        }
        let isForgotten = message.offset < forgotten || excluded != nil && message.origin == nil
        return isForgotten ? .unknown : .delivered
    }
}
