import ApusProtocol
import NIOCore

/// The messages that a task publishes. The publisher may have to wait. It lives on its loop.
final class LocalPublisher: WaitingPublisher, CommitWaiter {
    struct Messages: Sendable {
        var topic: String
        /// The JSON of all messages, concatenated.
        var bytes = ByteBuffer()
        var ranges: [Range<Int>] = []
        var ids: [String] = []
        var keyJSON: [UInt8]?
        /// In milliseconds.
        var ttl: Int64?
    }

    private let messages: Messages
    private let origin: UInt32
    private let hub: Hub
    private let clock: () -> Moment
    /// Called once.
    private var done: ((Result<PubSub.Outcome, BrokerError>) -> Void)?
    private var waitsFor: Topic?
    /// What is published once it is kept.
    private var uncommitted: (receipt: PublishReceipt, epoch: String, time: Timestamp)?

    init(
        _ messages: Messages,
        origin: UInt32,
        hub: Hub,
        clock: @escaping () -> Moment,
        done: @escaping (Result<PubSub.Outcome, BrokerError>) -> Void
    ) {
        self.messages = messages
        self.origin = origin
        self.hub = hub
        self.clock = clock
        self.done = done
    }

    func publishAgain() {
        waitsFor = nil
        let time = Timestamp(clock())
        let result = publish(time)
        guard let topic = result.topic else {
            return finish(.failure(.noTopic(named: messages.topic, toPublish: true)))
        }
        switch result.outcome {
        case .published(let receipt):
            finish(.success(PubSub.Outcome(receipt, epoch: topic.epoch, time: time)))
        case .uncommitted(let receipt):
            uncommitted = (receipt, topic.epoch, time)
            hub.wait(self, for: hub.newestCommit)
        case .throttled, .held:
            waitsFor = topic
            hub.wait(self, for: topic, result.outcome)
        case .rateLimited(let wait):
            finish(.failure(.rateLimited(topic: topic.name, wait: wait)))
        case .needsPublication, .deleted:
            finish(.failure(.noTopic(named: messages.topic, toPublish: true)))
        }
    }

    private func publish(_ time: Timestamp) -> PublishResult {
        messages.bytes.withUnsafeReadableBytes { bytes in
            let publications = zip(messages.ranges, messages.ids).map { range, id in
                Publication(
                    message: UnsafeRawBufferPointer(rebasing: bytes[range]),
                    id: id,
                    keyJSON: messages.keyJSON,
                    ttl: messages.ttl
                )
            }
            var name = messages.topic
            return name.withUTF8 { name in
                hub.publish(publications, toTopicNamed: UnsafeRawBufferPointer(name), time: time, origin: origin)
            }
        }
    }

    func settled(_ commit: Commit, _ result: Commit.Outcome) {
        guard let (receipt, epoch, time) = uncommitted else { return }
        let settled = commit.relocation?.settled(receipt) ?? receipt
        switch result {
        case .kept: finish(.success(PubSub.Outcome(settled, epoch: epoch, time: time)))
        case .failed(let failure): finish(.failure(BrokerError(.notKept, failure.message)))
        }
    }

    /// Stops waiting, because the waiting task was cancelled. What a journal has begun to keep is published all the
    /// same.
    func cancel() {
        guard uncommitted == nil else { return }
        if let topic = waitsFor.take() { hub.stopWaiting(self, for: topic) }
        finish(.failure(BrokerError(.cancelled, "The publish was cancelled while it waited")))
    }

    private func finish(_ result: Result<PubSub.Outcome, BrokerError>) {
        done.take()?(result)
    }
}
