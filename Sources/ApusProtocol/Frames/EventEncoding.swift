/// The form in which a subscriber gets its events. Each form is made at most once per batch, for all its readers.
public struct EventEncoding: Hashable, Sendable {
    /// How much detail an event contains.
    public enum Detail: UInt8, Sendable {
        /// Exactly what the contract says.
        case plain
        /// Also the key, if the event has one.
        case keyed
        /// Also the key and the offset.
        case positioned
    }

    /// The framing around an event's JSON.
    public enum Framing: UInt8, Sendable {
        /// A text frame (RFC 6455 section 5.2).
        case webSocket
        /// An event of an event stream, without an id: for streams of several topics.
        case eventStream
        /// An event of an event stream, with its position as the id.
        case eventStreamWithID
        /// A text frame, compressed if that is worth it (RFC 7692).
        case deflated = 3
        /// The same, for clients with a smaller window.
        case deflatedNarrow

        package init(_ window: DeflateWindow?) {
            switch window {
            case nil: self = .webSocket
            case .usual: self = .deflated
            case .narrow: self = .deflatedNarrow
            }
        }

        /// `nil` if nothing is compressed.
        package var window: DeflateWindow? {
            switch self {
            case .webSocket, .eventStream, .eventStreamWithID: nil
            case .deflated: .usual
            case .deflatedNarrow: .narrow
            }
        }
    }

    /// All four in one byte, for fast comparison with the usual encodings.
    @usableFromInline let code: UInt8

    /// - Parameter isTraced: whether an event has its trace context, if there is one.
    public init(_ dialect: Dialect, _ detail: Detail = .plain, framing: Framing = .webSocket, isTraced: Bool = false) {
        code = dialect.rawValue | detail.rawValue << 1 | (isTraced ? Self.traced : 0) | framing.rawValue << 4
    }

    /// Not derived, as other modules then call it for each delivery.
    @inlinable
    public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

    private static let traced: UInt8 = 1 << 3

    public static let base = EventEncoding(.base)
    public static let v1 = EventEncoding(.v1)

    public var dialect: Dialect { Dialect(rawValue: code & 1) ?? .base }
    public var detail: Detail { Detail(rawValue: code >> 1 & 3) ?? .plain }
    public var framing: Framing { Framing(rawValue: code >> 4) ?? .webSocket }

    /// Whether this encoding may compress events.
    @inlinable
    public var isDeflated: Bool { code >> 4 >= 3 }

    /// The same encoding without compression.
    public var inflated: EventEncoding { isDeflated ? EventEncoding(dialect, detail, isTraced: isTraced) : self }

    public var isTraced: Bool { code & Self.traced != 0 }

    /// The same encoding without trace contexts.
    public var untraced: EventEncoding {
        isTraced ? EventEncoding(dialect, detail, framing: framing) : self
    }
}
