#if NATS
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// How fast the client is, by command only:
///
///     APUS_NATS_MEASURE=1 swift test --traits NATS -c release -Xswiftc -enable-testing --filter Measurements
///
/// `APUS_NATS_PACKS` says how many packs a cold start reads, if not a million.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["APUS_NATS_MEASURE"] != nil))
struct Measurements {
    @Test(arguments: [(1, ""), (1, "sync_interval: always"), (3, ""), (3, "sync_interval: always")])
    func publishesWithOneInFlightPerTopic(_ count: Int, _ jetStream: String) async throws {
        try await withServers(count, jetStream: jetStream) { servers in
            try await withConnection(count == 1 ? .single(servers) : .cluster(servers)) { connection in
                try await connection.ensureStreams()
                for topics in [16, 1000] {
                    let rate = try await Publishers(connection, topics: topics, bytes: 200).run(for: .seconds(5))
                    print("\(count) servers, \(jetStream.isEmpty ? "default" : jetStream), \(topics) topics: \(rate)")
                }
            }
        }
    }

    @Test func aColdStartReadsEverything() async throws {
        let environment = ProcessInfo.processInfo.environment
        let packs = environment["APUS_NATS_PACKS"].flatMap { Int($0) } ?? 1_000_000
        try await withServers(1, jetStream: "") { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let publishers = Publishers(connection, topics: 2000, bytes: 200)
                let written = ContinuousClock.now
                _ = try await publishers.run(for: .seconds(300), until: packs)
                print("\(packs) packs published in \(ContinuousClock.now - written)")
                let start = ContinuousClock.now
                let counts = (0..<8).map { Counter(connection, "apus_\($0)") }
                try await waitUntil("all came") { counts.reduce(0) { $0 + $1.count } >= packs }
                let time = (ContinuousClock.now - start) / .seconds(1)
                print("\(packs) packs read in \(time) s: \(Int(Double(packs) / time))/s")
            }
        }
    }
}

/// Counts what a reader has, and keeps nothing.
private final class Counter: Sendable {
    private let state = Mutex(0)
    private let reader = Mutex<StreamReader?>(nil)
    private let queue = DispatchQueue(label: "reader")

    init(_ connection: NATSConnection, _ stream: String) {
        let reader = connection.read(stream, from: 1) { [weak self, queue] in
            queue.async { [weak self] in self?.take() }
        }
        self.reader.withLock { $0 = reader }
        queue.async { self.take() }
    }

    var count: Int { state.withLock { $0 } }

    private func take() {
        guard let reader = reader.withLock({ $0 }) else { return }
        while case let events = reader.take(atMost: 1000), !events.isEmpty {
            let messages = events.count { if case .message = $0 { true } else { false } }
            state.withLock { $0 += messages }
        }
    }
}

/// Topics that each publish a message as soon as the one before is acknowledged.
private final class Publishers: Sendable {
    private let connection: NATSConnection
    private let topics: Int
    private let body: ByteBuffer
    private let state = Mutex<(acked: Int, under: Int, times: [Int64], isOver: Bool)>((0, 0, [], false))

    init(_ connection: NATSConnection, topics: Int, bytes: Int) {
        self.connection = connection
        self.topics = topics
        body = ByteBuffer(repeating: 65, count: bytes)
    }

    func run(for duration: Duration, until count: Int = .max) async throws -> String {
        let start = ContinuousClock.now
        for topic in 0..<topics { publish(topic, .noMessage, 0) }
        while ContinuousClock.now - start < duration, state.withLock({ $0.acked }) < count {
            try await Task.sleep(for: .milliseconds(50))
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let acked = state.withLock { state in
            state.isOver = true
            return state.acked
        }
        try await waitUntil("the last are answered") { state.withLock { $0.under } == 0 }
        let times = state.withLock { $0.times.sorted() }
        let (middle, late) = (times[times.count / 2], times[times.count * 99 / 100])
        return "\(Int(Double(acked) / seconds)) packs/s, p50 \(middle) µs, p99 \(late) µs"
    }

    private func publish(_ topic: Int, _ expectation: StreamPublish.Expectation, _ number: Int) {
        let goesOn = state.withLock { state in
            if !state.isOver { state.under += 1 }
            return !state.isOver
        }
        guard goesOn else { return }
        let stream = topic % 8
        let message = StreamPublish(
            subject: "apus.\(stream).m\(topics)x\(topic)",
            headers: [NATSHeader("Apus-Pack", "m 1 k3j9x1 \(number) 1 1764519000123 90210 0f1e-9c")],
            body: body,
            id: "\(topics)-\(topic)-\(number)",
            stream: "apus_\(stream)",
            expectation: expectation
        )
        let start = NATSConnection.now
        connection.publish(message, timeout: .seconds(20)) { [self] result in
            let time = Int64((NATSConnection.now - start) / 1000)
            guard case .acked(_, let sequence, _) = result else {
                Issue.record("\(result)")
                return state.withLock { $0.under -= 1 }
            }
            state.withLock { state in
                state.under -= 1
                state.acked += 1
                state.times.append(time)
            }
            publish(topic, .last(sequence), number + 1)
        }
    }
}
#endif
