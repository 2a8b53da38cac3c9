import NIOCore

extension PublishQueue {
    /// The entries of a topic that may be missing, or that the server does not accept now.
    struct Lane {
        /// A wait until the scout is sent again.
        struct Wait: Hashable {
            let topic: String
            let number: Int
            /// The number of this wait in a row, from 1.
            let attempt: Int
            /// The latest end of the wait.
            let deadline: ContinuousClock.Instant
        }

        /// The entry that is sent now, or after a wait.
        var scout: Int
        /// The entries that follow, in order.
        var behind: ArraySlice<Int> = []
        /// How many entries follow when the scout is accepted. Each time, twice as many may.
        ///
        /// Without a bound where the topic was missing. Where a rate limit was reached, few, so that not all of them
        /// are refused again.
        var batch = Int.max
        /// The number of the current wait, if there is one.
        var wait: Int?
        private var waits = 0

        init(scout: Int) {
            self.scout = scout
        }

        /// Inserts an entry behind the scout, ordered by age.
        mutating func insert(_ request: Int) {
            let index = behind.firstIndex { $0 > request } ?? behind.endIndex
            behind.insert(request, at: index)
        }

        mutating func wait(for topic: String, until deadline: ContinuousClock.Instant) -> Wait {
            waits += 1
            wait = waits
            return Wait(topic: topic, number: waits, attempt: waits, deadline: deadline)
        }
    }
}

/// Remembers which topics existed, and on which connection they were last seen.
///
/// Bounded: beyond `limit`, the topic seen first is forgotten and counts as never seen.
struct TopicMemory {
    private enum Sighting: Equatable {
        /// Seen on the connection after this many losses.
        case losses(Int)
        /// Seen, and deleted later.
        case deleted
    }

    private let limit: Int
    private var sightings: [String: Sighting] = [:]
    private var order: CircularBuffer<String> = []
    private var losses = 0

    init(limit: Int = 10_000) {
        self.limit = limit
    }

    /// Whether any connection was lost.
    var hasLosses: Bool { losses > 0 }

    /// Whether the topic may be gone, because a connection was lost since it was last seen.
    func mustBeScouted(_ topic: String) -> Bool {
        hasLosses && sightings[topic] != .losses(losses)
    }

    /// Whether the topic was seen on any connection, and not deleted since.
    func wasThere(_ topic: String) -> Bool {
        sightings[topic] != nil && !isDeleted(topic)
    }

    func isDeleted(_ topic: String) -> Bool {
        sightings[topic] == .deleted
    }

    mutating func lost() {
        losses += 1
    }

    mutating func saw(_ topic: String) {
        guard sightings.updateValue(.losses(losses), forKey: topic) == nil else { return }
        order.append(topic)
        if order.count > limit, let oldest = order.popFirst() { sightings[oldest] = nil }
    }

    /// Records that the topic does not exist. If it was seen on this connection, it was deleted.
    mutating func missed(_ topic: String) {
        if sightings[topic] == .losses(losses) { deleted(topic) }
    }

    /// Records the deletion of the topic.
    mutating func deleted(_ topic: String) {
        if sightings[topic] != nil { sightings[topic] = .deleted }
    }
}
