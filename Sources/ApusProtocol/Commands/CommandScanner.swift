/// Turns the text of one WebSocket message into a `Command`, in one pass and without allocating.
///
/// The order of checks is part of what clients see: the text (JSON, an object), then `request_id`, so that every later
/// error can echo it, then `type`, then the fields of that type in the order of the contract. One error at a time.
public struct CommandScanner: Sendable {
    /// How long a `request_id` may be, in bytes of UTF-8 after its escapes are decoded.
    static var maxRequestID: Int { 256 }

    let maxDepth: Int
    let maxClientID: Int

    /// - Parameters:
    ///   - maxDepth: how deep a command may nest, the command itself counting as 1; 1…1024, else the nearest of those.
    ///   - maxClientID: how long a `client_id` may be, in bytes of UTF-8 after its escapes are decoded.
    public init(maxDepth: Int = 128, maxClientID: Int = 1024) {
        self.maxDepth = min(max(maxDepth, 1), JSONNesting.capacity)
        self.maxClientID = maxClientID
    }

    /// Scans one whole message, already unmasked. All positions in the result are offsets in `bytes`.
    ///
    /// `knownValidUTF8` skips the check of the encoding, for a caller that has made it. A caller that is wrong about it
    /// gets a command with invalid UTF-8 in it, nothing worse.
    public func scan(
        _ bytes: UnsafeRawBufferPointer,
        dialect: Dialect,
        knownValidUTF8: Bool
    ) throws(CommandError) -> Command {
        if !knownValidUTF8 {
            var validator = UTF8Validator()
            guard validator.consume(bytes), validator.isComplete else {
                throw CommandError(message: "not valid UTF-8, as JSON must be")
            }
        }
        guard let base = bytes.baseAddress else {
            throw CommandError(message: JSONError(reason: .unexpectedEnd, offset: 0).description)
        }
        var fields = CommandFields()
        let kind: JSONToken.Kind
        do {
            kind = try CommandReader(base: base, count: bytes.count, maxDepth: maxDepth).read(into: &fields)
        } catch {
            throw CommandError(message: error.description)
        }
        guard kind == .object else { throw CommandError(message: "a command must be a JSON object") }
        return try command(&fields, dialect: dialect, in: bytes)
    }
}
