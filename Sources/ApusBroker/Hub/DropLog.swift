import ApusProtocol
import DequeModule

/// What a subscription did not get although it was subscribed: the newest ranges of offsets, each with the reason.
///
/// It is made for the first such message: a subscription that gets everything has none. Beyond ``limit`` ranges the
/// oldest is forgotten.
package final class DropLog {
    static let limit = 32

    /// Why messages were passed over.
    package enum Reason: String, Sendable {
        /// The subscription was behind by more than its queue.
        case queueFull = "queue_full"
        /// The log, or the journal, could not keep them for as long as the subscription took.
        case logFull = "log_full"
        /// A later message had the same key.
        case superseded
        /// Their time was up.
        case expired

        /// Whether the subscriber was to have got them. The others are of no use to it.
        package var isLoss: Bool { self == .queueFull || self == .logFull }
    }

    package struct Entry: Sendable, Equatable {
        package var range: Range<Offset>
        package let reason: Reason
        /// How many messages of the range.
        package var count: UInt64
        /// When the newest of them was passed over, in milliseconds since 1970.
        package var time: Int64
    }

    private(set) var entries = Deque<Entry>()
    /// Before this offset there may have been ranges that are forgotten.
    private(set) var forgotten: Offset = 0
    /// The newest loss.
    private(set) var lastLoss: Entry?

    func add(_ range: Range<Offset>, count: UInt64, _ reason: Reason, time: Int64) {
        guard !range.isEmpty else { return }
        var entry = Entry(range: range, reason: reason, count: count, time: time)
        if let last = entries.last, last.reason == reason, last.range.upperBound >= range.lowerBound,
            last.range.lowerBound <= range.lowerBound
        {
            entry.range = last.range.lowerBound..<max(last.range.upperBound, range.upperBound)
            entry.count += last.count
            entries[entries.count - 1] = entry
        } else {
            entries.append(entry)
            if entries.count > Self.limit, let oldest = entries.popFirst() {
                forgotten = max(forgotten, oldest.range.upperBound)
            }
        }
        if reason.isLoss { lastLoss = entry }
    }

    /// What is at an offset or after it is delivered again.
    func forget(from offset: Offset) {
        forgotten = min(forgotten, offset)
        entries = entries.filter { $0.range.lowerBound < offset }
        for index in entries.indices where entries[index].range.upperBound > offset {
            entries[index].range = entries[index].range.lowerBound..<offset
            entries[index].count = min(entries[index].count, UInt64(entries[index].range.count))
        }
    }

    /// About how many bytes of memory it takes.
    var bytes: Int { Self.overhead + entries.count * MemoryLayout<Entry>.stride }
    /// The object, and the head of its list.
    private static let overhead = 128 + MemoryLayout<Entry>.stride

    func entry(at offset: Offset) -> Entry? { entries.last { $0.range.contains(offset) } }
}

extension Hub {
    /// Notes what a subscription does not get.
    func note(_ range: Range<Offset>, count: UInt64, _ reason: DropLog.Reason, on subscription: Subscription) {
        let drops = subscription.drops ?? DropLog()
        subscription.drops = drops
        drops.add(range, count: count, reason, time: clock().wall)
    }
}
