/// What the load engine must know of a wire protocol.
///
/// The engine has the sockets, the clock, the schedule and the checks; a protocol turns bytes into `LoadEvents` and
/// says what a publish looks like. One value serves all threads; what a thread remembers is in its `LoadParser`.
public protocol LoadProtocol: Sendable {
    /// The protocol's name in results.
    var name: String { get }

    /// Whether every publish is answered, in order, on the publisher's connection.
    ///
    /// Without it a publisher's credit can only come back with deliveries.
    var acknowledgesPublishes: Bool { get }

    /// Whether the server says how many messages a slow subscriber lost, where they would have been.
    var announcesDrops: Bool { get }

    /// Whether a publisher's connection belongs to one topic, as where the topic is in the handshake's path.
    var publishersHaveOneTopic: Bool { get }

    /// The fewest bytes of payload that hold a `LoadMark`.
    var smallestPayload: Int { get }

    /// A publish of a payload of `payloadBytes` to `topic`, as it goes to the socket.
    ///
    /// It is copied for each publish, and the numbers at the template's places are written over. `topic` ends in
    /// `LoadTopics.digits` digits, and all topics of a run are of one length.
    func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate

    /// The reading half; one for each thread.
    func makeParser() -> any LoadParser
}

extension LoadProtocol {
    public var announcesDrops: Bool { false }
    public var publishersHaveOneTopic: Bool { false }
    public var smallestPayload: Int { LoadMark.byteCount }
}

/// Reads what comes from a server, for all connections of one thread.
///
/// It may remember what is the same for all of them, such as where in a message the mark is; what belongs to one
/// connection is in `LoadConnection`.
public protocol LoadParser {
    /// Begins a connection that is open: appends what the client says first to `output`, if it does.
    mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8])

    /// Takes what arrived and says what it was; gives how many bytes are done with.
    ///
    /// The rest is given again, with what comes after it. Answers, such as a subscribe after the handshake or a pong,
    /// are appended to `output`. `events.ready()` says that a subscriber is subscribed or that a publisher may publish.
    mutating func parse(
        _ input: UnsafeRawBufferPointer,
        connection: inout LoadConnection,
        events: inout LoadEvents,
        output: inout [UInt8]
    ) -> Int
}

/// A connection as its protocol sees it.
public struct LoadConnection: Sendable {
    /// What a connection is for.
    public enum Role: Sendable {
        case publisher
        case subscriber
    }

    /// What it is for.
    public let role: Role
    /// Its number among those of its role, from 0.
    public let number: Int
    /// The topic that it subscribes to, or that it begins with as a publisher.
    public let topic: String
    /// How far the protocol has come, in numbers of its own; 0 at the beginning.
    public var step = 0
    /// The mark of a large message of which only the beginning came, so that the rest of it need not be kept.
    public var unfinished: LoadMark?
    /// How many bytes are still to come of that message.
    public var missingBytes = 0

    /// Makes a connection that has yet to begin.
    public init(role: Role, number: Int, topic: String) {
        self.role = role
        self.number = number
        self.topic = topic
    }
}

/// The names of a run's topics: a prefix and a number of constant width.
public enum LoadTopics {
    /// How many digits end a topic's name.
    public static let digits = 6
    /// The most topics that a run can have.
    public static let limit = 100_000

    /// The name of topic `number`.
    public static func name(_ number: Int, prefix: String) -> String {
        let text = String(number)
        return prefix + String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
