#if NATS
import ApusProtocol
import ApusSockets
import DequeModule
import Dispatch
import Foundation
package import NIOCore
import Synchronization

/// A connection to one server of several, and to another one whenever it ends, without end.
///
/// ```
///  any thread ──request──► work ──► sender thread ──► Link (libnats) ──► server
///      ▲                                                                  │
///      └── completion ◄── RequestTable ◄── libnats thread of the inbox ◄──┘   StreamReader ◄── one libnats thread each
///                              ▲
///                              └── clock thread: time-outs, silent readers
/// ```
///
/// Sending may block, so only the sender thread sends, connects and closes. Nothing is kept for a later connection:
/// without one, and when one ends, requests are answered `disconnected`. All that waits is bounded by
/// ``NATSSettings/Limit/outstanding`` and ``NATSSettings/Limit/outstandingBytes``; a further request is answered
/// `tooMany`.
///
/// Has to be closed, which ends its threads.
package final class NATSConnection: Sendable {
    struct State {
        var work = Deque<LinkWork>()
        var requests = RequestTable(
            capacity: NATSSettings.Limit.outstanding,
            mostBytes: NATSSettings.Limit.outstandingBytes
        )
        var readers: [UInt64: StreamReader] = [:]
        var lastReader: UInt64 = 0
        var listeners: [String: Listener] = [:]
        var server: NATSServer?
        /// What a server complained about last.
        var complaint: String?
        /// The newest connection that libnats has told the end of.
        var ended: UInt64 = 0
        var isOver = false
    }

    let state = Mutex(State())
    let settings: NATSSettings
    /// What all reply subjects of this connection begin with.
    let inbox = "_INBOX.\(RandomName.make())"
    private let waiting = DispatchSemaphore(value: 0)
    private let clockEnd = DispatchSemaphore(value: 0)
    let tell: @Sendable (NATSEvent) -> Void

    /// How late a time-out may come.
    package static let tick = Duration.milliseconds(50)

    /// Starts the threads; ``connect()`` connects.
    package init(_ settings: NATSSettings, events: @escaping @Sendable (NATSEvent) -> Void = { _ in }) {
        self.settings = settings
        tell = events
        let sender = Thread { [self] in
            ThreadPriority.takeFromProcess()
            LinkSender(self).run()
        }
        sender.name = "apus-nats"
        sender.start()
        let clock = Thread { [self] in
            ThreadPriority.takeFromProcess()
            while clockEnd.wait(timeout: .now() + .milliseconds(50)) == .timedOut { expire() }
        }
        clock.name = "apus-nats-clock"
        clock.start()
    }

    /// Connects to the first server that lets it. From then on the connection is restored whenever it ends.
    ///
    /// - Throws: if there is none, what is most telling about them.
    package func connect() async throws(NATSFailure) {
        let failure = await withCheckedContinuation { continuation in
            add(.connect { continuation.resume(returning: $0) })
        }
        if let failure { throw failure }
    }

    /// The server; `nil` while there is none.
    package var server: NATSServer? { state.withLock { $0.server } }

    /// What a server complained about last: a subject that is not allowed, for example.
    package var complaint: String? { state.withLock { $0.complaint } }

    /// How many requests wait for an answer.
    package var outstanding: Int { state.withLock { $0.requests.count } }

    /// Leaves a server, and takes another one if there is any.
    ///
    /// Does nothing if the connection has gone to another server meanwhile.
    package func leave(_ server: NATSServer) {
        add(.leave(generation: server.generation))
    }

    /// Closes the connection and ends the threads. What waits is answered `disconnected`.
    package func close() async {
        await withCheckedContinuation { continuation in
            add(.end { continuation.resume() })
        }
    }

    /// Sends a message to a subject, and gives `completion` the first answer, on any thread.
    ///
    /// - Parameters:
    ///   - timeout: after which no answer is waited for.
    ///   - gathers: waits until then for as many answers as come.
    ///   - endsWithStatus: one of them with a status is the last one.
    package func request(
        _ subject: String,
        headers: [NATSHeader] = [],
        body: ByteBuffer = ByteBuffer(),
        timeout: Duration,
        gathers: Bool = false,
        endsWithStatus: Bool = false,
        completion: @escaping @Sendable (NATSAnswer) -> Void
    ) {
        let deadline = Self.now + UInt64(timeout.wholeMilliseconds) * 1_000_000
        let size = NATSHeader.size(of: headers) + body.readableBytes
        let refusal: NATSAnswer? = state.withLock { state in
            guard let server = state.server, !state.isOver else { return .disconnected }
            guard size <= server.maxPayload else { return .tooLarge(limit: server.maxPayload) }
            let number = state.requests.add(
                deadline: deadline,
                bytes: size,
                gathers: gathers,
                endsWithStatus: endsWithStatus,
                completion: completion
            )
            guard let number else { return .tooMany }
            let message = OutgoingMessage(subject: subject, headers: headers, body: body, number: number)
            state.work.append(.send(message, generation: server.generation))
            return nil
        }
        if let refusal { completion(refusal) } else { waiting.signal() }
    }

    /// The same, for who waits.
    package func request(
        _ subject: String,
        headers: [NATSHeader] = [],
        body: ByteBuffer = ByteBuffer(),
        timeout: Duration,
        gathers: Bool = false
    ) async -> NATSAnswer {
        await withCheckedContinuation { continuation in
            request(subject, headers: headers, body: body, timeout: timeout, gathers: gathers) {
                continuation.resume(returning: $0)
            }
        }
    }

    /// Sends an empty message for which there is no answer.
    func send(to subject: String) {
        let isSent = state.withLock { state in
            guard let server = state.server else { return false }
            let message = OutgoingMessage(subject: subject, headers: [], body: ByteBuffer(), number: nil)
            state.work.append(.send(message, generation: server.generation))
            return true
        }
        if isSent { waiting.signal() }
    }

    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

// MARK: What its threads call

extension NATSConnection {
    func add(_ work: LinkWork) {
        let isOver = state.withLock { state in
            if !state.isOver { state.work.append(work) }
            return state.isOver
        }
        if isOver { work.refuse() } else { waiting.signal() }
    }

    func wakeSender() { waiting.signal() }

    /// Waits until there is something to do, or a time has come. A request that nobody waits for any more is not sent.
    func nextWork(until time: DispatchTime?) -> LinkWork? {
        if let time { _ = waiting.wait(timeout: time) } else { waiting.wait() }
        return state.withLock { state in
            while let work = state.work.popFirst() {
                if case .send(let message, _) = work, let number = message.number, !state.requests.isWaiting(number) {
                    continue
                }
                return work
            }
            return nil
        }
    }

    /// The answer to a request has come: `subject` is where it was sent to.
    func answer(_ message: borrowing OwnedMessage) {
        let isNobody = message.saysNoResponders
        let copy = message.copied()
        guard let number = UInt64(Substring(copy.subject.utf8.dropFirst(inbox.utf8.count + 1))) else { return }
        let completion = state.withLock { state in
            isNobody ? state.requests.take(number) : state.requests.take(number, answeredBy: copy)
        }
        completion?(isNobody ? .noResponders : .answered(copy))
    }

    /// A message could not be sent.
    func refuse(_ number: UInt64?) {
        guard let number else { return }
        state.withLock { $0.requests.take(number) }?(.disconnected)
    }

    /// A server complains.
    func heard(_ complaint: String) {
        state.withLock { $0.complaint = complaint }
        tell(.complaint(complaint))
    }

    /// A connection is there. Returns whether it still is.
    func began(_ server: NATSServer) -> Bool {
        let isThere = state.withLock { state in
            guard state.ended < server.generation else { return false }
            state.server = server
            return true
        }
        if isThere { tell(.connected(server)) }
        return isThere
    }

    /// A connection has ended, by itself or because it was left.
    func ended(_ generation: UInt64, reason: String) {
        let (wasThere, requests, readers) = state.withLock { state in
            state.ended = max(state.ended, generation)
            guard state.server?.generation == generation else {
                return (false, [RequestTable.Completion](), [StreamReader]())
            }
            state.server = nil
            state.work.append(.lost(generation: generation))
            let readers = [StreamReader](state.readers.values)
            state.readers.removeAll()
            return (true, state.requests.takeAll(), readers)
        }
        guard wasThere else { return }
        for completion in requests { completion(.disconnected) }
        for reader in readers { reader.end(.disconnected) }
        tell(.disconnected(reason: reason))
        waiting.signal()
    }

    /// Marks the connection as closed, and answers all that still wants to be done.
    func finish() {
        clockEnd.signal()
        let work = state.withLock { state in
            state.isOver = true
            defer { state.work.removeAll() }
            return state.work
        }
        for item in work { item.refuse() }
        tell(.closed)
    }

    private func expire() {
        let (expired, readers) = state.withLock { state in
            (state.requests.takeExpired(now: Self.now), [StreamReader](state.readers.values))
        }
        for (completion, answer) in expired { completion(answer) }
        for reader in readers { reader.checkSilence(now: Self.now) }
    }
}

/// Names that nobody else has.
enum RandomName {
    private static let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

    static func make() -> String {
        String((0..<22).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }
}
#endif
