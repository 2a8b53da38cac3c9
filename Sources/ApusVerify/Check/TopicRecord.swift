import NIOCore
import Synchronization

/// What is known about one topic: which message its acks and its subscribers saw at which offset.
///
/// The topic's publishers and subscribers share the record, and one leaf lock guards it. An offset is kept until every
/// subscriber has passed it and its publish is settled. So the record is as long as the slowest subscriber's lag, which
/// `takeRoom` bounds. Beyond `capacity`, the oldest offsets are forgotten.
///
/// ```
///   base                                   highest
///    │ slowest subscriber   fastest one      │
///    ▼      ▼                   ▼            ▼
///  [ 17 ] [ 18 ] [ 19 ] [ 20 ] [ 21 ] [ 22 ] …   label, acked?
/// ```
final class TopicRecord: Sendable {
    static let capacity = 1 << 20

    fileprivate struct Entry {
        var label: MessageLabel?
        var isAcked = false
    }

    fileprivate struct Stream {
        /// The end of the acked messages.
        var end = 0
        /// The ranges of refused messages. There are few, because a publisher ends its stream at the first refusal.
        var refused: [Range<Int>] = []
        var isClosed = false
        /// How many messages have taken room and are not answered yet.
        var unanswered = 0
    }

    fileprivate struct State {
        var epoch: String?
        /// The offset of the first entry.
        var base = 1
        var entries: CircularBuffer<Entry> = []
        var highest = 0
        var streams: [Stream] = []
        var positions: [Int: Int] = [:]
        /// The number of unanswered messages in all streams.
        var unanswered = 0
        /// What the subscribers that saw the whole topic saw; one digest if they agree.
        var digests: Set<UInt64> = []
    }

    let name: String
    private let state = Mutex(State())

    init(name: String) {
        self.name = name
    }

    // MARK: Publishers

    /// Starts the stream of one publisher's connection.
    func openStream() -> UInt32 {
        state.withLock { state in
            state.streams.append(Stream())
            return UInt32(state.streams.count - 1)
        }
    }

    /// Takes room for `count` messages of the stream. Returns `false` if the slowest subscriber would be further behind
    /// than `limit`. Forgets entries that are no longer needed.
    func takeRoom(stream: UInt32, count: Int, limit: Int) -> Bool {
        state.withLock { state in
            let lag = state.lag()
            // Messages on their way to the server may be ahead of everything that is known.
            guard lag + state.unanswered + count <= limit || lag + state.unanswered == 0 else { return false }
            state.streams[Int(stream)].unanswered += count
            state.unanswered += count
            return true
        }
    }

    /// Closes a stream whose connection is gone. Its unanswered messages will never be answered.
    func closeStream(_ stream: UInt32) {
        state.withLock { state in
            state.answered(stream, state.streams[Int(stream)].unanswered)
            state.streams[Int(stream)].isClosed = true
        }
    }

    /// Records an ack: `count` messages of the stream from `first` on, stored from `offset` on. Returns the
    /// contradictions.
    func acked(stream: UInt32, first: Int, count: Int, at offset: Int, epoch: String) -> [String] {
        state.withLock { state in
            state.answered(stream, count)
            if let known = state.epoch, known != epoch { return ["an ack names epoch \(epoch), not \(known)"] }
            state.epoch = epoch
            state.streams[Int(stream)].end = first + count
            return (0..<count).compactMap { index in
                let label = MessageLabel(stream: stream, sequence: UInt32(first + index))
                return state.note(label, at: offset + index, isAck: true)
            }
        }
    }

    /// Records that the server refused messages of the stream.
    func refused(stream: UInt32, first: Int, count: Int) {
        state.withLock { state in
            state.answered(stream, count)
            state.streams[Int(stream)].refused.append(first..<first + count)
        }
    }

    // MARK: Subscribers

    /// Adds a subscriber.
    func join(_ subscriber: Int) {
        state.withLock { $0.positions[subscriber] = 0 }
    }

    /// Records what a subscriber saw, and its position. Returns the contradictions to acks or to other subscribers.
    func seen(_ events: [SeenEvent], by subscriber: Int, position: Int) -> [String] {
        state.withLock { state in
            state.positions[subscriber] = position
            return events.compactMap { event in
                event.label.flatMap { state.note($0, at: event.offset, isAck: false) }
            }
        }
    }

    /// The position of the slowest subscriber; `nil` without subscribers.
    var slowest: Int? { state.withLock { $0.positions.values.min() } }

    /// Records the digest of a subscriber that saw the topic from its first to its last message.
    func sawAll(digest: UInt64) {
        state.withLock { _ = $0.digests.insert(digest) }
    }

    // MARK: Sums

    /// The epoch that acks name; `nil` before the first.
    var epoch: String? { state.withLock { $0.epoch } }

    var digests: Set<UInt64> { state.withLock { $0.digests } }

    var streamCount: Int { state.withLock { $0.streams.count } }

    /// The highest offset that an ack named or a subscriber saw.
    var highest: Int { state.withLock { $0.highest } }

    /// The end of the acked messages of a stream.
    func acked(stream: UInt32) -> Int {
        state.withLock { $0.streams.indices.contains(Int(stream)) ? $0.streams[Int(stream)].end : 0 }
    }

    /// How many of the messages in `gaps` were refused.
    func refused(stream: UInt32, in gaps: [Range<Int>]) -> Int {
        state.withLock { state in
            guard state.streams.indices.contains(Int(stream)) else { return 0 }
            return state.streams[Int(stream)].refused.reduce(0) { sum, refused in
                gaps.reduce(sum) { $0 + $1.clamped(to: refused).count }
            }
        }
    }
}

extension TopicRecord.State {
    /// Records the message at an offset. Returns a contradiction if another message is known to be there.
    fileprivate mutating func note(_ label: MessageLabel, at offset: Int, isAck: Bool) -> String? {
        let who = isAck ? "acked" : "seen"
        guard streams.indices.contains(Int(label.stream)) else {
            return "offset \(offset) has a message of stream \(label.stream), which nobody opened"
        }
        guard offset >= base else {
            return isAck ? "message \(label) is acked at offset \(offset), where all have seen another" : nil
        }
        guard offset - highest < TopicRecord.capacity else {
            return "message \(label) is \(who) at offset \(offset), far ahead of all others"
        }
        while base + entries.count <= offset { entries.append(TopicRecord.Entry()) }
        while entries.count > TopicRecord.capacity { removeFirst() }
        highest = max(highest, offset)
        // The buffer's indices must be computed from its start.
        let place = entries.index(entries.startIndex, offsetBy: offset - base)
        if isAck { entries[place].isAcked = true }
        guard let known = entries[place].label else {
            entries[place].label = label
            return nil
        }
        return known == label ? nil : "offset \(offset) has message \(label), but \(known) is known to be there"
    }

    fileprivate mutating func lag() -> Int {
        let slowest = positions.values.min() ?? highest
        trim(through: slowest)
        return max(0, highest - slowest)
    }

    fileprivate mutating func answered(_ stream: UInt32, _ count: Int) {
        let count = min(count, streams[Int(stream)].unanswered)
        streams[Int(stream)].unanswered -= count
        unanswered -= count
    }

    private mutating func trim(through offset: Int) {
        while base <= offset, let first = entries.first {
            // A message that nobody saw may still be acked.
            let isSettled = first.isAcked || first.label.map { streams[Int($0.stream)].isClosed } ?? false
            guard isSettled else { return }
            removeFirst()
        }
    }

    private mutating func removeFirst() {
        entries.removeFirst()
        base += 1
    }
}

extension MessageLabel: CustomStringConvertible {
    var description: String { "\(sequence) of stream \(stream)" }
}
