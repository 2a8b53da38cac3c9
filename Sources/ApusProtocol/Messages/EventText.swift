/// An event's JSON, split up: `{"type":"event","topic":…,"message":…,"key":…,"offset":…,"ts":"…"}`.
package struct EventText {
    package var topic = JSONStringSpan.empty
    /// The published object.
    package var message = 0..<0
    package var key: JSONStringSpan?
    package var offset: UInt64?
    /// RFC 3339 text.
    package var time = JSONStringSpan.empty

    /// - Parameter text: must be such an event.
    package init(_ text: UnsafeRawBufferPointer) {
        guard var members = JSONMembers(of: JSONMembers.root(of: text), in: text) else { return }
        while let (name, value) = members.next() {
            switch name.string(in: text) {
            case "topic": topic = value.text ?? .empty
            case "message": message = value.range
            case "key": key = value.text
            case "offset": offset = UInt64(String(decoding: text[value.range], as: UTF8.self))
            case "ts": time = value.text ?? .empty
            default: break
            }
        }
    }
}

/// A published object's JSON, split up: `{"id":"…","payload":…}` and other members.
///
/// If a name occurs twice, the last value counts.
package struct MessageText {
    package var id: JSONStringSpan?
    package var payload: Range<Int>?

    /// - Parameter text: must be a JSON object.
    package init(_ text: UnsafeRawBufferPointer) {
        guard var members = JSONMembers(of: JSONMembers.root(of: text), in: text) else { return }
        while let (name, value) = members.next() {
            switch name.string(in: text) {
            case "id": id = value.text
            case "payload": payload = value.range
            default: break
            }
        }
    }
}
