import ApusBroker
import ApusProtocol

extension PubSubSession {
    /// Handles a plain publish: one message, and an ack that only says it was accepted.
    ///
    /// - Returns: `false` when the publisher has to wait.
    func publish(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        let body = UnsafeRawBufferPointer(rebasing: message[command.message])
        let result = withName(command.topic, in: message) { name in
            context.hub.publish(body, toTopicNamed: name, time: context.now, origin: origin)
        }
        guard let topic = result.topic else {
            let isMade = makeTopic(of: command, in: message, requestID: requestID)
            return isMade ? publish(command, in: message, requestID: requestID) : true
        }
        switch result.outcome {
        case .needsPublication:
            return publish(PublishExtensions(), of: command, in: message, requestID: requestID)
        case .throttled, .held:
            return wait(for: topic, result.outcome)
        case .published, .deleted:
            acknowledge(topic.template.topicJSON, requestID: requestID)
            return true
        }
    }

    /// Handles a publish with fields beyond the plain contract.
    func publishExtended(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        let maxBatch = context.settings.limits.maxBatch
        switch context.scanner.publishExtensions(of: command, in: message, dialect: dialect, maxBatch: maxBatch) {
        case .failure(let error):
            refuse(error, in: message)
            return true
        case .success(let extensions):
            isExtended = isExtended || extensions.isUsed
            return publish(extensions, of: command, in: message, requestID: requestID)
        }
    }

    private func publish(
        _ extensions: PublishExtensions,
        of command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        let messages =
            extensions.messages
            ?? [
                PublishExtensions.Message(
                    range: command.message,
                    id: context.scanner.messageID(of: command, in: message)
                )
            ]
        let keyJSON = extensions.key.map { Array(jsonString($0).utf8) }
        let publications = messages.map { element in
            Publication(
                message: UnsafeRawBufferPointer(rebasing: message[element.range]),
                id: text(element.id, in: message),
                keyJSON: keyJSON,
                ttl: extensions.ttl
            )
        }
        let result = withName(command.topic, in: message) { name in
            context.hub.publish(publications, toTopicNamed: name, time: context.now, origin: origin)
        }
        guard let topic = result.topic else {
            let isMade = makeTopic(of: command, in: message, requestID: requestID)
            return isMade ? publish(extensions, of: command, in: message, requestID: requestID) : true
        }
        guard case .published(let receipt) = result.outcome else { return wait(for: topic, result.outcome) }
        var members = extensions.messages == nil ? "" : #","count":\#(messages.count)"#
        if extensions.outcome { members += Self.members(of: receipt, epoch: topic.epoch) }
        encoder.ack(
            requestID: requestID,
            topicJSON: topic.template.topicJSON,
            members: members,
            time: context.now,
            to: &context.replies
        )
        return true
    }

    /// The fields of an ack that say where the messages were stored.
    static func members(of receipt: PublishReceipt, epoch: String) -> String {
        var members = #","epoch":"\#(epoch)","offset":\#(receipt.offset),"subscribers":\#(receipt.subscribers)"#
        members += #","stored":"memory","duplicate":\#(receipt.isDuplicate)"#
        if receipt.count > 0, receipt.duplicates > 0 { members += #","duplicates":\#(receipt.duplicates)"# }
        return members
    }

    private func wait(for topic: Topic, _ outcome: PublishOutcome) -> Bool {
        throttledBy = topic
        context.hub.wait(self, for: topic, outcome)
        return false
    }

    /// Creates the missing topic of a publish if the configuration allows it, and refuses the command otherwise.
    private func makeTopic(
        of command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        do throws(BrokerError) {
            try context.makeTopicToPublish(named: text(command.topic, in: message))
            return true
        } catch {
            reply(error.wireCode, error.message, requestID: requestID)
            return false
        }
    }
}
