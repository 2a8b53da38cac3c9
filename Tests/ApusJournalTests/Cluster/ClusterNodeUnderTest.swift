import ApusBroker
import ApusCluster
import ApusJournal
import ApusProtocol
import ApusTesting
import Foundation
import Testing

/// A node of a cluster in this process: its broker with its journal, and a way to publish to it.
final class ClusterNodeUnderTest: Sendable {
    let journal: ClusterJournal
    let broker: MemoryBroker
    let pubsub: PubSub

    /// - Parameter patience: how long publishes and changes wait for the cluster; by default longer than a busy machine
    ///   takes.
    init(
        _ server: LoopbackJetStream,
        _ limits: MemoryBroker.Limits = MemoryBroker.Limits(history: 10_000),
        cluster: ClusterLimits = ClusterLimits(),
        patience: Int64 = 120_000
    ) async throws {
        var timing = ClusterTiming()
        timing.answer = patience
        let journal = ClusterJournal { Self.now }
        let broker = MemoryBroker(limits: limits, journal: journal)
        (self.journal, self.broker) = (journal, broker)
        pubsub = PubSub(sharing: broker, PubSub.Options()) { Self.now }
        let names = try #require(ClusterNames())
        journal.start(names, timing: timing, limits: cluster, broker: broker, link: server.connect())
        try await Self.eventually { journal.status.isReady }
    }

    static var now: Moment {
        let steady = Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000)
        return Moment(wall: Int64(Date().timeIntervalSince1970 * 1000), steady: steady)
    }

    /// Waits for what must come. The suite's time limit ends what does not.
    static func eventually(_ condition: () throws -> Bool) async throws {
        while try !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// Publishes a number.
    @discardableResult
    func publish(_ number: Int, to name: String = "t", id: String? = nil) async throws -> PubSub.Outcome {
        try await pubsub.publish(name, "\(number)", id: id)
    }

    /// What a topic's history holds, and where it begins.
    func history(of name: String = "t") throws -> (epoch: String, first: Offset, messages: [String]) {
        let topic = try #require(broker.topic(named: name))
        let page = try #require(try topic.page(from: .lastN(.max), limit: .max, now: Self.now.steady))
        let messages = page.entries.map { String(decoding: $0.message, as: UTF8.self) }
        return (topic.epoch, page.entries.first?.offset ?? page.last + 1, messages)
    }

    /// Waits until a topic has so many messages.
    func has(_ count: Int, in name: String = "t") async throws {
        try await Self.eventually { broker.topic(named: name)?.publishedCount == UInt64(count) }
    }
}
