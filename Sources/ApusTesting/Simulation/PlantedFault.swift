import ApusBroker
import ApusProtocol

/// A mistake that a test makes between a simulation and its broker, to see that the simulation finds it.
///
/// ```
///            ┌─ what it asks for ──► with the fault ──► ┐
/// simulation ┤                                          ├ MemoryBroker, Hubs
///            └─ with the fault ◄── what it is told ◄─── ┘
/// ```
/// The broker is the real one and knows nothing of it. The model sees what was asked for, and what arrived.
package enum PlantedFault: Sendable, CaseIterable {
    /// A client that resumes after a position loses the next message.
    case skipsOneAfterResume
    /// A client that resumes after a position gets the last message again.
    case repeatsOneAfterResume
    /// Dropped messages are not announced.
    case dropsSilently
    /// Ids are forgotten after half the dedupe window.
    case forgetsIDsEarly
    /// A pattern's subscription to a new topic misses the topic's first message.
    case missesFirstOfNewTopics
    /// Publishers do not wait for loops that are behind.
    case outrunsLoops
    /// A subscription that has waited for its topic misses the first message.
    case missesFirstOfAwaited
    /// A subscription to a topic that exists does not wait for the next one after the topic is deleted.
    case waitsOnlyOnce
    /// Lifetimes, ages and windows use the wall clock.
    case agesByWallClock
    /// A replay of the last messages counts expired ones.
    case countsExpired
    /// Expired messages stay in memory.
    case keepsExpired
    /// A subscriber that starts at the head is told the head of what is not committed yet.
    case tellsUncommittedHead
    /// Publishes are acked before their commit.
    case acksBeforeCommit
    /// What could not be kept is delivered.
    case deliversFailed
}

/// Everything that passes between a simulation and its broker, with a fault in it or without.
struct Passage: Sendable {
    let fault: PlantedFault?

    // MARK: To the broker

    func limits(_ limits: MemoryBroker.Limits) -> MemoryBroker.Limits {
        guard fault == .outrunsLoops, limits.loopPace != nil else { return limits }
        var changed = limits
        changed.loopPace = LoopPace(deliveries: 1 << 40, bytes: 1 << 40)
        return changed
    }

    /// What the broker and its hubs take for the time.
    @Sendable
    func time(_ moment: Moment) -> Moment {
        fault == .agesByWallClock ? Moment(wall: moment.wall, steady: moment.wall) : moment
    }

    /// The time by which a broker drops what has become too old, in milliseconds on the steady clock.
    func timeToTrim(_ moment: Moment) -> Int64 {
        fault == .keepsExpired ? 0 : time(moment).steady
    }

    func change(_ change: @escaping (inout TopicSettings) -> Void) -> (inout TopicSettings) -> Void {
        guard fault == .forgetsIDsEarly else { return change }
        return { settings in
            let window = settings.dedupeWindow
            change(&settings)
            if settings.dedupeWindow != window { settings.dedupeWindow = settings.dedupeWindow.map { $0 / 2 } }
        }
    }

    /// - Parameter topic: the topic that the request names, if it exists.
    func request(_ request: SubscribeRequest, for topic: ModelTopic?, now: Int64) -> SubscribeRequest {
        guard let topic else { return request }
        var changed = request
        switch (fault, request.start) {
        case (.skipsOneAfterResume, .position(topic.epoch, let offset)) where Int(offset) + 1 < topic.head:
            changed.start = .position(epoch: topic.epoch, offset: offset + 1)
        case (.repeatsOneAfterResume, .position(topic.epoch, let offset)) where offset > 0:
            changed.start = .position(epoch: topic.epoch, offset: offset - 1)
        case (.countsExpired, .lastN(let count)):
            changed.start = .lastN(topic.messages.suffix(count).count { $0.expires > now })
        case (.waitsOnlyOnce, _):
            changed.waits = false
        default:
            break
        }
        return changed
    }

    /// What the topic is told of its commit.
    func outcome(_ outcome: Commit.Outcome) -> Commit.Outcome {
        fault == .deliversFailed ? .kept : outcome
    }

    // MARK: From the broker

    func outcome(_ outcome: PublishOutcome) -> PublishOutcome {
        guard fault == .acksBeforeCommit, case .uncommitted(let receipt) = outcome else { return outcome }
        return .published(receipt)
    }

    /// The offset of the first message that a subscription was told it gets.
    func cursor(of receipt: SubscribeReceipt, on topic: ModelTopic) -> Int {
        let cursor = Int(receipt.offset) + 1
        return fault == .tellsUncommittedHead && cursor == topic.head ? cursor + topic.commits.count : cursor
    }

    /// Whether a record does not reach the model.
    func loses(_ record: RecordingSubscriber.Record, on connection: ModelConnection) -> Bool {
        switch (fault, record) {
        case (.dropsSilently, .dropped):
            true
        case (.missesFirstOfNewTopics, .event):
            connection.lateSubscription(ofFirst: record).map { $0.isByPattern } ?? false
        case (.missesFirstOfAwaited, .event):
            connection.lateSubscription(ofFirst: record).map { $0.waits } ?? false
        default:
            false
        }
    }
}

extension ModelConnection {
    /// The subscription that an event with a topic's first message is for, if it was placed some time after the topic
    /// was created.
    fileprivate func lateSubscription(ofFirst record: RecordingSubscriber.Record) -> ModelSubscription? {
        guard case .event(_, let text, _, let offset) = record, let place = place(of: text), place.offset == 1,
            let subscription = find(place.topic, isPositioned: offset != nil),
            place.topic.lateJoiners.contains(subscription.clientID)
        else { return nil }
        return subscription
    }
}
