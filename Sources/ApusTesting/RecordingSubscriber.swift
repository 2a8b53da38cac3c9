package import ApusBroker
package import ApusProtocol
package import NIOCore

/// A subscriber that records what it receives, and whose socket the test fills and empties.
///
/// ```
/// hub ──deliver──► unflushed ──flush──► queued ──► socket: takes `room` frames, then no more until take(_:)
///                  └────── pending: unwritable at `waterMark` frames or bytes ──────┘
/// ```
/// A channel behaves in the same way: a flush may make room at once, and then calls the hub back during its delivery. A
/// message counts as received when it is delivered. Belongs to one thread.
package final class RecordingSubscriber: Subscriber {
    /// One thing that the subscriber received.
    package enum Record: Hashable, Sendable {
        case event(topic: String, message: String, key: String? = nil, offset: UInt64? = nil)
        case dropped(topic: String, count: UInt64, range: ClosedRange<UInt64>? = nil)
        case deleted(topic: String, byPattern: Bool = false, waits: Bool = false)
        case created(topic: String, epoch: String, isUnrecovered: Bool = false)
        case slowConsumer(topic: String)
        case warning(topic: String, lag: UInt64, queue: Int)
        case presence(topic: String, hasJoined: Bool, clientID: String)
        case presenceDropped(topic: String, count: UInt64)
        case historyUnavailable(topic: String)
        case overloaded
        /// A delivery that was not a sequence of whole event frames.
        case malformed
    }

    /// How much may be pending before the subscriber becomes unwritable.
    package struct WaterMark: Sendable {
        package var frames: Int
        package var bytes: Int

        package init(frames: Int = .max, bytes: Int = .max) {
            self.frames = frames
            self.bytes = bytes
        }
    }

    package let dialect: Dialect
    package let framing: EventEncoding.Framing
    /// The number of its connection.
    package let origin: UInt32
    package var peer: SubscriberPeer {
        SubscriberPeer(connection: UInt64(origin), address: "recorded", transport: "websocket")
    }
    package var subscriptions = SubscriptionSet()
    package private(set) var records: [Record] = []
    /// The number of calls of ``deliver(_:)`` that brought the records.
    package private(set) var deliveries = 0
    /// The last delivery, as it goes to the wire.
    package private(set) var lastDelivery = ByteBuffer()
    /// Called after each record, during the hub's work.
    package var onRecord: ((Record) -> Void)?
    package let waterMark: WaterMark
    /// When its client was last seen to read from the socket's buffers, in milliseconds of a monotonic clock.
    package var lastTaken = Int64.min
    /// The topic of the last presence news. Several topics may have had its name.
    package private(set) var presenceTopic: Topic?

    private let hub: Hub
    /// The inflater of a client that has negotiated compression.
    private let inflater: Inflater?
    /// How many more frames the socket accepts.
    private var room: Int
    private var isBlocked = false
    /// Sizes of the frames that the socket has not accepted, oldest first. The last `unflushed` of them wait for a
    /// flush.
    private var pending: [Int] = []
    private var unflushed = 0

    /// Creates a subscriber without subscriptions.
    ///
    /// - Parameters:
    ///   - window: the window of a client that has negotiated compression.
    ///   - room: how many frames the socket accepts until ``take(_:)`` makes more room.
    package init(
        on hub: Hub,
        dialect: Dialect = .base,
        window: DeflateWindow? = nil,
        origin: UInt32 = 0,
        waterMark: WaterMark = WaterMark(),
        room: Int = .max
    ) {
        self.hub = hub
        self.dialect = dialect
        self.framing = EventEncoding.Framing(window)
        self.inflater = window.map { _ in Inflater() }
        self.origin = origin
        self.waterMark = waterMark
        self.room = room
    }

    // MARK: Test controls

    /// Stops accepting data, like a socket with full buffers.
    package func block() {
        isBlocked = true
    }

    /// Accepts data again after ``block()``.
    package func unblock() {
        isBlocked = false
        if isWritable { hub.resume(self) }
    }

    /// The client reads `count` frames, so the socket accepts as many more.
    package func take(_ count: Int) {
        room += count
        moveToSocket()
    }

    /// Closes the connection.
    package func disconnect() {
        hub.removeAll(of: self)
    }

    /// Returns the records and forgets them.
    @discardableResult
    package func takeRecords() -> [Record] {
        defer { records = [] }
        return records
    }

    /// The messages among the records.
    package var messages: [String] {
        records.compactMap { record in
            if case .event(_, let message, _, _) = record { message } else { nil }
        }
    }

    /// Whether the hub has forgotten no flush.
    package var isFlushed: Bool { unflushed == 0 }

    // MARK: Subscriber

    package var isWritable: Bool {
        !isBlocked && pending.count < waterMark.frames && pending.reduce(0, +) < waterMark.bytes
    }

    package func deliver(_ frames: ByteBuffer) {
        deliveries += 1
        lastDelivery = frames
        if unflushed == 0 { hub.flushLater(self) }
        guard let events = EventFrame.decode(frames, dialect: dialect, inflater: inflater), !events.isEmpty else {
            return record(.malformed)
        }
        for _ in events { pending.append(frames.readableBytes / events.count) }
        unflushed += events.count
        for event in events {
            guard event.kind == "event" else {
                record(.malformed)
                continue
            }
            record(.event(topic: event.topic, message: event.message, key: event.key, offset: event.offset))
        }
    }

    package func lastTaken(now: Int64) -> Int64 { lastTaken }

    package func flush() {
        unflushed = 0
        moveToSocket()
    }

    package func notify(_ notice: SubscriberNotice) {
        if case .presence(let topic, _, _) = notice { presenceTopic = topic }
        switch notice {
        case .messagesDropped(let topic, let count, let range):
            record(.dropped(topic: topic.name, count: count, range: range))
        case .topicDeleted(let topic, let byPattern, let waits):
            record(.deleted(topic: topic.name, byPattern: byPattern, waits: waits))
        case .topicCreated(let topic, let isUnrecovered):
            record(.created(topic: topic.name, epoch: topic.epoch, isUnrecovered: isUnrecovered))
        case .slowConsumer(let topic):
            record(.slowConsumer(topic: topic.name))
            // As with a connection: it closes, and its subscriptions end.
            disconnect()
        case .slowConsumerWarning(let topic, let lag, let queue):
            record(.warning(topic: topic.name, lag: lag, queue: queue))
        case .presence(let topic, let hasJoined, let clientID):
            record(.presence(topic: topic.name, hasJoined: hasJoined, clientID: clientID))
        case .presenceDropped(let topic, let count):
            record(.presenceDropped(topic: topic.name, count: count))
        case .historyUnavailable(let topic):
            record(.historyUnavailable(topic: topic.name))
            disconnect()
        case .overloaded:
            record(.overloaded)
            disconnect()
        }
    }

    private func record(_ record: Record) {
        records.append(record)
        onRecord?(record)
    }

    private func moveToSocket() {
        let wasWritable = isWritable
        let moved = min(room, pending.count - unflushed)
        guard moved > 0 else { return }
        pending.removeFirst(moved)
        if room != .max { room -= moved }
        if !wasWritable, isWritable { hub.resume(self) }
    }
}
