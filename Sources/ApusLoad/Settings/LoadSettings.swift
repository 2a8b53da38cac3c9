public import ApusTLS

/// The settings of a run.
public struct LoadSettings: Sendable {
    /// When publishers publish.
    public enum Pace: Sendable, Equatable {
        /// Never. The run only connects subscribers.
        case none
        /// Closed loop: each publisher keeps this many messages in flight.
        case window(Int)
        /// Open loop: all publishers together send this many messages per second, whatever the server does.
        case rate(Double)
    }

    /// What returns credit to a publisher in the closed loop.
    public enum Credit: String, Sendable, Codable, CaseIterable {
        /// The server's answer to the publish.
        case ack
        /// The delivery to one subscriber of the topic.
        case delivery
    }

    /// How a thread waits for the next publish of an open loop.
    public enum Waiting: String, Sendable, Codable, CaseIterable {
        /// Spin if the machine has a spare core, else sleep.
        case auto
        /// Poll the sockets all the time. This takes a core, but no time to wake up.
        case spin
        /// Sleep until something arrives or the next message is about a millisecond away. Spin only then.
        case sleep
    }

    /// The wire protocol.
    public var wire: any LoadProtocol
    /// The server's address.
    public var address: LoadAddress
    /// What the connections' TLS is made with; `nil` for none.
    public var tls: TLSClientContext?
    /// The beginning of the topics' names. The topics must exist.
    public var topicPrefix: String
    public var topics = 1
    /// Subscriber `n` subscribes to topic `n % topics`.
    public var subscribers = 1
    /// Each publisher publishes to all topics in turn, unless the protocol gives it only one topic.
    public var publishers = 1
    public var pace = Pace.window(1)
    public var credit = Credit.ack
    public var waiting = Waiting.auto
    /// The payload of each message, in bytes.
    public var payloadBytes = 128
    /// How many of the subscribers stop reading before the first message.
    public var stalled = 0
    /// The measured time, in seconds.
    public var duration = 5.0
    /// The time before the measured time, in seconds.
    public var warmup = 1.0
    /// The threads, which share publishers and subscribers.
    public var threads = 1
    /// The server's processes; `nil` to find them by the address, empty to measure none.
    public var serverPIDs: [Int32]?
    /// At the end, missing messages count as lost after this long without any message, in seconds.
    public var patience = 3.0

    /// Makes settings with the defaults.
    public init(wire: any LoadProtocol, address: LoadAddress, topicPrefix: String) {
        self.wire = wire
        self.address = address
        self.topicPrefix = topicPrefix
    }

    /// The number of connections of the run.
    public var connections: Int { subscribers + publishers }

    /// Whether anything is published.
    var isPublishing: Bool { pace != .none && publishers > 0 }

    /// Whether subscriber `number` stops reading. These subscribers are spread evenly.
    func isStalled(_ number: Int) -> Bool {
        stalled > 0 && number * stalled / subscribers != (number + 1) * stalled / subscribers
    }

    /// The thread of this subscriber.
    ///
    /// If deliveries return credit, each thread has subscribers of all topics, provided that there are enough.
    func thread(ofSubscriber number: Int) -> Int {
        credit == .delivery ? number / topics % threads : number % threads
    }
}
