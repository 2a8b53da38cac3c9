/// What a run does.
public struct LoadSettings: Sendable {
    /// When publishers publish.
    public enum Pace: Sendable, Equatable {
        /// Never: subscribers are connected, and that is all.
        case none
        /// Closed loop: each publisher has so many messages on their way.
        case window(Int)
        /// Open loop: so many messages a second, of all publishers together, whatever the server does.
        case rate(Double)
    }

    /// What gives a publisher its credit back in the closed loop.
    public enum Credit: String, Sendable, Codable, CaseIterable {
        /// The server's answer to the publish.
        case ack
        /// The delivery to one subscriber of the topic.
        case delivery
    }

    /// How the time until the next publish of an open loop is spent.
    public enum Waiting: String, Sendable, Codable, CaseIterable {
        /// Spin where the machine has a core for it, else sleep.
        case auto
        /// Look at the sockets all the time: waking up costs nothing, a core does.
        case spin
        /// Sleep until something comes or the next message is a millisecond away, and spin only then.
        case sleep
    }

    /// What is spoken.
    public var wire: any LoadProtocol
    /// Where the server is.
    public var address: LoadAddress
    /// What the topics' names begin with; the topics must be there.
    public var topicPrefix: String
    public var topics = 1
    /// Subscriber `n` subscribes to topic `n % topics`.
    public var subscribers = 1
    /// Each publisher publishes to all topics in turn.
    public var publishers = 1
    public var pace = Pace.window(1)
    public var credit = Credit.ack
    public var waiting = Waiting.auto
    /// Bytes of payload of each message.
    public var payloadBytes = 128
    /// How many of the subscribers stop reading before the first message.
    public var stalled = 0
    /// Seconds that count.
    public var duration = 5.0
    /// Seconds before those.
    public var warmup = 1.0
    /// Threads that share publishers and subscribers.
    public var threads = 1
    /// Processes of the server; nil to find them by the address, empty to measure none.
    public var serverPIDs: [Int32]?
    /// How long nothing may come at the end before what is missing is lost, in seconds.
    public var patience = 3.0

    /// Makes settings with the defaults.
    public init(wire: any LoadProtocol, address: LoadAddress, topicPrefix: String) {
        self.wire = wire
        self.address = address
        self.topicPrefix = topicPrefix
    }

    /// How many connections the run has open.
    public var connections: Int { subscribers + publishers }

    /// Whether anything is published.
    var isPublishing: Bool { pace != .none && publishers > 0 }

    /// Whether subscriber `number` is one that stops reading: they are spread evenly.
    func isStalled(_ number: Int) -> Bool {
        stalled > 0 && number * stalled / subscribers != (number + 1) * stalled / subscribers
    }

    /// The thread that has this subscriber.
    ///
    /// Where credit comes with deliveries, each thread has subscribers of all topics if there are enough.
    func thread(ofSubscriber number: Int) -> Int {
        credit == .delivery ? number / topics % threads : number % threads
    }
}
