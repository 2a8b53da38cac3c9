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
            if mustFindTopic(of: command, in: message) { return false }
            let refusal = makeTopic(of: command, in: message, requestID: requestID)
            if refusal == nil { return publish(command, in: message, requestID: requestID) }
            limiter?.giveBackPublish(messages: 1, bytes: command.message.count)
            return true
        }
        switch result.outcome {
        // A topic with a rate takes publications only.
        case .needsPublication, .rateLimited:
            stageLimit = 1
            return publish(PublishExtensions(), of: command, in: message, requestID: requestID)
        case .throttled, .held:
            wait(for: topic, result.outcome)
            return false
        case .uncommitted:
            if stageLimit == 1 { stageLimit = 2 }
            acknowledge(later: context.hub.newestCommit, acks: 1) {
                acknowledge(topic.template.topicJSON, requestID: requestID)
            }
            return true
        case .published, .deleted:
            if stageLimit == 1 { stageLimit = 2 }
            acknowledge(topic.template.topicJSON, requestID: requestID)
            return true
        }
    }

    /// Stages a plain publish. Commits what is staged when that is enough, or for another topic.
    ///
    /// - Parameter isNext: whether it goes to the topic of what is staged.
    /// - Returns: the first command that has to wait.
    func stage(
        _ command: Command,
        to name: UnsafeRawBufferPointer,
        isNext: Bool,
        in message: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        if !isNext, let first = commit() { return first }
        context.staged.append(
            message,
            requestID: command.requestID.map { UnsafeRawBufferPointer(rebasing: message[$0]) },
            message: UnsafeRawBufferPointer(rebasing: message[command.message]),
            topic: name
        )
        return context.staged.count < stageLimit ? nil : commit()
    }

    func commit() -> UnsafeRawBufferPointer? {
        guard !context.staged.isEmpty else { return nil }
        let result = context.hub.publish(context.staged, time: context.now, origin: origin)
        let count = result?.count ?? 0
        if count > 0, let result {
            acknowledge(later: result.commit, acks: count) {
                for index in 0..<count {
                    let requestID = context.staged.entries[index].requestID
                    acknowledge(result.topic.template.topicJSON, requestID: requestID)
                }
            }
            context.counters.count(.publish, count)
        }
        guard count < context.staged.count else {
            context.staged.removeAll()
            stageLimit = min(stageLimit * 2, StagedPublishes.limit)
            return nil
        }
        let rest = context.staged.entries[count...]
        context.staged.removeAll()
        stageLimit = 1
        limiter?.prepay(rest.count)
        if let topic = result?.topic, let refusal = result?.refusal, refusal == .throttled || refusal == .held {
            wait(for: topic, refusal)
            return rest.first?.command
        }
        // One by one, each gets what it needs: a publication with an id, another topic, or an error.
        for entry in rest where connection.phase == .open {
            if let first = received(entry.command, isText: true, mayStage: false) { return first }
        }
        return nil
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
            guard limiter == nil || charge(extensions, of: command, requestID: requestID) else { return true }
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
        let keyJSON = extensions.key.map { jsonBytes($0) }
        let span = extensions.trace.flatMap { beginSpan(of: messages, after: $0, in: message) }
        let publications = messages.map { element in
            Publication(
                message: UnsafeRawBufferPointer(rebasing: message[element.range]),
                id: text(element.id, in: message),
                keyJSON: keyJSON,
                ttl: extensions.ttl,
                trace: span?.trace ?? extensions.trace
            )
        }
        let result = withName(command.topic, in: message) { name in
            context.hub.publish(publications, toTopicNamed: name, time: context.now, origin: origin)
        }
        guard let topic = result.topic else {
            if mustFindTopic(of: command, in: message) {
                keep(span, to: jsonBytes(text(command.topic, in: message)))
                return false
            }
            guard let refusal = makeTopic(of: command, in: message, requestID: requestID) else {
                return publish(extensions, of: command, in: message, requestID: requestID)
            }
            fail(span, of: command.topic, in: message, refusal)
            giveBack(extensions, of: command)
            return true
        }
        let receipt: PublishReceipt
        var commit: Commit?
        switch result.outcome {
        case .published(let published): receipt = published
        case .uncommitted(let published): (receipt, commit) = (published, context.hub.newestCommit)
        case .rateLimited(let wait):
            giveBack(extensions, of: command)
            let error = BrokerError.rateLimited(topic: topic.name, wait: wait)
            fail(span, of: command.topic, in: message, .rateLimited)
            reply(.rateLimited, error.message, retryAfter: wait, requestID: requestID)
            return true
        case .throttled, .held, .needsPublication, .deleted:
            keep(span, to: topic.template.topicJSON)
            wait(for: topic, result.outcome)
            return false
        }
        if let span { end(span, of: topic, receipt, after: commit) }
        let ack = PublishAck(
            encoder: encoder,
            topicJSON: topic.template.topicJSON,
            count: extensions.messages == nil ? nil : messages.count,
            epoch: extensions.outcome ? topic.epoch : nil,
            time: context.now
        )
        acknowledge(later: commit, acks: 1, again: ack.rewrite(receipt, requestID)) {
            ack.write(receipt, requestID, to: &context.replies)
        }
        return true
    }

    /// Writes acks that the client gets when the commit is kept; `nil` for acks that need not wait.
    ///
    /// - Parameter again: writes the only one of them anew if its offsets have moved when the commit is kept.
    private func acknowledge(later commit: Commit?, acks: Int, again: HeldReplies.Rewrite? = nil, _ write: () -> Void) {
        guard let commit else { return write() }
        connection.sendReplies()
        write()
        connection.hold(for: commit, acks: acks, again: again)
        context.hub.wait(self, for: commit)
    }

    func settled(_ commit: Commit, _ outcome: Commit.Outcome) {
        connection.releaseHeld { failure, requestID, buffer in
            context.counters.errors[.unavailable, default: 0] += 1
            encoder.error(.unavailable, failure.message, requestID: requestID, time: context.now, to: &buffer)
        }
        if context.mayClose { connection.closeIfDrained() }
    }

    private func wait(for topic: Topic, _ outcome: PublishOutcome) {
        stageLimit = 1
        throttledBy = topic
        context.hub.wait(self, for: topic, outcome)
    }

    /// Creates the missing topic of a publish if the configuration allows it, and refuses the command otherwise.
    ///
    /// - Returns: the code of the refusal; `nil` if the topic is there now.
    private func makeTopic(
        of command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> ErrorCode? {
        do throws(BrokerError) {
            try context.makeTopicToPublish(named: text(command.topic, in: message))
            return nil
        } catch {
            return refuse(error, requestID: requestID)
        }
    }

    /// Whether a publish has to wait until it is known whether its topic is there, or until that is created.
    private func mustFindTopic(of command: Command, in message: UnsafeRawBufferPointer) -> Bool {
        guard context.broker.isShared else { return false }
        let name = text(command.topic, in: message)
        return TopicName.isAllowed(name) && mustFind(name, isCreated: context.makesTopicToPublish(named: name))
    }
}
