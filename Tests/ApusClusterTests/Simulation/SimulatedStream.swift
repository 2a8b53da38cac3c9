import ApusCluster
import NIOCore

/// One replicated stream: what a majority has, and how much of it each server knows.
///
/// ```
/// committed   1 2 3 4 5 6 7 8 9        pending   a b       proposed to the leader, not with a majority yet
/// server 0  ──────────────────┤ leader
/// server 1  ──────────────┤
/// server 2  ──────┤             cut off: it may still think that it leads
/// ```
struct SimulatedStream {
    struct Message {
        let sequence: UInt64
        let subject: String
        let id: PackID
        let header: PublishRequest.Header
        let body: ByteBuffer
        /// Too many came after it.
        var isTrimmed = false
        var isPurged = false

        var isRemoved: Bool { isTrimmed || isPurged }
    }

    struct Proposal {
        let node: Int
        let request: PublishRequest
        /// Of the node's connection.
        let life: Int
    }

    let stream: ClusterStream
    /// Messages a subject keeps.
    let keeps: Int
    private(set) var log: [Message] = []
    private var places: [String: [UInt64]] = [:]
    private var sequenceOfID: [PackID: UInt64] = [:]
    var pending: [Proposal] = []
    /// How many messages each server knows.
    var applied = [0, 0, 0]
    var leader: Int? = 0
    /// It was the leader, and does not know that it is not any more.
    var staleLeader: Int?
    /// The commit event under way.
    var isCommitting = false

    init(stream: ClusterStream, keeps: Int) { (self.stream, self.keeps) = (stream, keeps) }

    /// The last message of a subject among the first so many of the stream; 0 if there is none.
    func last(of subject: String, within count: Int) -> UInt64 {
        places[subject]?.last { Int($0) <= count && !log[Int($0) - 1].isRemoved } ?? 0
    }

    func sequence(of id: PackID, within count: Int) -> UInt64? {
        sequenceOfID[id].flatMap { Int($0) <= count ? $0 : nil }
    }

    /// What a server answers that thinks it leads and knows so many messages; `nil` if it takes the message.
    func refusal(of request: PublishRequest, within count: Int) -> PublishAnswer? {
        if let sequence = sequence(of: request.id, within: count) {
            return .acked(sequence: sequence, isDuplicate: true)
        }
        if pending.contains(where: { $0.request.id == request.id }) { return .unavailable("10158") }
        if request.expected == .anything { return nil }
        if pending.contains(where: { $0.request.subject == request.subject }) { return .unavailable("10164") }
        let last = last(of: request.subject, within: count)
        return ExpectedSequence(last) == request.expected ? nil : .wrongLastSequence(last)
    }

    mutating func commit(_ request: PublishRequest) -> UInt64 {
        let sequence = UInt64(log.count + 1)
        let message = Message(
            sequence: sequence,
            subject: request.subject,
            id: request.id,
            header: request.header,
            body: request.body
        )
        log.append(message)
        sequenceOfID[request.id] = sequence
        places[request.subject, default: []].append(sequence)
        if let all = places[request.subject], all.count > keeps {
            log[Int(all[all.count - 1 - keeps]) - 1].isTrimmed = true
        }
        return sequence
    }

    mutating func purge(_ subject: String, before sequence: UInt64) {
        for place in places[subject] ?? [] where place < sequence { log[Int(place) - 1].isPurged = true }
    }

    /// Forgets the newest messages, although they were acked.
    mutating func rollBack(to count: Int) {
        for message in log[count...] {
            sequenceOfID[message.id] = nil
            places[message.subject]?.removeAll { $0 == message.sequence }
        }
        log.removeSubrange(count...)
        // What was let go for them was not.
        for places in places.values {
            for place in places.suffix(keeps) { log[Int(place) - 1].isTrimmed = false }
        }
        pending = []
        applied = applied.map { min($0, count) }
    }
}
