/// The subscriptions that share a connection, over as many connections as it takes.
///
/// The server's events name their topic and not the subscription they are for, so no two feeds of a session may ask for
/// the same topic; `SessionRegistry` sees to that, and opens another session otherwise.
///
/// One task runs `run` and handles what comes in, in order. When a feed's buffer is full it waits right there, so the
/// socket is not read. It does not wait while a command has no answer yet, since the answer may stand behind the events
/// that have no room: those that were on their way already are then taken over the bound.
actor SubscriptionSession {
    struct Key: Hashable, Sendable {
        let number: Int
    }

    /// A subscription that is wanted.
    struct Request: Sendable {
        let filter: TopicFilter
        let options: ApusClient.SubscribeOptions
        /// Which of its subscription's feeds it is.
        let index: Int
    }

    private struct Entry {
        var feed: Feed
        let buffer: EventBuffer
        /// Which of its subscription's feeds it is.
        let index: Int
        /// Completed by the first ack.
        let subscribed: Ticket<Void>
        /// Whether the answer to its command is still to come.
        var isAsked = false
    }

    private let link: Link
    private let clientID: String
    /// Called when it takes no more feeds, before those that it has learn of it.
    private let onEnd: @Sendable (SubscriptionSession) -> Void
    private var entries: [Key: Entry] = [:]
    private var names: [String: Key] = [:]
    private var patterns: [(filter: TopicFilter, key: Key)] = []
    private var lastKey = 0
    private var unanswered = 0
    private var connection: WebSocketConnection?
    /// The buffer that has no room for what came.
    private var blocking: EventBuffer?
    private var reconnectAfter: Duration?
    private var wasUseful = false
    private var end: ClientError?

    init(link: Link, clientID: String, onEnd: @escaping @Sendable (SubscriptionSession) -> Void) {
        self.link = link
        self.clientID = clientID
        self.onEnd = onEnd
    }

    // MARK: Subscribing

    /// Adds feeds that fill `buffer` and waits until the server has acked them; removes them again when it refuses one.
    func add(_ requests: [Request], buffer: EventBuffer) async throws(ClientError) -> [Key] {
        if let end { throw end }
        var added: [Key] = []
        var tickets: [Ticket<Void>] = []
        for request in requests {
            lastKey += 1
            let key = Key(number: lastKey)
            let feed = Feed(filter: request.filter, options: request.options)
            let entry = Entry(feed: feed, buffer: buffer, index: request.index, subscribed: Ticket())
            entries[key] = entry
            if feed.filter.isPattern {
                patterns.append((feed.filter, key))
            } else {
                names[feed.filter.text] = key
            }
            added.append(key)
            tickets.append(entry.subscribed)
        }
        send(added)
        do {
            for ticket in tickets { try await ticket.value() }
        } catch {
            remove(added)
            throw error
        }
        return added
    }

    func remove(_ keys: [Key]) {
        var commands: [String] = []
        for key in keys {
            guard let entry = forget(key), !entry.feed.isOver else { continue }
            commands.append(ClientCommand.unsubscribe(topic: entry.feed.filter.text, clientID: clientID).text())
        }
        if !commands.isEmpty { connection?.post(texts: commands) }
    }

    @discardableResult
    private func forget(_ key: Key) -> Entry? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        let filter = entry.feed.filter
        if filter.isPattern { patterns.removeAll { $0.key == key } } else { names[filter.text] = nil }
        if entry.isAsked { unanswered -= 1 }
        return entry
    }

    /// Sends the commands of these feeds if there is a connection; a new connection sends those of all.
    private func send(_ keys: [Key]) {
        guard let connection else { return }
        var commands: [String] = []
        for key in keys {
            guard let command = entries[key]?.feed.subscribe(clientID: clientID) else { continue }
            commands.append(command.text(requestID: "\(key.number)"))
            entries[key]?.isAsked = true
            unanswered += 1
        }
        blocking?.stopWaiting()
        connection.post(texts: commands)
    }

    // MARK: Running

    /// Serves the feeds until the task is cancelled or reconnecting is useless; then all of them end.
    func run() async {
        let error = await link.run { await self.serve($0) }
        finish(error.code == .cancelled ? .clientClosed : error)
    }

    /// Ends every feed with this error, or just so if it is that the client is closed.
    func finish(_ error: ClientError) {
        if end == nil { end = error }
        onEnd(self)
        // The closure's end is no failure of a sequence.
        let failure = error.isClientClosed ? nil : error
        for entry in entries.values {
            entry.subscribed.complete(.failure(error))
            entry.buffer.finish(failure)
        }
        entries = [:]
        names = [:]
        patterns = []
    }

    private func serve(_ connection: WebSocketConnection) async -> Disconnect {
        self.connection = connection
        reconnectAfter = nil
        wasUseful = false
        unanswered = 0
        send(entries.keys.sorted { $0.number < $1.number })
        let error = await receive(from: connection)
        self.connection = nil
        await link.close(connection)
        for key in entries.keys {
            entries[key]?.feed.disconnected()
            entries[key]?.isAsked = false
        }
        unanswered = 0
        return Disconnect(error: error, reconnectAfter: reconnectAfter, wasUseful: wasUseful)
    }

    /// Handles what comes in until the connection ends; returns how it ended.
    private func receive(from connection: WebSocketConnection) async -> ClientError {
        do {
            while true {
                let messages = try await connection.receiveBatch()
                if messages.isEmpty { return ClientError(WebSocketClose(code: WebSocketClose.abnormal)) }
                for message in messages {
                    switch message {
                    case .text(let text): try await handle(ServerMessage(text))
                    case .close(let close): return ended(by: close)
                    case .binary, .ping, .pong: break
                    }
                }
            }
        } catch {
            return error
        }
    }

    private func ended(by close: WebSocketClose) -> ClientError {
        let isDeletion = close.code == WebSocketClose.normal && close.reason == "TOPIC_DELETED"
        // The deleted topic's subscription has ended; the close is not meant for the others.
        guard isDeletion, wasUseful, !entries.isEmpty else { return ClientError(close) }
        return ClientError(.closed, "the server closed the connection (1000 TOPIC_DELETED)")
    }

    private func handle(_ message: ServerMessage) async throws(ClientError) {
        switch message {
        case .event(let event):
            guard let key = key(of: event.topic), let delivery = entries[key]?.feed.received(event) else { return }
            await push(.event(delivery), key)
        case .info(let info):
            if info.message == "shutdown" {
                reconnectAfter = info.reconnectAfterMilliseconds.map { .milliseconds($0) }
            }
            guard let topic = info.topic, let key = key(of: topic), let notice = entries[key]?.feed.received(info)
            else { return }
            await push(.notice(notice), key)
            if entries[key]?.feed.isOver == true { endTopic(key) }
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

    /// The feed that gets what is said of this topic: there is at most one.
    private func key(of topic: String) -> Key? {
        names[topic] ?? patterns.first { $0.filter.text == topic || $0.filter.matches(topic) }?.key
    }

    private func answered(_ requestID: String?) -> Key? {
        guard let key = requestID.flatMap({ Int($0) }).map(Key.init), entries[key]?.isAsked == true else { return nil }
        entries[key]?.isAsked = false
        unanswered -= 1
        return key
    }

    private func acked(_ ack: ServerMessage.Ack, _ key: Key) async {
        guard let notice = entries[key]?.feed.acked(ack) else {
            guard let entry = entries[key] else { return }
            entry.buffer.start(feed: entry.index, at: entry.feed.position)
            return entry.subscribed.complete(.success(()))
        }
        // First the answer to the one who subscribes: without it nobody makes room for the notice.
        entries[key]?.subscribed.complete(.success(()))
        await push(.notice(notice), key)
    }

    private func refused(_ reply: ServerMessage.ErrorReply, _ key: Key) async throws(ClientError) {
        guard let entry = entries[key] else { return }
        let error = ClientError(reply, topic: entry.feed.filter.text)
        if !entry.feed.wasLive {
            forget(key)
            return entry.subscribed.complete(.failure(error))
        }
        switch reply.code {
        case "TOPIC_NOT_FOUND":
            guard let notice = entries[key]?.feed.vanished(time: reply.time) else { return }
            await push(.notice(notice), key)
            endTopic(key)
        case "UNAVAILABLE", "RATE_LIMITED", "OVERLOADED", "INTERNAL":
            // It may well be taken on another connection, a little later.
            throw ClientError(.closed, error.message, close: WebSocketClose(code: 1013, reason: reply.code))
        default:
            forget(key)
            entry.buffer.finish(error)
        }
    }

    private func endTopic(_ key: Key) {
        forget(key)?.buffer.endFeed()
    }

    /// Hands it to the consumer, waiting for room if that is possible.
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
