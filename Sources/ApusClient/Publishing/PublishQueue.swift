import NIOCore

/// The publishes without an answer, in the order in which they were made.
///
/// A value without I/O. An entry leaves it with its answer and not before: after a reconnect everything in it is sent
/// again, with the same ids. Bounded by entries and bytes.
///
/// After a lost connection topics may be gone, those of a server in memory until somebody makes them again. So a
/// topic's first entry goes ahead as its scout, and the others follow when that is answered: they keep their order also
/// where the topic is made in their midst. While there is no such topic the scout is sent again and again, and each
/// entry waits as long as it may.
///
/// ```
///   append ──▶ ready ──▶ sent ──▶ answered        the topic was seen on this connection, or none was ever lost
///      │         ▲
///      └▶ Lane ──┘  scout, then those behind it   otherwise
/// ```
struct PublishQueue {
    /// Why an entry is not taken now.
    enum Obstacle {
        case topicMissing
        /// The server shuts down, or is full.
        case unavailable
    }

    struct Entry {
        let request: Int
        let text: String
        let ticket: OneShot<ServerMessage.Ack>
        let topic: String
        var isSent = false
        /// Whether nobody waits for the answer any more.
        var isAbandoned = false
        /// Whether it waits for its topic, as a connection was lost since that was there, or since it was made.
        var isPatient = false
        /// How long it waits; nil until it had to on this connection.
        var deadline: ContinuousClock.Instant?
    }

    /// How long an entry is sent again that the server refuses for the time being without closing the connection.
    private static let unavailableWait = Duration.seconds(30)

    private let limit: Int
    private let byteLimit: Int
    private let patience: Duration
    private var entries: [Int: Entry] = [:]
    private var bytes = 0
    /// Requests to be sent, in this order; those without an entry were abandoned.
    private var ready: CircularBuffer<Int> = []
    private var lanes: [String: Lane] = [:]
    private var topics = TopicMemory()
    private var isConnected = false
    private var lastRequest = 0
    /// The size of the smallest command that the server at the other end did not take.
    private var tooBig = Int.max

    /// - Parameter patience: how long an entry waits for a topic that is gone after a reconnect.
    init(limit: Int, byteLimit: Int, patience: Duration) {
        self.limit = limit
        self.byteLimit = byteLimit
        self.patience = patience
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Adds a publish; throws `queueFull` when there is no room. `text` makes the command for a request id.
    mutating func append(
        topic: String,
        ticket: OneShot<ServerMessage.Ack>,
        text: (String) -> String
    ) throws(ClientError) -> Int {
        guard entries.count < limit else { throw Self.full("\(limit) publishes", topic) }
        let text = text("\(lastRequest + 1)")
        let size = text.utf8.count
        guard size < tooBig else { throw .tooBig(bytes: size, topic: topic) }
        guard entries.isEmpty || bytes + size <= byteLimit else { throw Self.full("\(bytes) bytes", topic) }
        lastRequest += 1
        var entry = Entry(request: lastRequest, text: text, ticket: ticket, topic: topic)
        entry.isPatient = !isConnected && topics.hasLosses
        entries[lastRequest] = entry
        bytes += size
        if isConnected { dispatch(lastRequest) }
        return lastRequest
    }

    private static func full(_ what: String, _ topic: String) -> ClientError {
        ClientError(.queueFull, "the publish queue is full: \(what) wait for an answer", topic: topic)
    }

    // MARK: Connections

    /// There is a connection: all that is here is to be sent on it.
    mutating func connected() {
        isConnected = true
        for request in entries.keys.sorted() { dispatch(request) }
    }

    /// The connection is gone, or could not be made. With `tooBig` it was the size of a command that ended it: then the
    /// next one is probably to the same server.
    mutating func disconnected(tooBig isTooBig: Bool = false) {
        isConnected = false
        if !isTooBig { tooBig = .max }
        topics.lost()
        ready = []
        lanes = [:]
        for (request, entry) in entries {
            guard !entry.isAbandoned else {
                _ = remove(request)
                continue
            }
            entries[request]?.isSent = false
            entries[request]?.isPatient = true
            entries[request]?.deadline = nil
        }
    }

    /// Takes out what the server closed the connection for: the largest command on its way, since whichever it was,
    /// that one is larger than it takes too; and all that are as large.
    mutating func removeTooBig() -> [Entry] {
        let sizes = entries.values.lazy.filter(\.isSent).map(\.text.utf8.count)
        guard let largest = sizes.max() else { return [] }
        tooBig = largest
        let refused = entries.values.filter { $0.text.utf8.count >= largest }.map(\.request)
        return refused.compactMap { remove($0) }
    }

    /// What is to be sent now, at most about `byteLimit` bytes; from here on it counts as sent.
    mutating func takeUnsent(byteLimit: Int) -> [String] {
        var texts: [String] = []
        var taken = 0
        while taken < byteLimit, let request = ready.popFirst() {
            guard let text = entries[request]?.text else { continue }
            entries[request]?.isSent = true
            texts.append(text)
            taken += text.utf8.count
        }
        return texts
    }

    /// Sends it, or has it wait for its scout.
    private mutating func dispatch(_ request: Int) {
        guard let topic = entries[request]?.topic else { return }
        if lanes[topic] != nil {
            lanes[topic]?.behind.append(request)
        } else {
            if topics.mustBeScouted(topic) {
                if topics.wasThere(topic) { entries[request]?.isPatient = true }
                lanes[topic] = Lane(scout: request)
            }
            ready.append(request)
        }
    }

    // MARK: Answers

    /// The entry that is acked, which leaves the queue; nil when there is none.
    mutating func acked(_ requestID: String?) -> Entry? {
        guard let request = sent(requestID), let entry = remove(request) else { return nil }
        topics.saw(entry.topic)
        advance(entry.topic, answered: request, isThere: true)
        return entry
    }

    /// The entry that is refused for itself, which leaves the queue; nil when there is none.
    mutating func refused(_ requestID: String?) -> Entry? {
        guard let request = sent(requestID), let entry = remove(request) else { return nil }
        advance(entry.topic, answered: request, isThere: false)
        return entry
    }

    /// This one is not taken now: what of its topic may not wait leaves the queue; and until when the rest waits.
    mutating func held(
        _ requestID: String?,
        by obstacle: Obstacle,
        now: ContinuousClock.Instant
    ) -> (refused: [Entry], wait: Lane.Wait?) {
        guard let request = sent(requestID), let topic = entries[request]?.topic else { return ([], nil) }
        if obstacle == .topicMissing { topics.missed(topic) }
        entries[request]?.isSent = false
        var lane = lanes[topic] ?? Lane(scout: request)
        guard lane.scout == request else {
            // Sent before there was a scout, it has its place before those that were not.
            guard mayWait(request, for: obstacle, isBehindAnother: true, now: now) else {
                return (remove(request).map { [$0] } ?? [], nil)
            }
            lanes[topic]?.insert(request)
            return ([], nil)
        }
        var refused: [Entry] = []
        var left: [Int] = []
        for request in [request] + lane.behind {
            guard mayWait(request, for: obstacle, isBehindAnother: !left.isEmpty, now: now) else {
                if let entry = remove(request) { refused.append(entry) }
                continue
            }
            left.append(request)
        }
        guard let scout = left.first, let deadline = entries[scout]?.deadline else {
            lanes[topic] = nil
            return (refused, nil)
        }
        lane.scout = scout
        lane.behind = left.dropFirst()
        defer { lanes[topic] = lane }
        return (refused, lane.wait(for: topic, until: deadline))
    }

    /// Whether it waits (any longer), from the first time that it had to.
    private mutating func mayWait(
        _ request: Int,
        for obstacle: Obstacle,
        isBehindAnother: Bool,
        now: ContinuousClock.Instant
    ) -> Bool {
        guard var entry = entries[request], !entry.isAbandoned else { return false }
        if isBehindAnother { entry.isPatient = true }
        let isPatient = entry.isPatient && !topics.isDeleted(entry.topic)
        let wait = obstacle == .unavailable ? Self.unavailableWait : isPatient ? patience : .zero
        let deadline = entry.deadline ?? now + wait
        entry.deadline = deadline
        entries[request] = entry
        return deadline > now
    }

    /// A wait is over: its scout is sent again, unless it was already.
    mutating func waited(_ wait: Lane.Wait) {
        guard lanes[wait.topic]?.wait == wait.number else { return }
        topicMayBeThere(wait.topic)
    }

    /// Somebody saw the topic elsewhere: who waits for it need not wait any longer.
    mutating func topicMayBeThere(_ topic: String) {
        guard let lane = lanes[topic], lane.wait != nil else { return }
        lanes[topic]?.wait = nil
        ready.append(lane.scout)
    }

    /// The scout is answered: all may go, or where it was refused for itself the next one.
    private mutating func advance(_ topic: String, answered request: Int, isThere: Bool) {
        guard let lane = lanes[topic], lane.scout == request || isThere else { return }
        guard !isThere, let next = lane.behind.first else {
            lanes[topic] = nil
            ready.append(contentsOf: lane.behind)
            return
        }
        lanes[topic]?.scout = next
        lanes[topic]?.behind.removeFirst()
        ready.append(next)
    }

    /// The deletion of this topic was told: nothing new waits for it.
    mutating func topicDeleted(_ topic: String) {
        topics.deleted(topic)
    }

    // MARK: Leaving

    /// Nobody waits for this one any more: it is not sent if it was not yet, and its answer is ignored if it was.
    mutating func abandon(_ request: Int) {
        guard let entry = entries[request] else { return }
        guard !entry.isSent else {
            entries[request]?.isAbandoned = true
            return
        }
        _ = remove(request)
        guard let lane = lanes[entry.topic] else { return }
        if lane.scout != request {
            lanes[entry.topic]?.behind.removeAll { $0 == request }
        } else if lane.wait == nil {
            advance(entry.topic, answered: request, isThere: false)
        } else if let next = lane.behind.first {
            lanes[entry.topic]?.scout = next
            lanes[entry.topic]?.behind.removeFirst()
        } else {
            lanes[entry.topic] = nil
        }
    }

    /// Takes everything out.
    mutating func removeAll() -> [Entry] {
        defer {
            entries = [:]
            bytes = 0
            ready = []
            lanes = [:]
        }
        return entries.values.sorted { $0.request < $1.request }
    }

    private func sent(_ requestID: String?) -> Int? {
        guard let request = requestID.flatMap({ Int($0) }), entries[request]?.isSent == true else { return nil }
        return request
    }

    private mutating func remove(_ request: Int) -> Entry? {
        guard let entry = entries.removeValue(forKey: request) else { return nil }
        bytes -= entry.text.utf8.count
        return entry
    }
}
