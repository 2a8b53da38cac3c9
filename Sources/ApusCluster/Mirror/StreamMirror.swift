import DequeModule

/// How far a node has read one stream, and whether it is that stream still.
///
/// ```
///  read before            position                 target: an ack's sequence
///  ├───────────────────────────┤ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┤
///                              ▲ where each consumer begins: its first message has to be the same again
/// ```
/// A consumer may be on a server that is cut off, so it proves nothing. What proves something is an ack, which takes a
/// majority: a **barrier** is a message that is published for its ack's sequence. Everything that was acked before is
/// before it. A mirror that has come to it has seen all of that; and if its sequence was used before, the stream has
/// lost what it had acked.
package struct StreamMirror: Sendable {
    package let stream: ClusterStream
    /// The last sequence that was read. Every message before it was read, or is gone.
    package private(set) var position: UInt64 = 0
    /// The newest messages, to be compared with what other nodes have seen.
    private var recent = Deque<BarrierHeader.Place>()
    /// How many of them other nodes were told of, from the newest on.
    private var told = 0
    /// Messages of this node that were acked and have not been read: each has to come up at its sequence. The first
    /// ones, up to ``remembered``.
    private var acked = Deque<BarrierHeader.Place>()
    /// The highest sequence that an ack or a server named.
    package private(set) var known: UInt64 = 0
    /// Where the mirror has seen all that was acked before it was asked.
    package private(set) var target: UInt64?
    /// Whether it has come to a target since the start, or since it began anew.
    package private(set) var isCaughtUp = false
    /// Whether all is read from the start again, because the stream has lost something.
    package private(set) var isReplay = false
    package private(set) var consumer: UInt64 = 0
    private var deliveries: UInt64 = 0
    /// When there was a sign of the consumer.
    private var heard: Int64
    /// When the position moved, or it was known that there is more.
    private var moved: Int64
    /// When a message was last read.
    package private(set) var lastRead: Int64?
    /// Whether the consumer is made again as soon as its time has come.
    private var isFailed = true
    private var retryAt: Int64

    package init(stream: ClusterStream, now: Int64) {
        self.stream = stream
        (heard, moved, retryAt) = (now, now, now)
    }

    package enum Verdict: Sendable, Equatable {
        /// Pass it on.
        case take
        case ignore
        /// The consumer has to be made again.
        case recreate
        /// Another message is where one was: the stream has lost it.
        case rolledBack
    }

    /// 0 for messages of others.
    private static func digest(_ delivery: Delivery) -> UInt64 { delivery.packID?.digest ?? 0 }

    /// So many of the newest messages are compared.
    private static var remembered: Int { 256 }

    /// The last message that was read, and some before it: after a few calls it was each of them.
    package mutating func places() -> [BarrierHeader.Place] {
        guard !recent.isEmpty else { return [] }
        let picked = (0..<min(BarrierHeader.mostPlaces - 1, recent.count)).map { step in
            recent[recent.count - 1 - (told + step) % recent.count]
        }
        told = (told + picked.count) % recent.count
        return [recent[recent.count - 1]] + picked
    }

    /// Whether another node has seen something else at a place.
    package func contradicts(_ place: BarrierHeader.Place) -> Bool {
        guard !isReplay, let first = recent.first, (first.sequence...position).contains(place.sequence) else {
            return false
        }
        // Sequences increase, so this many places from the end is the farthest that it can be.
        let farthest = Int(min(position - place.sequence, UInt64(recent.count - 1)))
        let own = recent[(recent.count - 1 - farthest)...].first { $0.sequence >= place.sequence }
        return own.map { $0.sequence == place.sequence && $0.digest != place.digest } ?? false
    }

    package var lag: UInt64 { known > position ? known - position : 0 }

    // MARK: Consumers

    /// Makes a consumer that goes on where this mirror is.
    package mutating func consume(now: Int64) -> ConsumeRequest {
        consumer += 1
        (deliveries, heard, moved, isFailed) = (0, now, now, false)
        return ConsumeRequest(stream: stream, number: consumer, from: max(position, 1))
    }

    package mutating func delivered(_ delivery: Delivery, now: Int64) -> Verdict {
        guard delivery.consumer == consumer, !isFailed, delivery.number > deliveries else { return .ignore }
        heard = now
        guard delivery.number == deliveries + 1 else { return .recreate }
        deliveries = delivery.number
        if delivery.sequence == position { return Self.digest(delivery) == recent.last?.digest ? .ignore : .rolledBack }
        guard delivery.sequence > position else { return .recreate }
        if let own = acked.first(where: { $0.sequence >= delivery.sequence }), own.sequence == delivery.sequence,
            own.digest != Self.digest(delivery)
        {
            return .rolledBack
        }
        return .take
    }

    /// What was to be taken has been taken.
    package mutating func advance(to delivery: Delivery, now: Int64) {
        (position, moved, lastRead) = (delivery.sequence, now, now)
        recent.append(BarrierHeader.Place(sequence: delivery.sequence, digest: Self.digest(delivery)))
        if recent.count > Self.remembered { recent.removeFirst() }
        known = max(known, position)
        while let first = acked.first, first.sequence <= position { acked.removeFirst() }
        if let target, position >= target { (isCaughtUp, isReplay, self.target) = (true, false, nil) }
    }

    /// - Parameter deliveries: how many messages the consumer has sent.
    package mutating func heartbeat(consumer: UInt64, deliveries: UInt64, now: Int64) -> Verdict {
        guard consumer == self.consumer, !isFailed else { return .ignore }
        heard = now
        return deliveries > self.deliveries ? .recreate : .ignore
    }

    package mutating func consumerFailed(_ consumer: UInt64, retryAt: Int64) {
        guard consumer == self.consumer else { return }
        (isFailed, self.retryAt) = (true, retryAt)
    }

    /// What the consumer lacks at this time.
    package func need(now: Int64, patience: Int64) -> Need? {
        if isFailed { return now >= retryAt ? .consumer : nil }
        if now - heard >= patience { return .consumer }
        // It lives, but brings nothing of what there is.
        return lag > 0 && now - moved >= patience ? .server : nil
    }

    package enum Need: Sendable, Equatable {
        /// Another consumer.
        case consumer
        /// Another consumer, on another server.
        case server
    }

    // MARK: What is known of the stream

    /// A message of this node was acked.
    ///
    /// A barrier that was under way before that ack, and takes the place of the message, does not show a loss by its
    /// sequence. What is read at that place does.
    package mutating func acked(_ id: PackID, at sequence: UInt64) {
        guard sequence > max(position, acked.last?.sequence ?? 0), acked.count < Self.remembered else { return }
        acked.append(BarrierHeader.Place(sequence: sequence, digest: id.digest))
    }

    /// A server has named a sequence.
    package mutating func note(_ sequence: UInt64, now: Int64) {
        if sequence > known, lag == 0 { moved = now }
        known = max(known, sequence)
    }

    /// A barrier was acked.
    ///
    /// - Parameter floor: what was known when it was published.
    /// - Returns: whether its sequence proves that the stream has lost what it had.
    package mutating func passed(barrier sequence: UInt64, floor: UInt64, now: Int64) -> Bool {
        guard sequence > floor else { return true }
        note(sequence, now: now)
        if !isCaughtUp {
            target = target ?? sequence
            if position >= sequence { (isCaughtUp, isReplay, target) = (true, false, nil) }
        }
        return false
    }

    /// Reads everything again from the start.
    package mutating func startOver(now: Int64) {
        (position, known, target) = (0, 0, nil)
        (recent, acked) = ([], [])
        (isCaughtUp, isReplay, isFailed, retryAt) = (false, true, true, now)
    }
}
