import ApusClient
import ApusProtocol
import NIOCore
import Synchronization

/// Follows a subscription: prints its events, reports its notices, and stores its position.
final class SubscriptionPrinter: Sendable {
    /// The most events in one write.
    static let batch = 256
    /// How long printing the events that arrived before a signal may take.
    private static let stopTimeout = Duration.seconds(2)

    private struct State {
        var subscription: ApusClient.Subscription?
        var isStopped = false
    }

    /// The topics that were deleted while the client was connected, until they exist again.
    private struct Deletions {
        private(set) var topics: Set<String> = []
        private(set) var last: String?

        mutating func note(_ notice: ApusClient.Notice) {
            switch notice.kind {
            case .topicDeleted:
                topics.insert(notice.topic)
                last = notice.topic
            case .topicCreated:
                topics.remove(notice.topic)
            default:
                break
            }
        }
    }

    private let topics: [String]
    private let options: ApusClient.SubscribeOptions
    private let resume: ResumeFile?
    private let printer: EventPrinter
    /// Creates missing topics, if the user asked for that.
    let maker: TopicMaker?
    private let state = Mutex(State())

    /// Which events are printed; all of them without a filter.
    private let filter: EventFilter?
    private let say: @Sendable (String) -> Void

    init(
        topics: [String],
        options: ApusClient.SubscribeOptions,
        resume: ResumeFile? = nil,
        printer: EventPrinter,
        maker: TopicMaker? = nil,
        filter: EventFilter? = nil,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.topics = topics
        self.options = options
        self.resume = resume
        self.printer = printer
        self.maker = maker
        self.filter = filter
        self.say = say
    }

    /// Runs until `limit` events are printed, the reader of standard output is gone, or a signal arrives.
    func follow(_ client: ApusClient, limit: Int?, _ interrupts: AsyncStream<Void>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.run(client, limit: limit) }
            if let maker { group.addTask { await maker.run() } }
            group.addTask { try await StandardOutput.waitUntilClosed() }
            group.addTask {
                // Ends with the first signal.
                for await _ in interrupts { break }
                try Task.checkCancellation()
                await self.stop()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Runs until `limit` events are printed or `stop()` is called. Throws if the server refuses a topic, or if the
    /// last topic is deleted.
    private func run(_ client: ApusClient, limit: Int?) async throws {
        let subscription = try await subscribe(client)
        let isStopped = state.withLock { state in
            state.subscription = subscription
            return state.isStopped
        }
        if isStopped { return }
        var resume = resume
        // The start positions are known before the first event, so a restart misses nothing from now on.
        try resume?.save(subscription.positions)
        var left = limit ?? Int.max
        var deleted = Deletions()
        while left > 0 {
            // All events that are there go out in one write, so no line waits for another.
            let deliveries = try await subscription.nextBatch(limit: min(left, Self.batch))
            if deliveries.isEmpty { return try finish(deleted: deleted.last) }
            var output = ByteBuffer()
            for delivery in deliveries {
                switch delivery {
                case .event(let event):
                    if filter?.takes(event) == false { continue }
                    output.writeString(printer.line(for: event))
                    left -= 1
                case .notice(let notice):
                    deleted.note(notice)
                    // Do not recreate a topic that somebody deleted.
                    if notice.kind == .waiting, !deleted.topics.contains(notice.topic) { maker?.want(notice.topic) }
                    report(notice)
                }
            }
            if output.readableBytes > 0 { try await StandardOutput.write(output) }
            subscription.markHandled()
            try resume?.save(subscription.positions)
        }
        await subscription.unsubscribe()
    }

    private func subscribe(_ client: ApusClient) async throws -> ApusClient.Subscription {
        let starts = resume?.positions.mapValues(ApusClient.Start.after) ?? [:]
        for topic in topics { try await maker?.make(topic) }
        do throws(ClientError) {
            return try await client.subscribe(to: topics, options, starts: starts)
        } catch {
            guard let maker, error.problem?.code == ErrorCode.topicNotFound.rawValue else { throw error }
            // The server has just restarted.
            for topic in topics { try await maker.make(topic) }
            return try await client.subscribe(to: topics, options, starts: starts)
        }
    }

    /// Ends the subscription on the server. Returns when the events that have arrived should be printed.
    private func stop() async {
        let subscription = state.withLock { state in
            state.isStopped = true
            return state.subscription
        }
        guard let subscription else { return }
        await subscription.unsubscribe()
        try? await Task.sleep(for: Self.stopTimeout)
    }

    private func finish(deleted: String?) throws {
        if state.withLock(\.isStopped) { return }
        guard let deleted else { throw CommandFailure("the subscription ended") }
        throw CommandFailure("topic '\(deleted)' was deleted; nothing is left to wait for")
    }

    private func report(_ notice: ApusClient.Notice) {
        // The deletion of the last topic ends the command, which reports it.
        let isEnd = notice.kind == .topicDeleted && topics.count == 1 && notice.topic == topics.first
        if isEnd, !options.waitsForTopic { return }
        say(Self.text(of: notice))
    }

    private static func text(of notice: ApusClient.Notice) -> String {
        let topic = notice.topic
        switch notice.kind {
        case .dropped(let count, let offsets):
            let which = offsets.map { ", offsets \($0.lowerBound) to \($0.upperBound)" } ?? ""
            return "\(counted(count, "message")) of '\(topic)' dropped\(which): this reader is too slow"
        case .gap(.missed(let offsets)):
            let count = counted(offsets.count, "message")
            return "\(count) of '\(topic)' lost, offsets \(offsets.lowerBound) to \(offsets.upperBound): no longer kept"
        case .gap(.newEpoch):
            return "'\(topic)' began anew: what it had after the position is lost"
        case .gap(.unknown):
            return "messages of '\(topic)' may be lost: the connection was"
        case .topicDeleted:
            return "topic '\(topic)' was deleted"
        case .waiting:
            return "topic '\(topic)' is not there; waiting for it"
        case .topicCreated:
            return "topic '\(topic)' is there"
        case .slowConsumerWarning(let lag, let queue):
            return "\(counted(lag, "message")) of '\(topic)' wait for this reader; at \(queue) it is disconnected"
        case .joined(let clientID):
            return "'\(clientID)' subscribed to '\(topic)'"
        case .left(let clientID):
            return "'\(clientID)' left '\(topic)'"
        }
    }
}
