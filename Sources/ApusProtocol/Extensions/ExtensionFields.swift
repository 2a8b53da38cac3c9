/// The members of a command that only extensions know, by name; of a name given twice the last value counts.
struct ExtensionFields {
    private static let names: Set = [
        "positions", "since", "overflow", "queue", "echo", "presence", "outcome", "ttl", "key", "messages",
    ]
    private var values: [String: JSONToken] = [:]

    init(in bytes: UnsafeRawBufferPointer) {
        guard var members = JSONMembers(of: JSONMembers.root(of: bytes), in: bytes) else { return }
        while let (name, value) = members.next() {
            guard let text = name.string(in: bytes), Self.names.contains(text) else { continue }
            values[text] = value
        }
    }

    /// The value of a member; absent when it was not given, or `null`.
    subscript(_ name: String) -> JSONToken {
        guard let value = values[name], !value.isAbsent else { return .absent }
        return value
    }

    func isAnyGiven(of names: [String]) -> Bool {
        names.contains { self[$0].kind != .absent }
    }

    func flag(_ name: StaticString, in bytes: UnsafeRawBufferPointer) throws(FieldFault) -> Bool? {
        let token = self["\(name)"]
        guard token.kind != .absent else { return nil }
        guard token.kind == .boolean else { throw FieldFault(name, "must be true or false") }
        return bytes[token.start] == UInt8(ascii: "t")
    }

    func text(_ name: StaticString, in bytes: UnsafeRawBufferPointer) throws(FieldFault) -> String? {
        let token = self["\(name)"]
        guard token.kind != .absent else { return nil }
        guard let text = token.text else { throw FieldFault(name, "must be a string") }
        guard let string = text.string(in: bytes) else { throw FieldFault(name, "must not hold a lone surrogate") }
        return string
    }

    func queue(in bytes: UnsafeRawBufferPointer, max: Int) throws(FieldFault) -> Int? {
        let token = self["queue"]
        guard token.kind != .absent else { return nil }
        guard token.kind == .integer, let value = Int(String(decoding: bytes[token.range], as: UTF8.self)),
            (1...Swift.max(max, 1)).contains(value)
        else { throw FieldFault(message: "'queue' must be an integer from 1 to \(max)") }
        return value
    }

    func since(in bytes: UnsafeRawBufferPointer) throws(FieldFault) -> ReplayStart? {
        let token = self["since"]
        switch token.kind {
        case .absent:
            return nil
        case .string, .escapedString:
            guard let start = try text("since", in: bytes).flatMap({ ReplayStart($0) }) else {
                throw FieldFault("since", #"must be a position, a duration such as "10m", an RFC 3339 time or "all""#)
            }
            return start
        case .object:
            return try position(token, in: bytes)
        default:
            throw FieldFault("since", #"must be a position, a duration such as "10m", an RFC 3339 time or "all""#)
        }
    }

    private func position(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) throws(FieldFault) -> ReplayStart {
        var epoch = JSONToken.absent
        var offset = JSONToken.absent
        var members = JSONMembers(of: token, in: bytes)
        while let (name, value) = members?.next() {
            switch name.string(in: bytes) {
            case "epoch": epoch = value
            case "offset": offset = value
            default: break
            }
        }
        guard let epochText = epoch.text?.string(in: bytes), !epochText.isEmpty else {
            throw FieldFault("since.epoch", "must be a non-empty string")
        }
        guard offset.kind == .integer, let number = UInt64(String(decoding: bytes[offset.range], as: UTF8.self)) else {
            throw FieldFault("since.offset", "must be an integer that is not negative")
        }
        return .position(epoch: epochText, offset: number)
    }
}
