import ApusBroker
import ApusProtocol

/// A client whose connections come and go.
///
/// A faithful client resumes each subscription with positions where it stopped. It must receive everything after that
/// exactly once.
final class SimulatedClient {
    /// A topic that the client wants to follow.
    struct Wish {
        let name: String
        var queue: Int?
        var overflow: OverflowPolicy?
        var echo: Bool
        var presence: Bool
        var waits: Bool
    }

    struct Position {
        var epoch: String
        var offset: Int
    }

    let number: Int
    let isFaithful: Bool
    /// Whether its socket accepts only as much as it is told to.
    let isSlow: Bool
    let waterMark: Int
    let dialect: Dialect
    /// Every other client reads compressed events, with one of the two windows.
    var window: DeflateWindow? { [nil, .usual, nil, .narrow][number % 4] }
    /// The pattern that its connections also subscribe to; `nil` for topics without positions instead.
    let pattern: String?
    var wishes: [Wish] = []
    var connection: SimulatedConnection?
    private(set) var handled: [String: Position] = [:]

    init(
        number: Int,
        isFaithful: Bool,
        isSlow: Bool,
        waterMark: Int,
        dialect: Dialect,
        pattern: String?
    ) {
        self.number = number
        self.isFaithful = isFaithful
        self.isSlow = isSlow
        self.waterMark = waterMark
        self.dialect = dialect
        self.pattern = pattern
    }

    /// Handles an event. Returns `false` when a faithful client has received it before.
    func handle(_ offset: Int, of topic: ModelTopic) -> Bool {
        if isFaithful, let last = handled[topic.name], last.epoch == topic.epoch, last.offset >= offset { return false }
        handled[topic.name] = Position(epoch: topic.epoch, offset: offset)
        return true
    }

    /// Records the position that a subscribe to a topic returned.
    func handle(_ position: Position, of name: String) {
        handled[name] = position
    }
}

/// One connection of a simulated client, and what it must be told.
final class SimulatedConnection {
    let hub: Hub
    let subscriber: RecordingSubscriber
    let expected: ModelConnection
    var hasPattern = false
    /// The options of its pattern's subscriptions.
    var patternOptions = SubscriptionOptions()
    /// After this many more events the connection closes, during the delivery that brings them.
    var endsAfter = Int.max
    /// Receives a line for each record.
    var trace: ((String) -> Void)?
    var passage = Passage(fault: nil)
    private var endedAtDelivery: Int?

    init(hub: Hub, subscriber: RecordingSubscriber, expected: ModelConnection) {
        self.hub = hub
        self.subscriber = subscriber
        self.expected = expected
        subscriber.onRecord = { [unowned self] in receive($0) }
    }

    var isOver: Bool { expected.isOver }

    private func receive(_ record: RecordingSubscriber.Record) {
        // Records of the delivery during which the connection broke are lost.
        guard endedAtDelivery == nil || endedAtDelivery != subscriber.deliveries else { return }
        guard !passage.loses(record, on: expected) else { return }
        trace?("    connection \(expected.number): \(record)")
        expected.receive(record, presenceTopic: subscriber.presenceTopic)
        guard case .event = record else { return }
        endsAfter -= 1
        guard endsAfter == 0, !isOver else { return }
        endedAtDelivery = subscriber.deliveries
        end()
    }

    func end() {
        guard !isOver else { return }
        subscriber.disconnect()
        expected.end()
    }
}
