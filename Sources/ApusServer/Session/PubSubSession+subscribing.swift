import ApusAccess
import ApusBroker
import ApusProtocol

extension PubSubSession {
    /// - Returns: whether it is done. One that has to wait comes again.
    func subscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        guard let (extensions, request) = subscription(command, in: message, requestID: requestID) else { return true }
        if context.broker.mayBeBehind(request.topic, request.start) {
            if mustFind(request.topic) { return false }
            if let failure = finding?.failure, context.broker.topic(named: request.topic) != nil {
                // Whether the position is gone is not known either.
                refuse(failure, requestID: requestID)
                return true
            }
        }
        do throws(BrokerError) {
            let receipt = try context.hub.subscribe(
                self,
                request,
                defaults: context.settings.delivery.subscription,
                limits: context.settings.limits.subscriptions
            )
            guard extensions.positions || receipt.isWaiting else {
                acknowledge(receipt.topicJSON, requestID: requestID)
                return true
            }
            encoder.ack(
                requestID: requestID,
                topicJSON: receipt.topicJSON,
                members: Self.members(of: receipt),
                time: context.now,
                to: &context.replies
            )
        } catch {
            if error == .topicPending, mustFind(request.topic, isCreated: true) { return false }
            refuse(error, requestID: requestID)
        }
        return true
    }

    /// What a command asks for; `nil` if it was refused.
    private func subscription(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> (SubscribeExtensions, SubscribeRequest)? {
        func refuse(_ code: ErrorCode, _ text: String) -> (SubscribeExtensions, SubscribeRequest)? {
            reply(code, text, requestID: requestID)
            return nil
        }
        let maxQueue = context.settings.limits.maxQueue
        let extensions: SubscribeExtensions
        switch context.scanner.subscribeExtensions(of: command, in: message, maxQueue: maxQueue) {
        case .success(let read): extensions = read
        case .failure(let error):
            self.refuse(error, in: message)
            return nil
        }
        let name = text(command.topic, in: message)
        let isPattern = TopicFilter.isPattern(name)
        guard !isPattern || !extensions.positions && !extensions.wait else {
            let field = extensions.since != nil ? "since" : extensions.positions ? "positions" : "wait"
            return refuse(.badRequest, "'\(field)' needs a topic, not a pattern")
        }
        if let refusal = context.settings.delivery.refusal(of: extensions.overflow) {
            return refuse(.badRequest, refusal)
        }
        if isPattern || extensions.wait { context.roundBudget.spend(RoundBudget.patternCost) }
        isExtended = isExtended || isPattern || extensions.isUsed
        var request = SubscribeRequest(topic: name, clientID: text(command.clientID, in: message))
        request.start = extensions.since ?? .lastN(command.lastN)
        request.queue = extensions.queue
        request.overflow = extensions.overflow
        request.detail = extensions.positions ? .positioned : isPattern || extensions.isUsed ? .keyed : .plain
        request.echo = extensions.echo
        request.presence = extensions.presence
        request.waits = extensions.wait
        request.traces = extensions.trace
        if let client = access?.client {
            do throws(Forbidden) {
                try client.permit(&request)
            } catch {
                return refuse(.forbidden, error.message)
            }
        }
        request.makesTopic = context.settings.topics.createOn.contains(.subscribe)
        return (extensions, request)
    }

    private static func members(of receipt: SubscribeReceipt) -> String {
        JSONWriter.moreMembers { writer in
            guard !receipt.isWaiting else { return writer.member("waiting", true) }
            writer.member("epoch", receipt.epoch)
            writer.member("offset", receipt.offset)
            if let isRecovered = receipt.isRecovered { writer.member("recovered", isRecovered) }
            if let missed = receipt.missed { writer.member("missed", missed) }
        }
    }

    /// - Returns: whether it is done. One that has to wait comes again.
    func unsubscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) -> Bool {
        let name = text(command.topic, in: message)
        // It has no subscription there, and must not learn whether the topic exists.
        if let rights = access?.client.rights, !TopicFilter.isPattern(name), !rights.hasAnyRight(onTopic: name) {
            acknowledge(jsonBytes(name), requestID: requestID)
            return true
        }
        // Messages published before go out before the ack of the unsubscribe, and after the acks before it.
        connection.sendReplies()
        do throws(BrokerError) {
            let clientID = text(command.clientID, in: message)
            let topicJSON = try context.hub.unsubscribe(self, from: name, clientID: clientID)
            connection.keepRepliesInOrder()
            acknowledge(topicJSON, requestID: requestID)
        } catch {
            if error.code == .topicNotFound, context.broker.isShared, mustFind(name) { return false }
            refuse(error, requestID: requestID)
        }
        return true
    }
}
