import ApusProtocol
import NIOCore

/// One node of a cluster: all that it decides, without a thread, a clock or a socket.
///
/// ```
///  publish, change ──►┌─────────────┐──► events: done, answered, opened, applied, closed …     the server
///                     │ ClusterNode │
///  answers, packs ───►│             │──► actions: publish, consume, purge, changeServer        JetStream
///  tick(now:) ───────►└─────────────┘
/// ```
/// Whoever owns it calls one method after the other, and then carries out what ``takeActions()`` and ``takeEvents()``
/// return, in that order. The documentation of the module says what it promises.
package struct ClusterNode<Contents: PackContents> {
    let names: ClusterNames
    let timing: ClusterTiming
    let limits: ClusterLimits
    let used: [ClusterStream]
    var ids: PackIDs
    var random: SplitMix64
    /// Steady, in milliseconds.
    var now: Int64
    /// How far the wall clock is ahead of it.
    var lead: Int64
    var streams: [StreamState]
    var topics: [ClusterTopic<Contents>] = []
    var topicNumbers = ExactTable<Int>()
    /// The topics with something under way.
    var active: [Int] = []
    /// The topics with a change under way.
    var changing: [Int] = []
    var notes = ExactTable<RegistryNote>()
    /// How many notes were not taken, as there were too many.
    package internal(set) var notesLeftOut: UInt64 = 0
    /// The notes that are being written.
    var writing: [Ticket: PendingNote] = [:]
    /// The places in `topics` that are free.
    var unused: [Int] = []
    var readings: [PendingReading] = []
    var attempts: [UInt64: Attempt] = [:]
    var lastAttempt: UInt64 = 0
    var isConnected = false
    var lastChangeOfServer: Int64
    private var actions: [JetStreamAction] = []
    private var events: [ClusterEvent<Contents>] = []

    /// - Parameters:
    ///   - id: drawn at random for each process.
    ///   - streams: those that it reads. Tests need not have all.
    ///   - now: in milliseconds on the steady clock.
    ///   - lead: how far the wall clock is ahead of the steady clock.
    package init(
        names: ClusterNames,
        id: UInt64,
        timing: ClusterTiming = ClusterTiming(),
        limits: ClusterLimits = ClusterLimits(),
        streams used: [ClusterStream] = ClusterStream.all,
        now: Int64,
        lead: Int64
    ) {
        self.names = names
        self.timing = timing
        self.limits = limits
        self.used = used
        self.now = now
        self.lead = lead
        ids = PackIDs(node: id)
        random = SplitMix64(seed: id)
        streams = ClusterStream.all.map { StreamState(mirror: StreamMirror(stream: $0, now: now)) }
        lastChangeOfServer = now
    }

    package mutating func takeActions() -> [JetStreamAction] {
        defer { actions = [] }
        return actions
    }

    package mutating func takeEvents() -> [ClusterEvent<Contents>] {
        defer { events = [] }
        return events
    }

    /// Whether it has read all that was acked before it started, and a majority of each stream answers.
    package var isReady: Bool {
        isConnected
            && used.allSatisfy { stream in
                let state = streams[stream.number]
                return state.mirror.isCaughtUp && state.lastAck.map { now - $0 < timing.ready } ?? false
            }
    }

    /// The streams' mirrors, for figures: how far they are, and how far behind.
    package var mirrors: [StreamMirror] { streams.map(\.mirror) }

    /// How many names it keeps something of: topics, those that there were, and what is asked for now.
    package var knownNames: Int { topicNumbers.count }

    /// How many things an owner that does not tick would miss.
    package var isIdle: Bool { active.isEmpty && attempts.isEmpty && writing.isEmpty && readings.isEmpty }

    // MARK: What the server asks for

    /// Publishes messages, all or none. The outcome is a ``ClusterEvent/done(_:_:)``.
    package mutating func publish(_ contents: Contents, to name: String, ticket: Ticket) {
        submit(.messages(contents), to: name, ticket: ticket)
    }

    /// Ends a topic's history where it is. The outcome is a ``ClusterEvent/done(_:_:)``.
    package mutating func purge(_ name: String, ticket: Ticket) {
        submit(.purge, to: name, ticket: ticket)
    }

    private mutating func submit(_ item: Submission<Contents>.Item, to name: String, ticket: Ticket) {
        guard let number = topicNumbers[name], topics[number].shown != nil else {
            return emit(.done(ticket, .failure(.deleted)))
        }
        let submission = Submission(ticket: ticket, item: item, deadline: now + timing.answer)
        guard submission.bytes <= limits.packBytes else {
            return emit(.done(ticket, .failure(.refused("more than a pack holds"))))
        }
        guard topics[number].sender.submit(submission, limit: limits.queuedBytes) else {
            return emit(.done(ticket, .failure(.overloaded)))
        }
        activate(number)
        begin(number)
    }

    /// Changes a topic. The outcome is a ``ClusterEvent/answered(_:_:)``.
    package mutating func change(_ name: String, _ change: RegistryChange, ticket: Ticket) {
        let number = topic(named: name)
        guard topics[number].changes.count < limits.changes else {
            return emit(.answered(ticket, .failure(.overloaded)))
        }
        add(PendingChange(change, ticket: ticket, deadline: now + timing.answer), to: number)
    }

    // MARK: Parts

    mutating func emit(_ event: ClusterEvent<Contents>) { events.append(event) }

    mutating func act(_ action: JetStreamAction) { actions.append(action) }

    /// The number of a topic, which gets one if it has none.
    mutating func topic(named name: String) -> Int {
        if let number = topicNumbers[name] { return number }
        if let number = unused.popLast() {
            (topicNumbers[name], topics[number]) = (number, ClusterTopic(name: name))
            return number
        }
        topicNumbers[name] = topics.count
        topics.append(ClusterTopic(name: name))
        return topics.count - 1
    }

    /// Gives up the number of a name that is no topic's, and never was: somebody has only asked for it.
    mutating func releaseIfUnused(_ number: Int) {
        guard topics[number].isUnused, topicNumbers.removeValue(forKey: topics[number].name) != nil else { return }
        topics[number] = ClusterTopic(name: "")
        unused.append(number)
    }

    mutating func activate(_ number: Int) {
        guard !topics[number].isActive else { return }
        topics[number].isActive = true
        active.append(number)
    }

    /// Sends a message, and remembers what its answer is for.
    mutating func send(
        _ attempt: Attempt,
        to stream: ClusterStream,
        subject: String,
        id: PackID,
        expected: ExpectedSequence,
        header: PublishRequest.Header,
        body: ByteBuffer = ByteBuffer()
    ) {
        lastAttempt += 1
        attempts[lastAttempt] = attempt
        if streams[stream.number].unansweredSince == nil { streams[stream.number].unansweredSince = now }
        let request = PublishRequest(
            number: lastAttempt,
            stream: stream,
            subject: subject,
            id: id,
            expected: expected,
            header: header,
            body: body,
            timeout: timing.attempt
        )
        act(.publish(request))
    }

    mutating func pause() -> Int64 { now + Int64.random(in: timing.retry, using: &random) }
}
