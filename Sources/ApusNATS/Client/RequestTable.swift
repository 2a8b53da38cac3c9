#if NATS
/// The requests that wait for an answer, by the number at the end of their reply subject.
///
/// Each leaves the table exactly once, with whoever takes it: the answer, the time-out, or the end of the connection.
struct RequestTable: Sendable {
    typealias Completion = @Sendable (NATSAnswer) -> Void

    private struct Waiting {
        let deadline: UInt64
        let completion: Completion
        let bytes: Int
        /// The answers so far, of a question to all servers.
        var answers: [NATSMessage]?
        let endsWithStatus: Bool
    }

    private let capacity: Int
    private let mostBytes: Int
    private var waiting: [UInt64: Waiting] = [:]
    private var bytes = 0
    private var last: UInt64 = 0

    init(capacity: Int, mostBytes: Int) {
        self.capacity = capacity
        self.mostBytes = mostBytes
    }

    var count: Int { waiting.count }

    func isWaiting(_ number: UInt64) -> Bool { waiting[number] != nil }

    /// Adds a request and returns its number; `nil` if too many wait, or those that wait are too large.
    ///
    /// - Parameters:
    ///   - deadline: on the clock that ``takeExpired(now:)`` is told.
    ///   - gathers: whether to wait until the deadline, for as many answers as come.
    ///   - endsWithStatus: whether they end before, with one that has a status.
    mutating func add(
        deadline: UInt64,
        bytes: Int = 0,
        gathers: Bool = false,
        endsWithStatus: Bool = false,
        completion: @escaping Completion
    ) -> UInt64? {
        guard waiting.count < capacity, self.bytes + bytes <= mostBytes else { return nil }
        last += 1
        self.bytes += bytes
        waiting[last] = Waiting(
            deadline: deadline,
            completion: completion,
            bytes: bytes,
            answers: gathers ? [] : nil,
            endsWithStatus: endsWithStatus
        )
        return last
    }

    /// Who gets the answer to a request; `nil` if it was answered, or goes on gathering.
    mutating func take(_ number: UInt64, answeredBy message: NATSMessage) -> Completion? {
        // In its place: the answers must not be copied for each one that comes.
        guard let count = waiting[number]?.answers?.count else { return take(number) }
        let hasRoom = count < NATSSettings.Limit.answers
        if hasRoom { waiting[number]?.answers?.append(message) }
        guard waiting[number]?.endsWithStatus == true, message[header: "Status"] != nil else { return nil }
        let answers = waiting[number]?.answers ?? []
        guard let completion = take(number) else { return nil }
        let all = hasRoom ? answers : answers + [message]
        return { _ in completion(.gathered(all)) }
    }

    /// Takes one request, whatever it gathered.
    mutating func take(_ number: UInt64) -> Completion? {
        guard let request = waiting.removeValue(forKey: number) else { return nil }
        bytes -= request.bytes
        return request.completion
    }

    /// Takes those whose time is over, each with what to tell it.
    mutating func takeExpired(now: UInt64) -> [(completion: Completion, answer: NATSAnswer)] {
        let expired = waiting.filter { $0.value.deadline <= now }
        return expired.map { number, request in
            _ = take(number)
            guard let answers = request.answers, !answers.isEmpty else { return (request.completion, .timedOut) }
            return (request.completion, .gathered(answers))
        }
    }

    mutating func takeAll() -> [Completion] {
        defer {
            waiting.removeAll()
            bytes = 0
        }
        return waiting.values.map(\.completion)
    }
}

/// What became of a request.
package enum NATSAnswer: Sendable {
    case answered(NATSMessage)
    /// Answers of several servers, in the order in which they came.
    case gathered([NATSMessage])
    /// Nobody listens there: for JetStream, that there is no leader, or no such thing.
    case noResponders
    case timedOut
    /// There was no connection, or it ended. Whether the request arrived is unknown.
    case disconnected
    /// It was not sent: headers and body are more than the server takes.
    case tooLarge(limit: Int)
    /// It was not sent: too many requests wait.
    case tooMany
}
#endif
