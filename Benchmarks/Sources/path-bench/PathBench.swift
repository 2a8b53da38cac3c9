import ApusBroker
import ApusProtocol
import NIOCore
import Synchronization

/// What is done with each message.
enum Work: String {
    /// Its text is scanned, no more.
    case scan
    /// The plain path: scan, publish, ack, plain events.
    case publish
    /// The same with a key and an answer that tells the outcome, to subscribers that are told positions and keys.
    case extended
}

/// Whether the hub has asked for a turn.
private final class DueTurn: Sendable {
    let isAsked = Atomic(false)
}

/// The path of a message from its text to its subscribers' frames, without sockets.
///
/// Does nothing but that, so that its instructions can be counted.
struct PathBench {
    private let work: Work
    private let scans: Int
    private let sinks: [Sink]
    private let hub: Hub
    private let due = DueTurn()
    private let text: [UInt8]
    private let scanner = CommandScanner()
    private let encoder = MessageEncoder(dialect: .base)
    private let time = Timestamp(milliseconds: 1_756_116_000_123)
    private var replies = ByteBuffer()
    private var staged = StagedPublishes()
    /// How many publishes go into the log together: those of one turn, as if they had come in one read.
    private var stageLimit = 1

    /// - Parameter scans: how often each text is scanned; more than once is the mistake that the check is proved with.
    init(_ work: Work, subscribers: Int, scans: Int) throws {
        self.work = work
        self.scans = scans
        sinks = (0..<subscribers).map { _ in Sink() }
        let broker = MemoryBroker()
        hub = Hub(broker: broker, mailbox: HubMailbox { [due] in due.isAsked.store(true, ordering: .relaxed) }) {
            Moment(wall: 0, steady: 0)
        }
        try broker.createTopic(named: "t")
        for (number, sink) in sinks.enumerated() {
            _ = try hub.subscribe(
                sink,
                SubscribeRequest(topic: "t", clientID: "c\(number)", detail: work == .extended ? .positioned : .plain),
                defaults: SubscriptionOptions(),
                limits: Hub.SubscriptionLimits(subscriptions: 1)
            )
        }
        let payload = String(repeating: "x", count: 128)
        let message = #"{"id":"550e8400-e29b-41d4-a716-446655440000","payload":"\#(payload)"}"#
        let extensions = work == .extended ? #","key":"orders-4711","outcome":true"# : ""
        text = Array(#"{"type":"publish","topic":"t","message":\#(message),"request_id":"r1"\#(extensions)}"#.utf8)
        takeTurns()
    }

    /// - Parameter window: how many messages come in one turn of the event loop.
    /// - Returns: how many bytes the subscribers were given.
    mutating func run(messages: Int, window: Int) throws -> Int {
        let text = text
        stageLimit = min(window, StagedPublishes.limit)
        try text.withUnsafeBytes { bytes in
            for number in 1...messages {
                try take(bytes)
                if number % window == 0 {
                    replies.clear()
                    takeTurns()
                }
            }
        }
        if !staged.isEmpty { try commit() }
        takeTurns()
        return sinks.reduce(0) { $0 + $1.bytes }
    }

    /// As an event loop does: another turn for as long as the hub asks for one.
    private func takeTurns() {
        repeat {
            due.isAsked.store(false, ordering: .relaxed)
            hub.turn()
        } while due.isAsked.load(ordering: .relaxed)
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) throws {
        for _ in 1..<scans { _ = try scan(bytes) }
        let command = try scan(bytes)
        switch work {
        case .scan: break
        // As the session does it: the only message of a read goes straight into the log, and several are staged.
        case .publish where stageLimit > 1: try stage(command, in: bytes)
        case .publish: try publish(command, in: bytes)
        case .extended: try publishExtended(command, in: bytes)
        }
    }

    private func scan(_ bytes: UnsafeRawBufferPointer) throws -> Command {
        try scanner.scan(bytes, dialect: .base, knownValidUTF8: true)
    }

    private mutating func publish(_ command: Command, in bytes: UnsafeRawBufferPointer) throws {
        let result = hub.publish(
            UnsafeRawBufferPointer(rebasing: bytes[command.message]),
            toTopicNamed: UnsafeRawBufferPointer(rebasing: bytes[command.topic.range]),
            time: time,
            origin: 2
        )
        guard let topic = result.topic else { throw Refused() }
        encoder.ack(
            requestID: command.requestID.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
            topicJSON: topic.template.topicJSON,
            time: time,
            to: &replies
        )
    }

    private mutating func stage(_ command: Command, in bytes: UnsafeRawBufferPointer) throws {
        let name = UnsafeRawBufferPointer(rebasing: bytes[command.topic.range])
        guard staged.isTo(name) || staged.isEmpty else { throw Refused() }
        staged.append(
            bytes,
            requestID: command.requestID.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
            message: UnsafeRawBufferPointer(rebasing: bytes[command.message]),
            topic: name
        )
        if staged.count == stageLimit { try commit() }
    }

    private mutating func commit() throws {
        guard let result = hub.publish(staged, time: time, origin: 2), result.refusal == nil else { throw Refused() }
        let topicJSON = result.topic.template.topicJSON
        for entry in staged.entries {
            encoder.ack(requestID: entry.requestID, topicJSON: topicJSON, time: time, to: &replies)
        }
        staged.removeAll()
    }

    /// As the session does it, but for what it says of the outcome.
    private mutating func publishExtended(_ command: Command, in bytes: UnsafeRawBufferPointer) throws {
        let extensions = scanner.publishExtensions(of: command, in: bytes, dialect: .base, maxBatch: 1)
        guard case .success(let extensions) = extensions, let key = extensions.key else { throw Refused() }
        let publication = Publication(
            message: UnsafeRawBufferPointer(rebasing: bytes[command.message]),
            id: scanner.messageID(of: command, in: bytes).string(in: bytes) ?? "",
            key: key
        )
        let result = hub.publish(
            [publication],
            toTopicNamed: UnsafeRawBufferPointer(rebasing: bytes[command.topic.range]),
            time: time,
            origin: 2
        )
        guard let topic = result.topic, case .published(let receipt) = result.outcome else { throw Refused() }
        encoder.ack(
            requestID: command.requestID.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) },
            topicJSON: topic.template.topicJSON,
            members: #","offset":\#(receipt.offset),"subscribers":\#(receipt.subscribers)"#,
            time: time,
            to: &replies
        )
    }
}

/// The command was not taken: the benchmark does not fit the code that it measures any more.
struct Refused: Error {}

/// A subscriber whose socket takes everything.
private final class Sink: Subscriber {
    let dialect = Dialect.base
    let framing = EventEncoding.Framing.webSocket
    let peer = SubscriberPeer(connection: 0, address: "", transport: "websocket")
    let origin: UInt32 = 1
    let isWritable = true
    var subscriptions = SubscriptionSet()
    private(set) var bytes = 0

    func deliver(_ frames: ByteBuffer) { bytes += frames.readableBytes }
    func flush() {}
    func notify(_ notice: SubscriberNotice) {}
}
