/// The fields of `publish` beyond the plain contract.
package struct PublishExtensions: Sendable, Equatable {
    /// One message of a batch.
    package struct Message: Sendable, Equatable {
        /// The raw JSON object.
        package var range: Range<Int>
        package var id: JSONStringSpan

        package init(range: Range<Int>, id: JSONStringSpan) {
            self.range = range
            self.id = id
        }
    }

    /// Whether the ack reports the outcome.
    package var outcome = false
    /// The lifetime in milliseconds.
    package var ttl: Int64?
    package var key: String?
    /// Where the messages' trace goes on.
    package var trace: TraceContext?
    /// The batch, if there is one instead of `message`.
    package var messages: [Message]?
    /// Whether the command has any of these fields.
    package var isUsed = false

    package init() {}
}

extension CommandScanner {
    /// The longest `key`, in bytes of UTF-8.
    package static var maxKey: Int { 256 }
    /// The longest `ttl`, in milliseconds: a hundred years. A longer one is probably a mistake in the unit.
    package static var maxTTL: Int64 { 100 * 365 * 86_400_000 }

    /// Reads the extension fields of a scanned `publish`, and checks that there is something to publish.
    ///
    /// - Parameter maxBatch: the most `messages` accepted.
    package func publishExtensions(
        of command: Command,
        in bytes: UnsafeRawBufferPointer,
        dialect: Dialect,
        maxBatch: Int
    ) -> Result<PublishExtensions, CommandError> {
        var result = PublishExtensions()
        guard command.hasExtensions else { return .success(result) }
        do throws(FieldError) {
            let fields = ExtensionFields(in: bytes)
            result.isUsed = fields.isAnyGiven(of: .outcome, .ttl, .key, .messages, .trace, .tracestate)
            result.outcome = try fields.flag(.outcome, in: bytes) ?? false
            result.ttl = try ttl(fields[.ttl], in: bytes)
            if let key = try fields.text(.key, in: bytes) {
                guard (1...Self.maxKey).contains(key.utf8.count) else {
                    throw FieldError(message: "'key' must be 1 to \(Self.maxKey) bytes")
                }
                result.key = key
            }
            // What is no trace context is passed over, as its standard asks.
            result.trace = fields[.trace].text.flatMap { trace($0, in: bytes) }
            result.trace?.state = fields[.tracestate].text.flatMap { state($0, in: bytes) }
            result.messages = try messages(fields[.messages], dialect: dialect, max: maxBatch, in: bytes)
            switch (result.messages == nil, command.message.isEmpty) {
            case (true, true): throw FieldError("message", "is required")
            case (false, false): throw FieldError("messages", "and 'message' exclude each other")
            default: return .success(result)
            }
        } catch {
            return .failure(CommandError(message: error.message, requestID: command.requestID))
        }
    }

    /// The `id` in the message of a scanned `publish`.
    package func messageID(of command: Command, in bytes: UnsafeRawBufferPointer) -> JSONStringSpan {
        let range = command.message
        var id = JSONStringSpan.empty
        var members = JSONMembers(
            of: JSONToken(kind: .object, start: range.lowerBound, end: range.upperBound),
            in: bytes
        )
        while let (name, value) = members?.nextNamed() {
            if name == "id" { id = value.text ?? .empty }
        }
        return id
    }

    private func trace(_ text: JSONStringSpan, in bytes: UnsafeRawBufferPointer) -> TraceContext? {
        text.hasEscapes
            ? text.string(in: bytes).flatMap { TraceContext($0) }
            : TraceContext(utf8: UnsafeRawBufferPointer(rebasing: bytes[text.range]))
    }

    private func state(_ text: JSONStringSpan, in bytes: UnsafeRawBufferPointer) -> TraceState? {
        // A character has six bytes as an escape. What is longer need not be read to know that it is too long.
        guard text.range.count <= 6 * TraceState.maximumSize else { return nil }
        return text.string(in: bytes).flatMap { TraceState($0) }
    }

    /// A duration such as `"30s"`, or a number of seconds; in milliseconds.
    private func ttl(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Int64? {
        guard token.kind != .absent else { return nil }
        guard let value = token.duration(in: bytes), (1...Self.maxTTL).contains(value) else {
            throw FieldError("ttl", #"must be a duration such as "30s" or a number of seconds, at least 0.001"#)
        }
        return value
    }

    private func messages(
        _ token: JSONToken,
        dialect: Dialect,
        max: Int,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> [PublishExtensions.Message]? {
        guard token.kind != .absent else { return nil }
        guard token.kind == .array, var elements = JSONMembers(of: token, in: bytes) else {
            throw FieldError("messages", "must be an array of messages")
        }
        var result: [PublishExtensions.Message] = []
        while let (_, element) = elements.next() {
            guard result.count < max else {
                throw FieldError(message: "'messages' must be at most \(counted(max, "message"))")
            }
            do throws(FieldError) {
                result.append(try message(element, dialect: dialect, in: bytes))
            } catch {
                // Names the faulty message in the usual notation.
                let text = error.message.replacingPrefix("'message", with: "'messages[\(result.count)]")
                throw FieldError(message: text)
            }
        }
        guard !result.isEmpty else { throw FieldError("messages", "must not be empty") }
        return result
    }

    /// One message of a batch, with the same checks as `message`.
    private func message(
        _ token: JSONToken,
        dialect: Dialect,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> PublishExtensions.Message {
        var id = JSONToken.absent
        var payload = JSONToken.absent
        var members = token.kind == .object ? JSONMembers(of: token, in: bytes) : nil
        while let (name, value) = members?.nextNamed() {
            switch name {
            case "id": id = value
            case "payload": payload = value
            default: break
            }
        }
        let range = try message(token, id: id, payload: payload, dialect: dialect, in: bytes)
        return PublishExtensions.Message(range: range, id: id.text ?? .empty)
    }
}

extension JSONToken {
    /// The duration in milliseconds. The token is a text such as `"30s"`, or a number of seconds.
    func duration(in bytes: UnsafeRawBufferPointer) -> Int64? {
        switch kind {
        case .string, .escapedString: text?.string(in: bytes).flatMap { DurationText.milliseconds(withUnit: $0) }
        case .integer, .fraction: Self.milliseconds(seconds: Double(String(decoding: bytes[range], as: UTF8.self)))
        default: nil
        }
    }

    /// Rounded up to whole milliseconds; `nil` also for less than one millisecond, which no timer can meet.
    private static func milliseconds(seconds: Double?) -> Int64? {
        guard let seconds, seconds >= 0, seconds <= Double(CommandScanner.maxTTL) else { return nil }
        // Tolerates rounding errors of a billionth: 0.1 + 0.2 seconds are 300 milliseconds.
        let milliseconds = seconds * 1000 - 1e-6
        guard milliseconds >= 1 - 2e-6 || seconds == 0 else { return nil }
        return Int64(milliseconds.rounded(.up))
    }
}

extension String {
    fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
        hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
    }
}
