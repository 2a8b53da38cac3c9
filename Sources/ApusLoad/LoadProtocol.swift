/// What the load engine must know about a wire protocol.
///
/// The engine has the sockets, the clock, the schedule and the checks. The protocol turns bytes into `LoadEvents`, and
/// defines what a publish looks like. One value serves all threads. The state of a thread is in its `LoadParser`.
public protocol LoadProtocol: Sendable {
    /// The protocol's name in results.
    var name: String { get }

    /// Whether every publish is answered, in order, on the publisher's connection.
    ///
    /// Without answers, only deliveries can return a publisher's credit.
    var acknowledgesPublishes: Bool { get }

    /// Whether the server announces how many messages a slow subscriber lost, at the point of the loss.
    var announcesDrops: Bool { get }

    /// Whether a publisher's connection belongs to one topic, for example because the topic is in the handshake's path.
    var publishersHaveOneTopic: Bool { get }

    /// The smallest payload that holds a `LoadMark`, in bytes.
    var smallestPayload: Int { get }

    /// A publish to `topic` with a payload of `payloadBytes` bytes, as it goes to the socket.
    ///
    /// Each publish is a copy of it, with the numbers at the template's offsets overwritten. `topic` ends in
    /// `LoadTopics.digits` digits, and all topics of a run have names of the same length.
    func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate

    /// Creates the parser of one thread.
    func makeParser() -> any LoadParser
}

extension LoadProtocol {
    public var announcesDrops: Bool { false }
    public var publishersHaveOneTopic: Bool { false }
    public var smallestPayload: Int { LoadMark.byteCount }
}

/// Parses what arrives from a server, for all connections of one thread.
///
/// A parser may remember what all connections have in common, such as the place of the mark in a message. The state of
/// one connection is in `LoadConnection`.
public protocol LoadParser {
    /// Begins an open connection. Appends to `output` what the client sends first, if anything.
    mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8])

    /// Parses what has arrived and reports events. Returns the number of bytes that are done.
    ///
    /// The caller passes the rest again, together with later bytes. Replies, such as a subscribe after the handshake or
    /// a pong, are appended to `output`. `events.ready()` reports that a subscriber is subscribed, or that a publisher
    /// may publish.
    mutating func parse(
        _ input: UnsafeRawBufferPointer,
        connection: inout LoadConnection,
        events: inout LoadEvents,
        output: inout [UInt8]
    ) -> Int
}

/// A connection, as its protocol sees it.
public struct LoadConnection: Sendable {
    /// The purpose of a connection.
    public enum Role: Sendable {
        case publisher
        case subscriber
    }

    public let role: Role
    /// Its number among the connections of its role, from 0.
    public let number: Int
    /// The topic that it subscribes to, or the first topic of a publisher.
    public let topic: String
    /// The progress of the protocol, in numbers of the protocol's own; 0 at the beginning.
    public var step = 0
    /// The mark of an incomplete large message, so that the rest of the message need not be stored.
    public var unfinished: LoadMark?
    /// How many bytes of that message are still to come.
    public var missingBytes = 0

    public init(role: Role, number: Int, topic: String) {
        self.role = role
        self.number = number
        self.topic = topic
    }
}

/// The names of a run's topics: a prefix and a number of constant width.
public enum LoadTopics {
    /// The number of digits at the end of a topic's name.
    public static let digits = 6
    /// The maximum number of topics in a run.
    public static let limit = 100_000

    /// The name of topic `number`.
    public static func name(_ number: Int, prefix: String) -> String {
        let text = String(number)
        return prefix + String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
