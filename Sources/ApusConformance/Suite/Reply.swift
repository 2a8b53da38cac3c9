import ApusClient
import ApusProtocol

/// A message of the server, as text and by its members.
struct Reply: Sendable {
    let text: String
    let members: [String: JSONText]

    init(_ text: String) throws {
        guard let members = JSONText(unchecked: text).members, JSONText(parsing: text) != nil else {
            throw Fault("the server sent what is no JSON object: \(text.shortened)")
        }
        self.text = text
        self.members = members
    }

    /// The text of a member, as JSON.
    subscript(_ name: String) -> String? { members[name]?.text }

    var type: String { members["type"]?.stringValue ?? "" }
    var code: String? { members["error"]?.members?["code"]?.stringValue }
    var offset: Int? { members["offset"]?.integerValue }
    /// The id of an event's message.
    var id: String? { members["message"]?.members?["id"]?.stringValue }

    func string(_ name: String) throws -> String {
        guard let value = members[name]?.stringValue else {
            throw Fault("'\(name)' is no text in \(text.shortened)")
        }
        return value
    }

    func integer(_ name: String) throws -> Int {
        guard let value = members[name]?.integerValue else {
            throw Fault("'\(name)' is no integer in \(text.shortened)")
        }
        return value
    }

    /// Fails unless the message has these members, all with these values, and the time; no others unless `open`.
    func expect(_ expected: [String: String], in dialect: Dialect, isOpen: Bool = false) throws {
        let timeName = dialect == .base ? "ts" : "timestamp"
        for (name, value) in expected.sorted(by: { $0.key < $1.key }) where self[name] != value {
            throw Fault("'\(name)' must be \(value) in \(text.shortened)")
        }
        guard let time = members[timeName]?.stringValue else {
            throw Fault("'\(timeName)' is missing in \(text.shortened)")
        }
        guard time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil else {
            throw Fault("'\(timeName)' is no RFC 3339 time in UTC with milliseconds: \(time)")
        }
        guard !isOpen else { return }
        for name in members.keys.sorted() where expected[name] == nil && name != timeName {
            throw Fault("there must be no '\(name)' in \(text.shortened)")
        }
    }
}

extension String {
    /// The beginning, for a person.
    var shortened: String { count > 300 ? prefix(300) + "…" : self }

    /// As a JSON string.
    var quoted: String { jsonString(self) }
}
