extension ApusClient {
    /// A position in a topic: after the message with this offset, in this epoch of the topic.
    ///
    /// Offsets count 1, 2, 3, … without gaps in one epoch. A topic gets a new epoch when its offsets start over, for
    /// example when it is deleted and created again. A position is valid on every transport of the server: the id of an
    /// SSE event is a position's ``description``.
    public struct Position: Sendable, Hashable, Codable, CustomStringConvertible {
        /// The topic's epoch.
        public let epoch: String
        /// The offset of the last message before this position; 0 is the start of the epoch.
        public let offset: Int

        /// Creates a position from an epoch and an offset.
        public init(epoch: String, offset: Int) {
            self.epoch = epoch
            self.offset = offset
        }

        /// Parses `EPOCH:OFFSET`; `nil` if the text has another form.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return nil }
            let digits = text[colon...].dropFirst()
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let offset = Int(digits) else { return nil }
            self.init(epoch: String(text[..<colon]), offset: offset)
        }

        /// The text form `EPOCH:OFFSET`.
        public var description: String { "\(epoch):\(offset)" }
    }
}
