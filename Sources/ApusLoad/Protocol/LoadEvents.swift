/// The events of one read, in order.
///
/// A flat list of plain values. The parser fills it, and the engine processes and empties it. Once it has grown,
/// nothing is allocated. Texts are rare and kept separately.
public struct LoadEvents {
    /// The most texts kept for one read.
    private static let textLimit = 8

    @usableFromInline var list: [LoadEvent] = []
    /// The server's texts with errors and closes; the first few of this read.
    public private(set) var texts: [String] = []

    public init() {
        list.reserveCapacity(1024)
    }

    /// The events, for the engine and for tests.
    @inlinable public var all: [LoadEvent] { list }

    /// The connection is subscribed, or may publish.
    public mutating func ready() {
        list.append(LoadEvent(.ready))
    }

    /// Publishes of this connection were answered, the oldest first.
    @inlinable
    public mutating func ack(_ count: Int = 1) {
        if let last = list.last, last.kind == .ack {
            list[list.count - 1].first += UInt64(count)
        } else {
            list.append(LoadEvent(.ack, UInt64(count)))
        }
    }

    /// A message with a mark arrived.
    @inlinable
    public mutating func delivery(_ mark: LoadMark) {
        list.append(LoadEvent(.delivery, mark.origin, mark.time))
    }

    /// The server announced that it dropped `count` messages here.
    public mutating func dropped(_ count: Int) {
        list.append(LoadEvent(.dropped, UInt64(max(0, count))))
    }

    /// The server refused something. If that was a publish, this counts as its answer.
    public mutating func error(_ text: String) {
        keep(text)
        list.append(LoadEvent(.error))
    }

    /// The server ends the connection, or sends invalid data. Nothing after this is parsed.
    public mutating func closed(_ text: String) {
        keep(text)
        list.append(LoadEvent(.closed))
    }

    /// Anything else that is valid, such as a heartbeat.
    @inlinable
    public mutating func other() {
        list.append(LoadEvent(.other))
    }

    /// Removes everything, and keeps the capacity.
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

/// One event on a connection.
public struct LoadEvent: Sendable, Equatable {
    /// The kinds of events.
    public enum Kind: UInt8, Sendable {
        case ready
        case ack
        case delivery
        case dropped
        case error
        case closed
        case other
    }

    public let kind: Kind
    /// For a delivery, the mark's origin; for acks and drops, the count.
    public var first: UInt64
    /// For a delivery, the mark's time.
    public let second: UInt64

    @inlinable
    public init(_ kind: Kind, _ first: UInt64 = 0, _ second: UInt64 = 0) {
        self.kind = kind
        self.first = first
        self.second = second
    }
}
