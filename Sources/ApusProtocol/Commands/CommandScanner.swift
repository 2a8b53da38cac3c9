/// Turns the text of one WebSocket message into a `Command`, in one pass and without allocating.
///
/// Clients see the order of the checks. First the text (JSON, an object), then `request_id`, so that every later error
/// can echo it. Then `type`, then the fields of that type in the order of the contract. Only the first error is
/// reported.
package struct CommandScanner: Sendable {
    /// The longest `request_id`, in bytes of UTF-8 after decoding its escapes.
    static var maxRequestID: Int { 256 }

    let maxDepth: Int
    let maxClientID: Int

    /// Creates a scanner.
    ///
    /// - Parameters:
    ///   - maxDepth: how deep a command may nest, counting the command itself as 1. Clamped to 1…1024.
    ///   - maxClientID: the longest `client_id`, in bytes of UTF-8 after decoding its escapes.
    package init(maxDepth: Int = 128, maxClientID: Int = 1024) {
        self.maxDepth = min(max(maxDepth, 1), JSONNesting.capacity)
        self.maxClientID = maxClientID
    }

    /// Scans one whole message, already unmasked. All positions in the result are offsets in `bytes`.
    ///
    /// - Parameter knownValidUTF8: skips the UTF-8 check, for a caller that has already made it. If the caller is
    ///   wrong, the command contains invalid UTF-8; nothing worse happens.
    /// - Throws: ``CommandError``.
    package func scan(
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
