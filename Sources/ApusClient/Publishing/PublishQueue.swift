import NIOCore

/// The unanswered publishes, in the order in which they were made.
///
/// A value without I/O. An entry leaves the queue only when it is answered: after a reconnect, the client sends all
/// entries again with the same ids. The queue is bounded by entries and bytes.
///
/// After a lost connection, topics may be missing: topics in a server's memory are gone until they are created again.
/// So the first entry of a topic goes ahead as a scout, and the others follow when the scout is answered. This keeps
/// their order even if the topic is created in between. While the topic is missing, the scout is sent again and again,
/// and each entry waits for its maximum time.
///
/// ```
///   append ──▶ ready ──▶ sent ──▶ answered        the topic was seen on this connection, or none was ever lost
///      │         ▲
///      └▶ Lane ──┘  scout, then those behind it   otherwise
/// ```
struct PublishQueue {
    /// How long to send an entry again that the server refuses temporarily without closing the connection.
    private static let unavailableWait = Duration.seconds(30)

    private let limit: Int
    private let byteLimit: Int
    private let patience: Duration
    private var entries: [Int: Entry] = [:]
    private var bytes = 0
    /// Requests to send, in order. Requests without an entry were abandoned.
    private var ready: CircularBuffer<Int> = []
    private var lanes: [String: Lane] = [:]
    private var topics = TopicMemory()
    private var isConnected = false
    private var lastRequest = 0
    /// The size of the smallest command that the current server did not accept, in bytes.
    private var tooBig = Int.max

    /// - Parameter patience: how long an entry waits for a topic that is missing after a reconnect.
    init(limit: Int, byteLimit: Int, patience: Duration) {
        self.limit = limit
        self.byteLimit = byteLimit
        self.patience = patience
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Adds a publish. Throws `queueFull` if there is no room. `text` creates the command for a request id.
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

    /// Handles a new connection: everything in the queue must be sent on it.
    mutating func connected() {
        isConnected = true
        for request in entries.keys.sorted() { dispatch(request) }
    }

    /// Handles a lost or failed connection. If the size of a command ended it (`tooBig`), the next connection is
    /// probably to the same server.
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

    /// Removes the command that made the server close the connection: the largest sent command. Whichever command it
    /// was, the largest is too big as well. Also removes all commands of at least that size.
    mutating func removeTooBig() -> [Entry] {
        let sizes = entries.values.lazy.filter(\.isSent).map(\.text.utf8.count)
        guard let largest = sizes.max() else { return [] }
        tooBig = largest
        let refused = entries.values.filter { $0.text.utf8.count >= largest }.map(\.request)
        return refused.compactMap { remove($0) }
    }

    /// The commands to send now, at most about `byteLimit` bytes. From now on they count as sent.
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

    /// Sends an entry, or lets it wait for its scout.
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

    /// Removes and returns the entry that an ack answers; `nil` if there is none.
    mutating func acked(_ requestID: String?) -> Entry? {
        guard let request = sent(requestID), let entry = remove(request) else { return nil }
        topics.saw(entry.topic)
        advance(entry.topic, answered: request, isThere: true)
        return entry
    }

    /// Removes and returns the entry that a final refusal answers; `nil` if there is none.
    mutating func refused(_ requestID: String?) -> Entry? {
        guard let request = sent(requestID), let entry = remove(request) else { return nil }
        advance(entry.topic, answered: request, isThere: false)
        return entry
    }

    /// Handles an entry that the server does not accept now. Removes and returns the topic's entries that may not wait,
    /// and returns until when the rest waits.
    ///
    /// - Parameter pause: how long the server asks to wait. What may not wait so long is removed at once.
    mutating func held(
        _ requestID: String?,
        by obstacle: Obstacle,
        pause: Duration = .zero,
        now: ContinuousClock.Instant
    ) -> (refused: [Entry], wait: Lane.Wait?) {
        guard let request = sent(requestID), let topic = entries[request]?.topic else { return ([], nil) }
        if obstacle == .topicMissing { topics.missed(topic) }
        entries[request]?.isSent = false
        var lane = lanes[topic] ?? Lane(scout: request)
        guard lane.scout == request else {
            // This entry was sent before there was a scout, so it goes before the entries that were not sent.
            guard mayWait(request, for: obstacle, pause: pause, isBehindAnother: true, now: now) else {
                return (remove(request).map { [$0] } ?? [], nil)
            }
            lanes[topic]?.insert(request)
            return ([], nil)
        }
        var refused: [Entry] = []
        var left: [Int] = []
        // One that was sent before the scout may have come back after it.
        for request in ([request] + lane.behind).sorted() {
            guard mayWait(request, for: obstacle, pause: pause, isBehindAnother: !left.isEmpty, now: now) else {
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
        if obstacle == .rateLimited { lane.batch = 1 }
        defer { lanes[topic] = lane }
        return (refused, lane.wait(for: topic, until: deadline))
    }

    /// Whether an entry may wait (any longer), counted from the first time it had to wait.
    private mutating func mayWait(
        _ request: Int,
        for obstacle: Obstacle,
        pause: Duration,
        isBehindAnother: Bool,
        now: ContinuousClock.Instant
    ) -> Bool {
        guard var entry = entries[request], !entry.isAbandoned else { return false }
        if isBehindAnother { entry.isPatient = true }
        let isPatient = entry.isPatient && !topics.isDeleted(entry.topic)
        let wait = obstacle != .topicMissing ? Self.unavailableWait : isPatient ? patience : .zero
        let deadline = entry.deadline ?? now + wait
        entry.deadline = deadline
        entries[request] = entry
        return deadline > now + pause
    }

    /// Ends a wait: sends the scout again, unless it was sent already.
    mutating func waited(_ wait: Lane.Wait) {
        guard lanes[wait.topic]?.wait == wait.number else { return }
        sendScout(wait.topic)
    }

    /// Handles news that the topic was seen elsewhere: its entries need not wait any longer.
    mutating func topicMayBeThere(_ topic: String) {
        // That says nothing about a rate limit.
        if lanes[topic]?.batch == .max { sendScout(topic) }
    }

    private mutating func sendScout(_ topic: String) {
        guard let lane = lanes[topic], lane.wait != nil else { return }
        lanes[topic]?.wait = nil
        ready.append(lane.scout)
    }

    /// Handles the answer to the scout. If the topic takes messages, the others follow, the first of them as the scout
    /// of those that stay; if only the scout itself was refused, the next entry becomes the scout.
    private mutating func advance(_ topic: String, answered request: Int, isThere: Bool) {
        guard let lane = lanes[topic], lane.scout == request || isThere && lane.batch == .max else { return }
        guard !isThere || lane.behind.count > lane.batch, let next = lane.behind.first else {
            lanes[topic] = nil
            ready.append(contentsOf: lane.behind)
            return
        }
        if isThere {
            ready.append(contentsOf: lane.behind.prefix(lane.batch))
            lanes[topic]?.scout = next
            lanes[topic]?.behind.removeFirst(lane.batch)
            lanes[topic]?.batch = lane.batch * 2
            return
        }
        lanes[topic]?.scout = next
        lanes[topic]?.behind.removeFirst()
        ready.append(next)
    }

    /// Handles news of the topic's deletion: no new entry waits for the topic.
    mutating func topicDeleted(_ topic: String) {
        topics.deleted(topic)
    }

    // MARK: Leaving

    /// Handles a caller that no longer waits: an unsent entry is dropped, and the answer to a sent entry is ignored.
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

    /// Removes all entries.
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
