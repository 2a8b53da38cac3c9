import ApusProtocol
import NIOCore

/// One subscription of a ``PubSub``; the counterpart of a server's connection. It lives on its loop.
final class LocalSubscriber: Subscriber {
    let dialect = Dialect.base
    let framing = EventEncoding.Framing.webSocket
    let peer: SubscriberPeer
    let origin: UInt32
    var subscriptions = SubscriptionSet()
    let buffer: DeliveryBuffer
    /// Whether nothing more will be delivered.
    private(set) var isOver = false
    private let hub: Hub
    private let over: EndedSubscribers
    private var lastTaken: (count: UInt64, time: Int64) = (0, .min)

    init(id: UInt64, origin: UInt32, hub: Hub, buffer: DeliveryBuffer, over: EndedSubscribers) {
        peer = SubscriberPeer(connection: id, address: "", transport: "process")
        self.origin = origin
        self.hub = hub
        self.buffer = buffer
        self.over = over
    }

    /// Sends the notices that precede the first event.
    func begin(_ topic: String, _ receipt: SubscribeReceipt) {
        if receipt.isRecovered == false { tell(topic, .gap(receipt.missed.map { .missed($0) } ?? .newEpoch)) }
        if receipt.isWaiting { tell(topic, .waiting) }
    }

    var isWritable: Bool { !isOver && buffer.hasRoom() }

    func deliver(_ frames: ByteBuffer) {
        buffer.append(.frames(frames))
    }

    func flush() {}

    func lastTaken(now: Int64) -> Int64 {
        let count = buffer.taken
        if count != lastTaken.count { lastTaken = (count, now) }
        return lastTaken.time
    }

    func notify(_ notice: SubscriberNotice) {
        switch notice {
        case .messagesDropped(let topic, let count, let range):
            tell(topic, .dropped(count: Int(clamping: count), offsets: range))
        case .topicDeleted(let topic, let byPattern, let waits):
            tell(topic, .topicDeleted)
            if waits { tell(topic, .waiting) } else if !byPattern { end(nil) }
        case .topicCreated(let topic, let isUnrecovered):
            tell(topic, .topicCreated)
            if isUnrecovered { tell(topic, .gap(.newEpoch)) }
        case .slowConsumer(let topic):
            end(BrokerError(.slowConsumer, "The subscription to '\(topic.name)' was behind by more than its queue"))
        case .slowConsumerWarning(let topic, let lag, let queue):
            tell(topic, .slowConsumerWarning(lag: Int(clamping: lag), queue: queue))
        case .presence(let topic, let hasJoined, let clientID):
            tell(topic, hasJoined ? .joined(clientID: clientID) : .left(clientID: clientID))
        case .presenceDropped(let topic, let count):
            tell(topic, .presenceDropped(count: Int(clamping: count)))
        case .historyUnavailable(let topic):
            end(BrokerError(.notKept, "What comes next in '\(topic.name)' cannot be read back now"))
        case .overloaded:
            end(BrokerError(.tooManySubscriptions, "The pattern matches more topics than a subscription may have"))
        }
    }

    private func tell(_ topic: Topic, _ kind: PubSub.Notice.Kind) {
        tell(topic.name, kind)
    }

    private func tell(_ topic: String, _ kind: PubSub.Notice.Kind) {
        buffer.append(.notice(PubSub.Notice(topic: topic, kind: kind)))
    }

    private func end(_ error: BrokerError?) {
        isOver = true
        over.add(peer.connection)
        hub.removeAll(of: self)
        buffer.append(.end(error))
    }
}

/// The subscribers that their policy or their topic's end has ended in a turn. Belongs to their loop.
final class EndedSubscribers {
    private var ids: [UInt64] = []

    func add(_ id: UInt64) {
        ids.append(id)
    }

    func take() -> [UInt64] {
        defer { ids = [] }
        return ids
    }
}
