package import ApusProtocol
import DequeModule

/// Sends what is published to a topic on this node: one pack at a time.
///
/// ```
///            submit                     ack, or its id in the mirror
///  waiting ─────────► sending ─────────────────────────────────────────► landed
///                      │ ▲  │ 10071 with a later sequence
///       no answer, any │ │  └──────► looking ── the mirror is there, and it is not ──► sending, with another id
///       other answer   ▼ │
///                     pausing  50 to 300 ms, the same pack
/// ```
/// It decides by what the mirror shows and by acks, never by what a server says about itself. The chain is the topic's:
/// a pack can land only directly behind its last message.
package struct TopicSender<Contents: PackContents>: Sendable {
    /// The pack in flight.
    package struct Flight: Sendable {
        package let id: PackID
        package let header: PackHeader
        package let submissions: [Submission<Contents>]
        let assembly: Assembly<Contents>
        package var contents: Contents? { assembly.contents }
        package internal(set) var state: State
        /// How often a server knew less than is known here.
        var staleAnswers = 0
        /// How often it was sent.
        package internal(set) var attempts = 0

        /// What has to be the subject's last message.
        package var expected: PackPlace { header.previous ?? .none }
    }

    package enum State: Sendable, Equatable {
        case sending(since: Int64)
        case pausing(until: Int64)
        case looking(sequence: UInt64)
    }

    package enum Step: Sendable {
        /// Send the pack in flight.
        case send
        /// It is in the topic. Its messages come before what the mirror shows next.
        case landed(Flight, sequence: UInt64, isJump: Bool)
        case done(Ticket, Result<PackReceipt, ClusterFailure>)
        /// A server knows less than is known here: change it.
        case changeServer
        /// Data may be lost: find out.
        case suspect
    }

    package private(set) var flight: Flight?
    private var queue = Deque<Submission<Contents>>()
    private var queuedBytes = 0

    package init() {}

    /// What the pack in flight expects to be the last message.
    package var expected: PackPlace? { flight?.expected }

    package var isIdle: Bool { flight == nil && queue.isEmpty }

    /// The next moment at which ``tick(now:)`` has something to do.
    package var deadline: Int64? {
        var next = queue.first?.deadline
        if case .pausing(let until)? = flight?.state { next = min(next ?? until, until) }
        if let due = flight?.submissions.compactMap(\.deadline).min() { next = min(next ?? due, due) }
        return next
    }

    /// - Returns: whether there is room.
    package mutating func submit(_ submission: Submission<Contents>, limit: Int) -> Bool {
        guard queuedBytes + submission.bytes <= limit || queue.isEmpty else { return false }
        queue.append(submission)
        queuedBytes += submission.bytes
        return true
    }

    /// Puts the next pack together, if none is in flight.
    mutating func begin(_ link: inout TopicLink) -> [Step] {
        var steps: [Step] = []
        while flight == nil, let first = queue.first {
            var submissions: [Submission<Contents>] = []
            var bytes = 0
            // A mark is a pack of its own.
            while let next = queue.first, submissions.isEmpty || (next.isMessages && first.isMessages),
                submissions.isEmpty || bytes + next.bytes <= link.limits.packBytes
            {
                bytes += next.bytes
                submissions.append(queue.removeFirst())
            }
            queuedBytes -= bytes
            steps += send(submissions, &link)
        }
        return steps
    }

    /// - Returns: nothing to send if all messages are duplicates.
    private mutating func send(_ submissions: [Submission<Contents>], _ link: inout TopicLink) -> [Step] {
        var (kind, era, assembly) = (PackHeader.Kind.messages, link.era, Assembly<Contents>())
        for submission in submissions {
            switch submission.item {
            case .messages(let contents):
                assembly.append(submission.ticket, contents, known: &link.recent, now: link.time)
            case .purge: kind = .purge
            case .renewal(let old, let epoch):
                // Somebody else has done it.
                guard era.epoch == old else {
                    return [.done(submission.ticket, .success(PackReceipt(first: link.next, count: 0)))]
                }
                (kind, era.epoch) = (.renewal, epoch)
            }
        }
        if kind == .messages, assembly.contents == nil {
            return assembly.receipts(first: 0).map { .done($0.ticket, .success($0.receipt)) }
        }
        let header = PackHeader(
            kind: kind,
            era: era,
            first: link.next,
            count: assembly.count,
            time: max(assembly.contents?.time ?? link.time, 0),
            previous: link.last
        )
        flight = Flight(
            id: link.ids.next(),
            header: header,
            submissions: submissions,
            assembly: assembly,
            state: .sending(since: link.now)
        )
        return [.send]
    }

    // MARK: Answers

    /// An answer to one of the attempts with the pack of that id.
    package mutating func answered(
        _ answer: PublishAnswer,
        id: PackID,
        attempt: Int,
        now: Int64,
        retry: ClosedRange<Int64>,
        random: inout SplitMix64
    ) -> [Step] {
        // What has landed, was given up or was renumbered cares for no answer.
        guard let flight, flight.id == id else { return [] }
        switch answer {
        case .acked(let sequence, _):
            // A sequence that was there before: the stream has begun anew somewhere before it.
            guard sequence > flight.expected.sequence else { return pause(now, retry, &random) + [.suspect] }
            return land(at: sequence)
        case .wrongLastSequence(let sequence):
            if sequence > flight.expected.sequence {
                self.flight?.state = .looking(sequence: sequence)
                return []
            }
            guard sequence < flight.expected.sequence else { return pause(now, retry, &random) }
            self.flight?.staleAnswers += 1
            return pause(now, retry, &random) + [flight.staleAnswers == 0 ? .changeServer : .suspect]
        case .unavailable:
            // Another attempt may be on its way, or have told where to look.
            guard case .sending = flight.state, attempt == flight.attempts else { return [] }
            return pause(now, retry, &random)
        case .refused(let reason):
            return giveUp(.refused(reason))
        }
    }

    private mutating func pause(_ now: Int64, _ range: ClosedRange<Int64>, _ random: inout SplitMix64) -> [Step] {
        flight?.state = .pausing(until: now + Int64.random(in: range, using: &random))
        return []
    }

    /// The pack in flight is sent.
    ///
    /// - Returns: the number of the attempt.
    package mutating func noteAttempt() -> Int {
        flight?.attempts += 1
        return flight?.attempts ?? 0
    }

    /// The pack in flight cannot be sent now.
    package mutating func postpone(until: Int64) { flight?.state = .pausing(until: until) }

    // MARK: What the mirror shows

    /// The mirror shows the pack in flight, or an ack names its sequence.
    package mutating func land(at sequence: UInt64, isJump: Bool = false) -> [Step] {
        guard let flight else { return [] }
        self.flight = nil
        let done = flight.receipts.map { Step.done($0.ticket, .success($0.receipt)) }
        let landed = Step.landed(flight, sequence: sequence, isJump: isJump)
        // Publishers get their acks before what they published. Of a mark, all that follows is true when it is told.
        return flight.header.kind == .messages ? done + [landed] : [landed] + done
    }

    /// Another message took the place of the pack in flight.
    ///
    /// - Parameter isJump: whether messages before it are gone, of which one may have been that pack.
    mutating func overtaken(isJump: Bool, _ link: inout TopicLink) -> [Step] {
        guard let flight else { return [] }
        // Whether it was among them cannot be known any more. Sending it again might double it.
        if isJump { return giveUp(.unavailable) }
        self.flight = nil
        return send(flight.submissions, &link)
    }

    /// The mirror has come to a sequence of the stream.
    ///
    /// - Returns: whether the pack in flight should have been seen by now, or something in its place.
    package func isMissing(at position: UInt64) -> Bool {
        if case .looking(let sequence)? = flight?.state { position >= sequence } else { false }
    }

    /// The stream was read from its start again. The pack in flight is sent again if it can still land.
    mutating func restart(_ link: inout TopicLink) -> [Step] {
        guard let flight else { return [] }
        guard flight.expected == link.last, flight.header.era == link.era else {
            return overtaken(isJump: false, &link)
        }
        self.flight?.state = .sending(since: link.now)
        return [.send]
    }

    // MARK: Time

    package mutating func tick(now: Int64) -> [Step] {
        var steps: [Step] = []
        if let flight {
            if flight.submissions.contains(where: { $0.deadline.map { $0 <= now } ?? false }) {
                // It may land later. No other pack can land beside it, so all that follows is behind it.
                steps += giveUp(.unavailable)
            } else if case .pausing(let until) = flight.state, until <= now {
                self.flight?.state = .sending(since: now)
                steps.append(.send)
            }
        }
        while let first = queue.first, let deadline = first.deadline, deadline <= now {
            queue.removeFirst()
            queuedBytes -= first.bytes
            steps.append(.done(first.ticket, .failure(.unavailable)))
        }
        return steps
    }

    private mutating func giveUp(_ failure: ClusterFailure) -> [Step] {
        guard let flight else { return [] }
        self.flight = nil
        return flight.submissions.map { .done($0.ticket, .failure(failure)) }
    }

    /// Nothing can be published any more.
    package mutating func end(_ failure: ClusterFailure) -> [Step] {
        defer { (queue, queuedBytes) = ([], 0) }
        return giveUp(failure) + queue.map { .done($0.ticket, .failure(failure)) }
    }
}

extension TopicSender.Flight {
    /// What the submitters are told when it has landed.
    var receipts: [(ticket: Ticket, receipt: PackReceipt)] {
        guard header.kind == .messages else {
            return submissions.map { ($0.ticket, PackReceipt(first: header.first, count: 0)) }
        }
        return assembly.receipts(first: header.first)
    }
}

/// What a sender has to know of its topic and node to put a pack together.
struct TopicLink {
    var last: PackPlace
    var era: TopicEra
    var next: UInt64
    var recent: RecentIDs
    var ids: PackIDs
    let limits: ClusterLimits
    let now: Int64
    /// The wall clock's, in milliseconds since 1970.
    let time: Int64
}
