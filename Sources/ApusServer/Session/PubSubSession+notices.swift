import ApusBroker
import ApusProtocol
import Logging
import NIOCore

// What the hub delivers to a connection.

extension PubSubSession {
    var isWritable: Bool { connection.isWritable }

    func deliver(_ frames: ByteBuffer) {
        if !connection.hasUnflushed { context.hub.flushLater(self) }
        connection.write(frames)
    }

    func flush() {
        connection.flush()
    }

    func lastTaken(now: Int64) -> Int64 { connection.lastTaken(now: now) }

    func notify(_ notice: SubscriberNotice) {
        context.beginBurst()
        switch notice {
        case .messagesDropped(let topic, let count, let range):
            informInOrder(.messagesDropped(topicJSON: topic.template.topicJSON, count: count, range: range))
            context.logger.debug(
                "messages dropped",
                metadata: ["connection.id": "\(connection.id)", "topic": "\(topic.name)", "count": "\(count)"]
            )
        case .topicDeleted(let topic, let byPattern, let waits):
            informInOrder(.topicDeleted(topicJSON: topic.template.topicJSON))
            if context.settings.topics.onDelete == .disconnect, !byPattern, !waits { disconnect(.topicDeleted) }
        case .topicCreated(let topic, let isUnrecovered):
            let topicJSON = topic.template.topicJSON
            informInOrder(.topicCreated(topicJSON: topicJSON, epoch: topic.epoch))
            guard isUnrecovered else { break }
            informInOrder(.notRecovered(topicJSON: topicJSON, epoch: topic.epoch, offset: 0, missed: nil))
        case .slowConsumer(let topic):
            cut(topic)
        case .slowConsumerWarning(let topic, let lag, let queue):
            inform(.slowConsumerWarning(topicJSON: topic.template.topicJSON, lag: lag, queue: queue))
        case .presence(let topic, let hasJoined, let clientID):
            deliver(
                context.lastPresence.frame(
                    of: topic,
                    hasJoined: hasJoined,
                    clientID: clientID,
                    dialect: dialect,
                    time: context.now
                )
            )
        case .presenceDropped(let topic, let count):
            informInOrder(.presenceDropped(topicJSON: topic.template.topicJSON, count: count))
        case .historyUnavailable(let topic):
            tell(.unavailable, "Topic '\(topic.name)': what comes next cannot be read back now")
            disconnect(.overloaded)
        case .overloaded:
            disconnect(.overloaded)
        }
    }

    /// Sends an error that answers no request.
    private func tell(_ code: ErrorCode, _ text: String) {
        var frame = ByteBuffer()
        context.counters.errors[code, default: 0] += 1
        encoder.error(code, text, requestID: nil, time: context.now, to: &frame)
        connection.write(frame)
    }

    private func cut(_ topic: Topic) {
        tell(.slowConsumer, "Topic '\(topic.name)': too far behind")
        context.logger.info(
            "slow consumer cut",
            metadata: ["connection.id": "\(connection.id)", "topic": "\(topic.name)"]
        )
        disconnect(.slowConsumer)
    }

    /// Sends an info message that keeps its order among events.
    private func informInOrder(_ info: InfoMessage) {
        var frame = ByteBuffer()
        encoder.info(info, time: context.now, to: &frame)
        deliver(frame)
    }

    /// Sends an info message that does not wait for events.
    func inform(_ info: InfoMessage) {
        var frame = ByteBuffer()
        encoder.info(info, time: context.now, to: &frame)
        if !connection.hasUnflushed { context.hub.flushLater(self) }
        connection.writeControl(frame)
    }

    func disconnect(_ reason: Disconnect) {
        connection.disconnect(reason)
    }
}
