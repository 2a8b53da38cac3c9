/// Why a field is refused.
struct FieldError: Error {
    var message: String

    /// Not inlined, so that building messages costs nothing on the success path.
    @inline(never)
    init(_ name: StaticString, _ problem: StaticString) {
        self.message = "'\(name)' \(problem)"
    }

    init(message: String) {
        self.message = message
    }
}

/// Checks a command's fields, once its text is known to be a JSON object.
extension CommandScanner {
    /// Checks the fields and makes the command.
    ///
    /// - Parameter fields: not changed. It is `inout` because the compiler would otherwise copy it.
    func command(
        _ fields: inout CommandFields,
        dialect: Dialect,
        in bytes: UnsafeRawBufferPointer
    ) throws(CommandError) -> Command {
        var requestID: Range<Int>?
        do throws(FieldError) {
            requestID = try self.requestID(fields.requestID, in: bytes)
            return try command(&fields, requestID: requestID, dialect: dialect, in: bytes)
        } catch {
            throw CommandError(message: error.message, requestID: requestID)
        }
    }

    @inline(__always)
    private func command(
        _ fields: inout CommandFields,
        requestID: Range<Int>?,
        dialect: Dialect,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> Command {
        var command = Command(kind: try kind(fields.type, in: bytes), requestID: requestID)
        command.hasExtensions = fields.hasExtensions
        switch command.kind {
        case .subscribe:
            command.topic = try text(fields.topic, named: "topic", in: bytes)
            command.clientID = try clientID(fields.clientID, in: bytes)
            command.lastN = try lastN(fields.lastN, in: bytes)
            command.hasLastN = !fields.lastN.isAbsent
        case .unsubscribe:
            command.topic = try text(fields.topic, named: "topic", in: bytes)
            command.clientID = try clientID(fields.clientID, in: bytes)
        case .publish:
            command.topic = try text(fields.topic, named: "topic", in: bytes)
            // With extensions, `messages` may replace `message`. The reader of the extensions checks that one of them
            // is present.
            if fields.hasExtensions, fields.message.isAbsent { break }
            command.message = try message(
                fields.message,
                id: fields.messageID,
                payload: fields.payload,
                dialect: dialect,
                in: bytes
            )
        case .ping:
            break
        case .auth:
            // With extensions, `token` may replace it.
            if fields.hasExtensions, fields.apiKey.isAbsent { break }
            if fields.apiKey.isAbsent { throw FieldError(message: "'api_key' or 'token' is required") }
            command.apiKey = try text(fields.apiKey, named: "api_key", in: bytes)
        }
        return command
    }

    /// The token to echo; `nil` when there is none.
    @inline(__always)
    func requestID(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Range<Int>? {
        guard !token.isAbsent else { return nil }
        let length: Int
        if let text = token.text {
            length = try decodedLength(of: text, named: "request_id", in: bytes)
        } else if token.kind == .integer || token.kind == .fraction {
            length = token.range.count
        } else {
            throw FieldError("request_id", "must be a string or a number")
        }
        guard length <= Self.maxRequestID else { throw FieldError("request_id", "must be at most 256 bytes") }
        return token.range
    }

    @inline(__always)
    private func kind(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Command.Kind {
        guard let text = token.text else {
            throw token.isAbsent ? FieldError("type", "is required") : FieldError("type", "must be a string")
        }
        if !text.hasEscapes, let base = bytes.baseAddress,
            let name = ShortName(text.range, in: JSONLexer(base: base, count: bytes.count)),
            let kind = Command.Kind(name)
        {
            return kind
        }
        return try kind(spelled: text, in: bytes)
    }

    /// The slow path, for a type that is unknown or written with escapes.
    @inline(never)
    private func kind(spelled text: JSONStringSpan, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Command.Kind
    {
        // Shows only the first 64 scalars: a single character of many scalars could be as long as the message.
        switch text.string(in: bytes) {
        case "subscribe": return .subscribe
        case "unsubscribe": return .unsubscribe
        case "publish": return .publish
        case "ping": return .ping
        case "auth": return .auth
        case let name?:
            let shown = String(name.unicodeScalars.prefix(64))
            throw FieldError(
                message: "unknown 'type': '\(shown)'; it must be subscribe, unsubscribe, publish, ping or auth"
            )
        case nil: throw FieldError("type", "must not hold a lone surrogate")
        }
    }

    /// A required, non-empty string.
    @inline(__always)
    private func text(
        _ token: JSONToken,
        named name: StaticString,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> JSONStringSpan {
        guard let text = token.text, !text.range.isEmpty else {
            throw token.isAbsent ? FieldError(name, "is required") : FieldError(name, "must be a non-empty string")
        }
        _ = try decodedLength(of: text, named: name, in: bytes)
        return text
    }

    @inline(__always)
    private func decodedLength(
        of text: JSONStringSpan,
        named name: StaticString,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> Int {
        guard text.hasEscapes else { return text.range.upperBound &- text.range.lowerBound }
        guard let length = text.decodedLength(in: bytes) else {
            throw FieldError(name, "must not hold a lone surrogate")
        }
        return length
    }

    private func clientID(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> JSONStringSpan {
        let text = try text(token, named: "client_id", in: bytes)
        guard text.decodedLength(in: bytes) ?? 0 <= maxClientID else {
            throw FieldError(message: "'client_id' must be at most \(maxClientID) bytes")
        }
        return text
    }

    /// An integer that is not negative, or a string that contains one.
    private func lastN(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Int {
        let value: Int?
        switch token.kind {
        case .absent, .null:
            return 0
        case .integer:
            value = Self.count(bytes[token.range])
        case .string, .escapedString:
            value = token.text?.string(in: bytes).flatMap { Self.count($0.utf8) }
        default:
            value = nil
        }
        guard let value else { throw FieldError("last_n", "must be an integer that is not negative") }
        return value
    }

    /// The value of `-?[0-9]+`, at most `Int.max`; `nil` for other text and for negative values.
    private static func count(_ digits: some Collection<UInt8>) -> Int? {
        let isNegative = digits.first == UInt8(ascii: "-")
        let digits = isNegative ? digits.dropFirst() : digits[...]
        guard !digits.isEmpty else { return nil }
        var value = 0
        for byte in digits {
            let digit = Int(byte) - 0x30
            guard 0...9 ~= digit else { return nil }
            let (tens, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tens.addingReportingOverflow(digit)
            value = overflowed || carried ? Int.max : sum
        }
        return isNegative && value != 0 ? nil : value
    }

    /// The object to forward, after checking that its `id` and `payload` are present.
    @inline(__always)
    func message(
        _ message: JSONToken,
        id: JSONToken,
        payload: JSONToken,
        dialect: Dialect,
        in bytes: UnsafeRawBufferPointer
    ) throws(FieldError) -> Range<Int> {
        guard message.kind == .object else {
            throw message.isAbsent
                ? FieldError("message", "is required") : FieldError("message", "must be an object")
        }
        switch dialect {
        case .base:
            if id.kind == .uuid { break }
            guard let text = id.text, UUIDText.isValid(text, in: bytes) else {
                throw id.isAbsent
                    ? FieldError("message.id", "is required and must be a UUID")
                    : FieldError("message.id", "must be a UUID")
            }
        case .v1:
            guard let text = id.text, !text.range.isEmpty else {
                throw id.isAbsent
                    ? FieldError("message.id", "is required") : FieldError("message.id", "must be a non-empty string")
            }
        }
        guard payload.kind != .absent else { throw FieldError("message.payload", "is required") }
        return message.range
    }
}

extension Command.Kind {
    @inline(__always)
    fileprivate init?(_ name: ShortName) {
        if name == "publish" {
            self = .publish
        } else if name == "ping" {
            self = .ping
        } else if name == "subscribe" {
            self = .subscribe
        } else if name == "unsubscribe" {
            self = .unsubscribe
        } else if name == "auth" {
            self = .auth
        } else {
            return nil
        }
    }
}

extension CommandScanner {
    /// The `token` of an `auth` command; `nil` when it is absent, empty, or no text.
    package func authToken(in bytes: UnsafeRawBufferPointer) -> String? {
        var token: String?
        var members = JSONMembers(of: JSONMembers.root(of: bytes), in: bytes)
        while let (name, value) = members?.next() {
            if name.string(in: bytes) == "token" { token = value.text?.string(in: bytes) }
        }
        return token?.isEmpty == false ? token : nil
    }
}
