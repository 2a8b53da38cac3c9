extension ApusClient {
    /// A place in a topic: after the message with this offset, in this epoch of the topic.
    ///
    /// Offsets count 1, 2, 3, … without holes in one epoch; a topic gets a new epoch when its offsets start over, as
    /// when it is deleted and created again. A position is valid on every transport of the server: what SSE calls an
    /// event's id is its ``description``.
    public struct Position: Sendable, Hashable, Codable, CustomStringConvertible {
        /// The topic's epoch.
        public let epoch: String
        /// The offset of the last message before this place; 0 is the beginning.
        public let offset: Int

        /// Makes a position of its parts.
        public init(epoch: String, offset: Int) {
            self.epoch = epoch
            self.offset = offset
        }

        /// Takes `EPOCH:OFFSET`; nil when it is none.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return nil }
            let digits = text[colon...].dropFirst()
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let offset = Int(digits) else { return nil }
            self.init(epoch: String(text[..<colon]), offset: offset)
        }

        /// `EPOCH:OFFSET`.
        public var description: String { "\(epoch):\(offset)" }
    }
}
