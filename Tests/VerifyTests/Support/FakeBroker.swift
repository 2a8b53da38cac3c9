import Foundation
import Synchronization

@testable import ApusVerify

/// Topics in memory, with one fault; naive, for comparison with nothing.
final class FakeBroker: Sendable {
    /// The offset at which something goes wrong, once the topic gets there.
    static let faultyOffset = 25

    struct Topic {
        var epoch: String
        var log: [String] = []
        var publishes = 0

        var last: Int { log.count }
    }

    struct Counters {
        var published = 0
        var delivered = 0
    }

    struct Outcome {
        let epoch: String
        let offset: Int
        /// Whether the answer is to be an error.
        var isRefused = false
        /// Whether the connection is to be broken.
        var isBroken = false
    }

    /// What all nodes of a cluster have.
    private final class Shared: Sendable {
        let topics = Mutex<[String: Topic]>([:])
    }

    let fault: FakeFault?
    private let shared: Shared
    private let counts = Mutex(Counters())

    init(fault: FakeFault? = nil) {
        self.fault = fault
        shared = Shared()
    }

    /// Another node of the same cluster.
    init(besides other: FakeBroker, fault: FakeFault?) {
        self.fault = fault
        shared = other.shared
    }

    func create(_ name: String) -> Bool {
        shared.topics.withLock { topics in
            guard topics[name] == nil else { return false }
            topics[name] = Topic(epoch: "e-\(name.utf8.count)")
            return true
        }
    }

    func delete(_ name: String) -> Bool {
        shared.topics.withLock { $0.removeValue(forKey: name) != nil }
    }

    func topic(_ name: String) -> Topic? {
        shared.topics.withLock { $0[name] }
    }

    var topicNames: [String] { shared.topics.withLock { $0.keys.sorted() } }

    var counters: Counters { counts.withLock { $0 } }

    /// The broker's books as Prometheus text.
    var metrics: String {
        let counters = counters
        let matched = counters.delivered + (fault == .cooksBooks ? 1 : 0)
        return """
            # TYPE apus_messages_matched_total counter
            apus_messages_matched_total \(matched)
            apus_messages_replayed_total 0
            apus_messages_published_total \(counters.published)
            apus_messages_delivered_total{policy="drop-oldest",note="a } b"} \(counters.delivered)
            apus_messages_dropped_total{reason="ended"} 0
            apus_messages_pending 0

            """
    }

    /// Stores messages; nil when there is no such topic.
    func publish(_ messages: [String], to name: String) -> Outcome? {
        shared.topics.withLock { topics in
            guard var topic = topics[name] else { return nil }
            topic.publishes += 1
            defer { topics[name] = topic }
            let isTime = topic.publishes % 7 == 0
            var outcome = Outcome(epoch: topic.epoch, offset: topic.last + 1)
            if fault == .refusesSome, isTime {
                outcome.isRefused = true
                return outcome
            }
            let isHit = topic.last < Self.faultyOffset && topic.last + messages.count >= Self.faultyOffset
            counts.withLock { $0.published += messages.count }
            switch fault {
            case .acksWithoutStoring where isHit:
                topic.log += messages.dropFirst()
            case .storesTwice where isHit:
                topic.log += messages + messages.suffix(1)
            case .storesBackwards where messages.count > 1:
                topic.log += messages.reversed()
            case .changesEpoch where isHit:
                topic.epoch += "-next"
                topic.log += messages
            default:
                topic.log += messages
            }
            if fault == .acksWrongOffset, isHit {
                outcome = Outcome(epoch: topic.epoch, offset: outcome.offset + 1)
            }
            outcome.isBroken = fault == .breaksPublishers && isTime
            return outcome
        }
    }

    /// Changes what is kept of a topic, as a restart may that goes wrong.
    func change(_ name: String, _ change: (inout [String]) -> Void) {
        shared.topics.withLock { topics in
            if topics[name] != nil { change(&topics[name, default: Topic(epoch: "")].log) }
        }
    }

    func countDelivered(_ count: Int) {
        counts.withLock { $0.delivered += count }
    }
}

/// One subscription's way through a log, with the broker's fault in it.
struct FakeCursor {
    enum Item: Equatable {
        case event(offset: Int, message: String)
        case dropped(offset: Int)
        case foreign
    }

    let broker: FakeBroker
    let topic: String
    var offset: Int
    private var held: Item?
    private let isResumed: Bool
    private var isFirst = true

    init(broker: FakeBroker, topic: String, offset: Int, isResumed: Bool) {
        self.broker = broker
        self.topic = topic
        self.offset = offset
        self.isResumed = isResumed
        guard isResumed, offset > 1 else { return }
        switch broker.fault {
        case .resumesLate: self.offset = min(offset + 1, broker.topic(topic)?.last ?? 0)
        case .resumesEarly: self.offset = offset - 1
        default: break
        }
    }

    /// What is there now, at most `limit`; nil when the topic is gone.
    mutating func next(limit: Int) -> [Item]? {
        guard let topic = broker.topic(topic) else { return nil }
        let last = broker.fault == .withholdsLast ? topic.last - 1 : topic.last
        var items: [Item] = []
        while offset < last, items.count < limit {
            offset += 1
            items += delivered(.event(offset: offset, message: topic.log[place(of: offset, in: topic) - 1]))
        }
        return items
    }

    /// Where the log has what is handed over as an offset.
    private func place(of offset: Int, in topic: FakeBroker.Topic) -> Int {
        let faulty = FakeBroker.faultyOffset
        guard broker.fault == .ordersOtherwise, topic.last > faulty else { return offset }
        return offset == faulty ? faulty + 1 : offset == faulty + 1 ? faulty : offset
    }

    private mutating func delivered(_ item: Item) -> [Item] {
        guard case .event(let offset, let message) = item else { return [item] }
        if let held {
            self.held = nil
            return [item, held]
        }
        guard offset == FakeBroker.faultyOffset else { return [item] }
        switch broker.fault {
        case .loses: return []
        case .doubles: return [item, item]
        case .announcesDrop: return [.dropped(offset: offset)]
        case .leaksTopics: return [.foreign, item]
        case .damages:
            let damaged = message.replacingOccurrences(of: "\"pad\":\"", with: "\"pad\":\"#")
            return [.event(offset: offset, message: damaged)]
        case .reorders:
            held = item
            return []
        default: return [item]
        }
    }
}
