/// What came in one read, in its order.
///
/// A flat list of plain values: the parser fills it, the engine goes over it and empties it, and nothing is allocated
/// once it has grown. Texts are kept beside it, because they are rare.
public struct LoadEvents {
    /// The most texts that are kept of one read.
    private static let textLimit = 8

    @usableFromInline var list: [LoadEvent] = []
    /// What the server said with errors and closes, the first few of this read.
    public private(set) var texts: [String] = []

    /// Makes an empty list.
    public init() {
        list.reserveCapacity(1024)
    }

    /// The events, for the engine and for tests.
    @inlinable public var all: [LoadEvent] { list }

    /// The connection is subscribed, or may publish.
    public mutating func ready() {
        list.append(LoadEvent(.ready))
    }

    /// Publishes of this connection were answered, the oldest ones first.
    @inlinable
    public mutating func ack(_ count: Int = 1) {
        if let last = list.last, last.kind == .ack {
            list[list.count - 1].first += UInt64(count)
        } else {
            list.append(LoadEvent(.ack, UInt64(count)))
        }
    }

    /// A message with a mark came.
    @inlinable
    public mutating func delivery(_ mark: LoadMark) {
        list.append(LoadEvent(.delivery, mark.origin, mark.time))
    }

    /// The server says that it left out so many messages here.
    public mutating func dropped(_ count: Int) {
        list.append(LoadEvent(.dropped, UInt64(max(0, count))))
    }

    /// The server refused something; where that was a publish, it counts as its answer.
    public mutating func error(_ text: String) {
        keep(text)
        list.append(LoadEvent(.error))
    }

    /// The server ends the connection, or what it sends makes no sense; nothing after this is parsed.
    public mutating func closed(_ text: String) {
        keep(text)
        list.append(LoadEvent(.closed))
    }

    /// Something else that is in order, such as a heartbeat.
    @inlinable
    public mutating func other() {
        list.append(LoadEvent(.other))
    }

    /// Forgets everything and keeps the room.
    @inlinable
    public mutating func removeAll() {
        list.removeAll(keepingCapacity: true)
        if !texts.isEmpty { removeTexts() }
    }

    @usableFromInline
    mutating func removeTexts() {
        texts.removeAll()
    }

    private mutating func keep(_ text: String) {
        if texts.count < Self.textLimit { texts.append(text) }
    }
}

/// One thing that came.
public struct LoadEvent: Sendable, Equatable {
    /// What it is.
    public enum Kind: UInt8, Sendable {
        case ready
        case ack
        case delivery
        case dropped
        case error
        case closed
        case other
    }

    /// What it is.
    public let kind: Kind
    /// The mark's origin of a delivery; how many, of acks and drops.
    public var first: UInt64
    /// The mark's time of a delivery.
    public let second: UInt64

    /// Makes an event.
    @inlinable
    public init(_ kind: Kind, _ first: UInt64 = 0, _ second: UInt64 = 0) {
        self.kind = kind
        self.first = first
        self.second = second
    }
}
