/// A member of a command that only extensions know.
enum ExtensionField: Int, CaseIterable {
    case positions, since, overflow, queue, echo, presence, wait, outcome, ttl, key, messages, trace, tracestate

    fileprivate init?(_ name: ShortName) {
        switch name {
        case "positions": self = .positions
        case "since": self = .since
        case "overflow": self = .overflow
        case "queue": self = .queue
        case "echo": self = .echo
        case "presence": self = .presence
        case "wait": self = .wait
        case "outcome": self = .outcome
        case "ttl": self = .ttl
        case "key": self = .key
        case "messages": self = .messages
        case "trace": self = .trace
        case "tracestate": self = .tracestate
        default: return nil
        }
    }
}

/// The values of the extension members. If a name occurs twice, the last value counts.
struct ExtensionFields {
    /// The count must equal the number of fields.
    private var values = InlineArray<13, JSONToken>(repeating: .absent)

    init(in bytes: UnsafeRawBufferPointer) {
        guard var members = JSONMembers(of: JSONMembers.root(of: bytes), in: bytes) else { return }
        while let (name, value) = members.nextNamed() {
            if let field = name.flatMap(ExtensionField.init) { values[field.rawValue] = value }
        }
    }

    /// The value of a member; absent when the member is missing or `null`.
    subscript(_ field: ExtensionField) -> JSONToken {
        let value = values[field.rawValue]
        return value.isAbsent ? .absent : value
    }

    func isAnyGiven(of fields: ExtensionField...) -> Bool {
        fields.contains { self[$0].kind != .absent }
    }

    func flag(_ field: ExtensionField, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> Bool? {
        let token = self[field]
        guard token.kind != .absent else { return nil }
        guard token.kind == .boolean else { throw FieldError(message: "'\(field)' must be true or false") }
        return bytes[token.start] == UInt8(ascii: "t")
    }

    func text(_ field: ExtensionField, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> String? {
        let token = self[field]
        guard token.kind != .absent else { return nil }
        guard let text = token.text else { throw FieldError(message: "'\(field)' must be a string") }
        guard let string = text.string(in: bytes) else {
            throw FieldError(message: "'\(field)' must not hold a lone surrogate")
        }
        return string
    }

    func queue(in bytes: UnsafeRawBufferPointer, max: Int) throws(FieldError) -> Int? {
        let token = self[.queue]
        guard token.kind != .absent else { return nil }
        guard token.kind == .integer, let value = Int(String(decoding: bytes[token.range], as: UTF8.self)),
            (1...Swift.max(max, 1)).contains(value)
        else { throw FieldError(message: "'queue' must be an integer from 1 to \(max)") }
        return value
    }

    private static let sinceForms: StaticString =
        #"must be a position such as {"epoch":"k3v9","offset":42}, a duration such as "10m", an RFC 3339 time or "all""#

    func since(in bytes: UnsafeRawBufferPointer) throws(FieldError) -> ReplayStart? {
        let token = self[.since]
        switch token.kind {
        case .absent:
            return nil
        case .string, .escapedString:
            guard let start = try text(.since, in: bytes).flatMap({ ReplayStart($0) }) else {
                throw FieldError("since", Self.sinceForms)
            }
            return start
        case .object:
            return try position(token, in: bytes)
        default:
            throw FieldError("since", Self.sinceForms)
        }
    }

    private func position(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldError) -> ReplayStart {
        var epoch = JSONToken.absent
        var offset = JSONToken.absent
        var members = JSONMembers(of: token, in: bytes)
        while let (name, value) = members?.nextNamed() {
            switch name {
            case "epoch": epoch = value
            case "offset": offset = value
            default: break
            }
        }
        guard let epochText = epoch.text?.string(in: bytes), !epochText.isEmpty else {
            throw FieldError("since.epoch", "must be a non-empty string")
        }
        guard offset.kind == .integer, let number = UInt64(String(decoding: bytes[offset.range], as: UTF8.self)) else {
            throw FieldError("since.offset", "must be an integer that is not negative")
        }
        return .position(epoch: epochText, offset: number)
    }
}
