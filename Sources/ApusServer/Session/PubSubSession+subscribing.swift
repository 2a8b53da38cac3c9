import ApusAccess
import ApusBroker
import ApusProtocol

extension PubSubSession {
    func subscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) {
        let maxQueue = context.settings.limits.maxQueue
        let extensions: SubscribeExtensions
        switch context.scanner.subscribeExtensions(of: command, in: message, maxQueue: maxQueue) {
        case .success(let read): extensions = read
        case .failure(let error): return refuse(error, in: message)
        }
        let name = text(command.topic, in: message)
        let isPattern = TopicFilter.isPattern(name)
        guard !isPattern || !extensions.positions && !extensions.wait else {
            let field = extensions.since != nil ? "since" : extensions.positions ? "positions" : "wait"
            return reply(.badRequest, "'\(field)' needs a topic, not a pattern", requestID: requestID)
        }
        if let refusal = context.settings.delivery.refusal(of: extensions.overflow) {
            return reply(.badRequest, refusal, requestID: requestID)
        }
        isExtended = isExtended || isPattern || extensions.isUsed
        var request = SubscribeRequest(topic: name, clientID: text(command.clientID, in: message))
        request.start = extensions.since ?? .lastN(command.lastN)
        request.queue = extensions.queue
        request.overflow = extensions.overflow
        request.detail = extensions.positions ? .positioned : isPattern || extensions.isUsed ? .keyed : .plain
        request.echo = extensions.echo
        request.presence = extensions.presence
        request.waits = extensions.wait
        if let client = access?.client {
            do throws(Forbidden) {
                try client.permit(&request)
            } catch {
                return reply(.forbidden, error.message, requestID: requestID)
            }
        }
        request.makesTopic = context.settings.topics.createOn.contains(.subscribe)
        do throws(BrokerError) {
            let receipt = try context.hub.subscribe(
                self,
                request,
                defaults: context.settings.delivery.subscription,
                limits: context.settings.limits.subscriptions
            )
            guard extensions.positions || receipt.isWaiting else {
                return acknowledge(receipt.topicJSON, requestID: requestID)
            }
            encoder.ack(
                requestID: requestID,
                topicJSON: receipt.topicJSON,
                members: Self.members(of: receipt),
                time: context.now,
                to: &context.replies
            )
        } catch {
            reply(error.wireCode, error.message, requestID: requestID)
        }
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

    func unsubscribe(
        _ command: Command,
        in message: UnsafeRawBufferPointer,
        requestID: UnsafeRawBufferPointer?
    ) {
        let name = text(command.topic, in: message)
        // It has no subscription there, and must not learn whether the topic exists.
        if let rights = access?.client.rights, !TopicFilter.isPattern(name), !rights.hasAnyRight(onTopic: name) {
            return acknowledge(Array(jsonString(name).utf8), requestID: requestID)
        }
        // Messages published before go out before the ack of the unsubscribe, and after the acks before it.
        connection.sendReplies()
        do throws(BrokerError) {
            let clientID = text(command.clientID, in: message)
            let topicJSON = try context.hub.unsubscribe(self, from: name, clientID: clientID)
            connection.keepRepliesInOrder()
            acknowledge(topicJSON, requestID: requestID)
        } catch {
            reply(error.wireCode, error.message, requestID: requestID)
        }
    }
}
