import ApusBroker
import ApusProtocol
import ApusStore

/// Why a line cannot be imported.
struct LineError: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// A line of what ``DataExport`` writes.
enum ImportLine {
    struct Topic {
        var name: String
        var epoch: String?
        var settings: TopicSettings
        var created: Int64?
        /// The offset after the last one.
        var next: UInt64?
    }

    struct Message {
        /// `nil` for the offset after the one before.
        var offset: UInt64?
        /// The published object.
        var text: [UInt8]
        var id: String
        var key: [UInt8]?
        var time: Int64
        var expires: Int64?
        var trace: TraceContext?
    }

    case topic(Topic)
    case message(Message)
    /// Offsets that have no message any more.
    case gone(ClosedRange<UInt64>)

    init(_ line: String) throws(LineError) {
        var line = line
        let result = line.withUTF8 { utf8 -> Result<ImportLine, LineError> in
            let bytes = UnsafeRawBufferPointer(utf8)
            guard let members = Members(bytes: bytes) else { return .failure(LineError("it is no JSON object")) }
            do throws(LineError) {
                if members.all["message"] != nil { return .success(.message(try Self.message(members))) }
                for name in ["expired", "missed"] {
                    if let range = members.bytes(name) { return .success(.gone(try Self.range(range, name))) }
                }
                return .success(.topic(try Self.topic(members)))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    private static func topic(_ members: Members) throws(LineError) -> Topic {
        guard let name = try members.text("topic") else { throw LineError("it has neither 'topic' nor 'message'") }
        guard TopicName.isAllowed(name) else { throw LineError("no topic can have this name") }
        let epoch = try members.text("epoch")
        let isWord = epoch?.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) } ?? true
        guard isWord, (1...64).contains(epoch?.utf8.count ?? 1) else { throw LineError("'epoch' is none") }
        var settings = TopicSettings()
        if let text = members.bytes("settings") {
            switch TopicSettingsFields.read(text, maxQueue: .max) {
            case .success(let fields): settings.change(to: fields)
            case .failure(let error): throw LineError("settings: \(error.message)")
            }
        }
        return Topic(
            name: name,
            epoch: epoch,
            settings: settings,
            created: try members.time("created"),
            next: try members.offset("next")
        )
    }

    private static func range(_ bytes: UnsafeRawBufferPointer, _ name: String) throws(LineError) -> ClosedRange<UInt64>
    {
        let parts = Members(bytes: bytes)
        guard let parts, let from = try parts.offset("from"), let to = try parts.offset("to"), from <= to else {
            throw LineError("'\(name)' must have 'from' and 'to'")
        }
        return from...to
    }

    private static func message(_ members: Members) throws(LineError) -> Message {
        guard let text = members.bytes("message"), let parts = Members(bytes: text) else {
            throw LineError("'message' must be an object")
        }
        guard let id = try parts.text("id"), parts.all["payload"] != nil else {
            throw LineError("'message' must have 'id' and 'payload'")
        }
        guard let time = try members.time("ts") else { throw LineError("'ts' is missing") }
        let key = try members.text("key")
        guard (1...CommandScanner.maxKey).contains(key?.utf8.count ?? 1) else {
            throw LineError("'key' must be 1 to \(CommandScanner.maxKey) bytes")
        }
        // What is no trace context is passed over, as in a publish.
        var trace = try members.text("trace").flatMap { TraceContext($0) }
        trace?.state = try members.text("tracestate").flatMap { TraceState($0) }
        return Message(
            offset: try members.offset("offset"),
            text: Array(text),
            id: id,
            key: key.map { jsonBytes($0) },
            time: time,
            expires: try members.time("expires"),
            trace: trace
        )
    }
}

/// The members of an object.
private struct Members {
    let bytes: UnsafeRawBufferPointer
    let all: [String: Range<Int>]

    /// Of a name that occurs twice, the last counts.
    init?(bytes: UnsafeRawBufferPointer) {
        guard let all = JSONDocument.members(of: bytes) else { return nil }
        self.bytes = bytes
        self.all = Dictionary(all.map { ($0.name, $0.value) }) { $1 }
    }

    /// `nil` if there is none, or it is `null`.
    func bytes(_ name: String) -> UnsafeRawBufferPointer? {
        guard let range = all[name] else { return nil }
        let value = UnsafeRawBufferPointer(rebasing: bytes[range])
        return value.elementsEqual("null".utf8) ? nil : value
    }

    func text(_ name: String) throws(LineError) -> String? {
        guard let value = bytes(name) else { return nil }
        guard let text = JSONDocument.string(of: value) else { throw LineError("'\(name)' must be text") }
        return text
    }

    func time(_ name: String) throws(LineError) -> Int64? {
        guard let text = try text(name) else { return nil }
        guard let time = Timestamp.milliseconds(rfc3339: text) else { throw LineError("'\(name)' must be a time") }
        return time
    }

    func offset(_ name: String) throws(LineError) -> UInt64? {
        guard let value = bytes(name) else { return nil }
        guard let offset = UInt64(String(decoding: value, as: UTF8.self)), offset > 0, offset < 1 << 62 else {
            throw LineError("'\(name)' must be an offset, from 1 on")
        }
        return offset
    }
}
