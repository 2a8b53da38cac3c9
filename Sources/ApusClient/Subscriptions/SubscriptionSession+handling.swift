import ApusProtocol

// Converts the server's messages to deliveries for the consumers.

extension SubscriptionSession {
    func handle(_ message: ServerMessage) async throws(ClientError) {
        switch message {
        case .event(let event):
            guard let key = key(of: event.topic), let delivery = entries[key]?.feed.received(event) else { return }
            await push(.event(delivery), key)
        case .info(let info):
            if info.message == "shutdown" {
                reconnectAfter = info.reconnectAfterMilliseconds.map { .milliseconds($0) }
            }
            guard let topic = info.topic else { return }
            if info.message == "unsubscribed" { return unsubscribed(topic, info.reason) }
            if let key = key(of: topic) { await informed(info, key) }
        case .ack(let ack):
            guard let key = answered(ack.requestID) else { return }
            wasUseful = true
            await acked(ack, key)
        case .error(let reply):
            guard let key = answered(reply.requestID) else { return }
            try await refused(reply, key)
        case .pong, .unknown:
            break
        }
    }

    /// The feed that a topic's messages are for. There is at most one.
    private func key(of topic: String) -> Key? {
        names[topic] ?? patterns.first { $0.filter.text == topic || $0.filter.matches(topic) }?.key
    }

    private func answered(_ requestID: String?) -> Key? {
        let key = requestID.flatMap { Int($0) }.map(Key.init)
        guard let key, entries[key]?.askedBytes != nil else { return nil }
        entries[key]?.askedBytes = nil
        unanswered -= 1
        return key
    }

    private func informed(_ info: ServerMessage.Info, _ key: Key) async {
        guard let notices = entries[key]?.feed.received(info), !notices.isEmpty else { return }
        if info.message == "topic_created" { tell(.there, info.topic) }
        if info.message == "topic_deleted" { tell(.deleted, info.topic) }
        await push(notices, key)
        guard info.message == "topic_deleted", let entry = entries[key], !entry.feed.filter.isPattern else { return }
        if entry.feed.isOver {
            endTopic(key)
        } else if !knowsWaiting {
            // Not every server keeps a subscription waiting. Ask again unless this server is known to.
            send([key])
        }
    }

    private func acked(_ ack: ServerMessage.Ack, _ key: Key) async {
        guard let notices = entries[key]?.feed.acked(ack), let entry = entries[key] else { return }
        entries[key]?.attempts = 0
        if ack.isWaiting { knowsWaiting = true }
        if entry.feed.isLive, !entry.feed.filter.isPattern { tell(.there, entry.feed.filter.text) }
        // First complete the `subscribe` call: until it returns, no consumer makes room for a notice.
        if notices.isEmpty { entry.buffer.start(feed: entry.index, at: entry.feed.position) }
        entry.subscribed.complete(.success(()))
        await push(notices, key)
    }

    private func refused(_ reply: ServerMessage.ErrorReply, _ key: Key) async throws(ClientError) {
        guard let entry = entries[key] else { return }
        let error = ClientError(reply, topic: entry.feed.filter.text)
        if reply.code == ErrorCode.topicNotFound.rawValue,
            let notices = entries[key]?.feed.refusedForItsTopic(time: reply.time)
        {
            wasUseful = true
            askLater(key)
            entry.subscribed.complete(.success(()))
            await push(notices, key)
            return
        }
        guard entry.feed.isKnown else {
            forget(key)
            return entry.subscribed.complete(.failure(error))
        }
        switch reply.code {
        case ErrorCode.unavailable.rawValue, ErrorCode.rateLimited.rawValue, ErrorCode.overloaded.rawValue:
            // The server may accept the subscription a little later, here or on another connection.
            askLater(key)
        case ErrorCode.internal.rawValue:
            throw ClientError(.closed, error.message, close: WebSocketClose(code: 1013, reason: reply.code))
        default:
            forget(key)
            entry.buffer.finish(error)
        }
    }

    /// Handles the end of one subscription by the server: the client's rights do not cover it any more.
    private func unsubscribed(_ topic: String, _ reason: String?) {
        // A topic that only a pattern matches is not the pattern.
        let key = names[topic] ?? patterns.first { $0.filter.text == topic }?.key
        // Before its ack, the refusal of a subscription is the answer to its command.
        guard let key, entries[key]?.askedBytes == nil, let entry = forget(key) else { return }
        let message = "the server ended the subscription to '\(topic)'"
        let problem = Problem(code: reason, detail: message)
        entry.buffer.finish(ClientError(.refused, message, problem: problem, topic: topic))
    }

    /// Handles a close for a message that was too big. The server does not say which message. The largest unanswered
    /// command is too big in any case: this refuses it, and the client sends the others again.
    func refuseLargest() -> Bool {
        let asked = entries.compactMap { key, entry in entry.askedBytes.map { (key: key, bytes: $0) } }
        let largest = asked.max { $0.bytes < $1.bytes }
        guard let largest, let entry = forget(largest.key) else { return false }
        let error = ClientError.tooBig(bytes: largest.bytes, topic: entry.feed.filter.text)
        entry.subscribed.complete(.failure(error))
        entry.buffer.finish(error)
        return true
    }

    private func endTopic(_ key: Key) {
        guard let entry = forget(key) else { return }
        // A server that was asked to wait keeps waiting, but this subscription has ended.
        if entry.feed.isWaitAsked { leave([entry]) }
        entry.buffer.endFeed()
    }

    private func push(_ notices: [ApusClient.Notice], _ key: Key) async {
        for notice in notices { await push(.notice(notice), key) }
    }

    /// Hands a delivery to the consumer. Waits for room where possible.
    private func push(_ delivery: ApusClient.Delivery, _ key: Key) async {
        guard let entry = entries[key] else { return }
        let item = EventBuffer.Item(delivery: delivery, feed: entry.index, position: entry.feed.position)
        while !entry.buffer.push(item, isForced: unanswered > 0) {
            blocking = entry.buffer
            await entry.buffer.waitForRoom()
            blocking = nil
            if Task.isCancelled { return }
        }
    }
}
