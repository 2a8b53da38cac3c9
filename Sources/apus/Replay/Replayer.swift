import ApusClient
import ApusProtocol
import Synchronization

/// Publishes events again, each when it is due, many on their way at a time.
///
/// At most ``Publisher/window`` messages are unanswered. Each holds a permit, which its answer returns.
final class Replayer: Sendable {
    struct Settings: Sendable {
        var target: String?
        var filter = EventFilter()
        var keepsIDs = false
        var limit: Int?
    }

    struct Progress: Sendable {
        var publishing = PublishProgress()
        /// Events that the filter left out.
        var skipped = 0
        var fraction: Double?
    }

    private enum Sent: Sendable {
        case receipt(line: Int, topic: String, ApusClient.Receipt)
        case refused(line: Int, reason: String)
    }

    private let client: ApusClient
    private let settings: Settings
    private let maker: TopicMaker?
    private let state = Mutex(Progress())

    init(client: ApusClient, settings: Settings, maker: TopicMaker?) {
        self.client = client
        self.settings = settings
        self.maker = maker
    }

    var progress: Progress { state.withLock { $0 } }

    /// Publishes everything, or what is read until `interrupts` has an element. Returns when all messages are answered.
    func run(_ source: ReplaySource, _ pace: ReplayPace, _ interrupts: AsyncStream<Void>) async throws {
        let (permits, answered) = AsyncStream.makeStream(of: Void.self)
        let (sent, sending) = AsyncStream.makeStream(of: Sent.self)
        for _ in 0..<Publisher.window { answered.yield() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { sending.finish() }
                try await self.sendUntilInterrupted(source, pace, permits, sending, interrupts)
            }
            group.addTask { try await self.collect(sent, answered) }
            // The first error ends the other task too.
            try await group.waitForAll()
        }
    }

    private func sendUntilInterrupted(
        _ source: ReplaySource,
        _ pace: ReplayPace,
        _ permits: AsyncStream<Void>,
        _ sending: AsyncStream<Sent>.Continuation,
        _ interrupts: AsyncStream<Void>
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await self.send(source, pace, permits, to: sending)
                } catch let error where Task.isCancelled {
                    // What was read is being published; the rest is not wanted any more.
                    _ = error
                }
            }
            group.addTask {
                for await _ in interrupts { break }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    // MARK: Sending

    private func send(
        _ source: ReplaySource,
        _ pace: ReplayPace,
        _ permits: AsyncStream<Void>,
        to sent: AsyncStream<Sent>.Continuation
    ) async throws {
        var (source, pace) = (source, pace)
        var permits = permits.makeAsyncIterator()
        var taken = 0
        var made: Set<String> = []
        let start = ContinuousClock.now
        while taken < settings.limit ?? .max, let item = try await source.next() {
            let fraction = source.fraction
            state.withLock { $0.fraction = fraction }
            guard case .event(let event, let line) = item else {
                if case .bad(let line, let reason) = item {
                    await permits.next()
                    sent.yield(.refused(line: line, reason: reason))
                }
                continue
            }
            guard settings.filter.takes(event.subject) else {
                state.withLock { $0.skipped += 1 }
                continue
            }
            taken += 1
            if let due = pace.next(event.milliseconds) { try await Task.sleep(until: start + due, clock: .continuous) }
            let topic = settings.target ?? event.topic
            if let maker, made.insert(topic).inserted { try await maker.make(topic) }
            await permits.next()
            try Task.checkCancellation()
            sent.yield(try publish(event, to: topic, line: line))
        }
    }

    private func publish(_ event: ReplayEvent, to topic: String, line: Int) throws -> Sent {
        do throws(ClientError) {
            let id = settings.keepsIDs && !event.id.isEmpty ? event.id : nil
            let receipt = try client.enqueue(topic, event.payload, id: id, key: event.key, wantsOutcome: false)
            return .receipt(line: line, topic: topic, receipt)
        } catch {
            // A message that is known to be too large, for example, fails alone.
            if Publisher.isFinal(error) { throw error }
            return .refused(line: line, reason: CommandFailure(endedBy: error).message)
        }
    }

    // MARK: Answers

    private func collect(_ sent: AsyncStream<Sent>, _ answered: AsyncStream<Void>.Continuation) async throws {
        for await message in sent {
            switch message {
            case .refused(let line, let reason):
                state.withLock { $0.publishing.refuse(line: line, reason: reason) }
            case .receipt(let line, let topic, let receipt):
                do throws(ClientError) {
                    _ = try await receipt.outcome()
                    state.withLock { $0.publishing.acked() }
                } catch {
                    if Publisher.isFinal(error) { throw CommandFailure(error, topic: topic) }
                    let reason = CommandFailure(error, topic: topic).message
                    state.withLock { $0.publishing.refuse(line: line, reason: reason) }
                }
            }
            answered.yield()
        }
    }
}
