import NIOCore

/// The publishes without an answer, in the order in which they were made.
///
/// A value without I/O. An entry leaves it with its answer and not before: after a reconnect everything in it is sent
/// again, with the same ids. Bounded by entries and bytes.
struct PublishQueue {
    struct Entry {
        enum State {
            case unsent
            case sent
            /// Sent, and refused for the time being: to be sent again on the next connection.
            case deferred
        }

        let request: Int
        let text: String
        let ticket: Ticket<ServerMessage.Ack>
        let topic: String
        var state = State.unsent
        /// Whether nobody waits for the answer any more.
        var isAbandoned = false
    }

    private let limit: Int
    private let byteLimit: Int
    private var entries: CircularBuffer<Entry> = []
    private var bytes = 0
    /// Where the first unsent entry is; all behind it are unsent.
    private var firstUnsent = 0
    private var lastRequest = 0

    init(limit: Int, byteLimit: Int) {
        self.limit = limit
        self.byteLimit = byteLimit
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Adds a publish; throws `queueFull` when there is no room. `text` makes the command for a request id.
    mutating func append(
        topic: String,
        ticket: Ticket<ServerMessage.Ack>,
        text: (String) -> String
    ) throws(ClientError) -> Int {
        guard entries.count < limit else { throw Self.full("\(limit) publishes", topic) }
        let text = text("\(lastRequest + 1)")
        guard entries.isEmpty || bytes + text.utf8.count <= byteLimit else {
            throw Self.full("\(bytes) bytes", topic)
        }
        lastRequest += 1
        entries.append(Entry(request: lastRequest, text: text, ticket: ticket, topic: topic))
        bytes += text.utf8.count
        return lastRequest
    }

    private static func full(_ what: String, _ topic: String) -> ClientError {
        ClientError(.queueFull, "the publish queue is full: \(what) wait for an answer", topic: topic)
    }

    /// What is to be sent now, at most about `byteLimit` bytes; from here on it counts as sent.
    mutating func takeUnsent(byteLimit: Int) -> [String] {
        var texts: [String] = []
        var taken = 0
        while firstUnsent < entries.count, taken < byteLimit {
            let index = entries.index(entries.startIndex, offsetBy: firstUnsent)
            entries[index].state = .sent
            texts.append(entries[index].text)
            taken += entries[index].text.utf8.count
            firstUnsent += 1
        }
        return texts
    }

    /// The entry that this answers, which leaves the queue; nil when there is none.
    mutating func answered(_ requestID: String?) -> Entry? {
        guard let offset = sentOffset(requestID) else { return nil }
        return remove(at: offset)
    }

    /// The server takes this one only on another connection.
    mutating func deferred(_ requestID: String?) {
        guard let offset = sentOffset(requestID) else { return }
        entries[entries.index(entries.startIndex, offsetBy: offset)].state = .deferred
    }

    /// The connection is gone: all that is here is to be sent on the next one.
    mutating func disconnected() {
        firstUnsent = 0
        var kept: CircularBuffer<Entry> = []
        for var entry in entries where !entry.isAbandoned {
            entry.state = .unsent
            kept.append(entry)
        }
        entries = kept
        bytes = kept.reduce(0) { $0 + $1.text.utf8.count }
    }

    /// Nobody waits for this one any more: it is not sent if it was not yet, and its answer is ignored if it was.
    mutating func abandon(_ request: Int) {
        guard let index = entries.firstIndex(where: { $0.request == request }) else { return }
        let offset = entries.distance(from: entries.startIndex, to: index)
        if offset >= firstUnsent {
            _ = remove(at: offset)
        } else {
            entries[index].isAbandoned = true
        }
    }

    /// Takes everything out.
    mutating func removeAll() -> [Entry] {
        defer {
            entries = []
            bytes = 0
            firstUnsent = 0
        }
        return Array(entries)
    }

    /// Answers come in the order of the commands, so it is the first one, or close to it.
    private func sentOffset(_ requestID: String?) -> Int? {
        guard let request = requestID.flatMap({ Int($0) }) else { return nil }
        let offset = entries.prefix(firstUnsent).firstIndex { $0.request == request && $0.state == .sent }
        return offset.map { entries.distance(from: entries.startIndex, to: $0) }
    }

    private mutating func remove(at offset: Int) -> Entry {
        let entry = entries.remove(at: entries.index(entries.startIndex, offsetBy: offset))
        bytes -= entry.text.utf8.count
        if offset < firstUnsent { firstUnsent -= 1 }
        return entry
    }
}
