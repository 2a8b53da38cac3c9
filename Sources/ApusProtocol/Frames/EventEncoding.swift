/// In which form events go to a subscriber. Each is made at most once per batch, for all who read it.
public struct EventEncoding: Hashable, Sendable {
    /// How much an event tells.
    public enum Detail: UInt8, Sendable {
        /// What the contract says, and not a byte more.
        case plain
        /// Its key as well, if it has one.
        case keyed
        /// Its key and its offset.
        case positioned
    }

    /// What is around an event's JSON.
    public enum Framing: UInt8, Sendable {
        /// A text frame (RFC 6455 section 5.2).
        case webSocket
        /// An event of a stream, without an id: for streams of several topics.
        case eventStream
        /// An event of a stream whose id is the position.
        case eventStreamWithID
        /// A text frame, compressed where that is worth it (RFC 7692).
        case deflated = 3
        /// The same for clients that look back less far.
        case deflatedNarrow

        public init(_ window: DeflateWindow?) {
            switch window {
            case nil: self = .webSocket
            case .usual: self = .deflated
            case .narrow: self = .deflatedNarrow
            }
        }

        /// `nil` where nothing is compressed.
        public var window: DeflateWindow? {
            switch self {
            case .webSocket, .eventStream, .eventStreamWithID: nil
            case .deflated: .usual
            case .deflatedNarrow: .narrow
            }
        }
    }

    /// All three in one byte, so that the usual ones are recognized at once.
    @usableFromInline let code: UInt8

    public init(_ dialect: Dialect, _ detail: Detail = .plain, framing: Framing = .webSocket) {
        code = dialect.rawValue | detail.rawValue << 1 | framing.rawValue << 3
    }

    public static let base = EventEncoding(.base)
    public static let v1 = EventEncoding(.v1)

    public var dialect: Dialect { Dialect(rawValue: code & 1) ?? .base }
    public var detail: Detail { Detail(rawValue: code >> 1 & 3) ?? .plain }
    public var framing: Framing { Framing(rawValue: code >> 3) ?? .webSocket }

    /// Whether events may be compressed in it.
    @inlinable
    public var isDeflated: Bool { code >> 3 >= 3 }

    /// The same events, uncompressed.
    public var inflated: EventEncoding { isDeflated ? EventEncoding(dialect, detail) : self }
}
