import NIOCore

extension PublishQueue {
    /// A topic's entries where it is not known whether the topic is there, or that are not taken now.
    struct Lane {
        /// The time until the scout is sent again, for whoever can wait.
        struct Wait: Hashable {
            let topic: String
            let number: Int
            /// Counts such times, from 1.
            let attempt: Int
            /// It must not take longer than until here.
            let deadline: ContinuousClock.Instant
        }

        /// The entry that is sent, or will be after a wait.
        var scout: Int
        /// Those that follow, in their order.
        var behind: ArraySlice<Int> = []
        /// The number of the wait, while there is one.
        var wait: Int?
        private var waits = 0

        init(scout: Int) {
            self.scout = scout
        }

        /// Puts one behind the scout, in its place by age.
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

/// Which topics were there, and on which of the connections that followed each other.
///
/// Bounded: beyond `limit` the one that was seen first is forgotten, and then counts as never seen.
struct TopicMemory {
    private enum Sighting: Equatable {
        /// After so many lost connections.
        case losses(Int)
        /// Seen, and known to be deleted since.
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

    /// Whether it may be gone, for a connection was lost since it was last seen.
    func mustBeScouted(_ topic: String) -> Bool {
        hasLosses && sightings[topic] != .losses(losses)
    }

    /// Whether it was seen on any connection, and not deleted since.
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

    /// It is not there. If it was, on this very connection, it was deleted.
    mutating func missed(_ topic: String) {
        if sightings[topic] == .losses(losses) { deleted(topic) }
    }

    /// Its deletion was told.
    mutating func deleted(_ topic: String) {
        if sightings[topic] != nil { sightings[topic] = .deleted }
    }
}
