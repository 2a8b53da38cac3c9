import ApusProtocol

extension JSONValue {
    /// The text of a string; `nil` for anything else.
    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Whether an object anywhere in it has a name a second time. Readers differ in which of the values counts.
    var hasRepeatedName: Bool {
        switch self {
        case .null, .boolean, .number, .string: false
        case .array(let values): values.contains(where: \.hasRepeatedName)
        case .object(let members):
            Set(members.map(\.name)).count < members.count || members.contains { $0.value.hasRepeatedName }
        }
    }

    /// The value of a member, the first of that name; `nil` where there is none.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }
}
