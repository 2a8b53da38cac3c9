import ApusProtocol

/// The subscriptions that share a connection, across reconnects.
///
/// The server's events name their topic but not their subscription. So no two feeds of a session may ask for the same
/// topic: `SessionRegistry` opens another session instead.
///
/// One task runs `run` and handles input in order. When a feed's buffer is full, the task waits, so the socket is not
/// read. It does not wait while a command is unanswered, because the answer may come after events that have no room.
/// Those events exceed the buffer's limit.
actor SubscriptionSession {
    struct Key: Hashable, Sendable {
        let number: Int
    }

    /// A requested subscription.
    struct Request: Sendable {
        let filter: TopicSelection
        let options: ApusClient.SubscribeOptions
        /// The index of the feed in its subscription.
        let index: Int
    }

    /// What the session learns about topics that may concern publishes.
    enum News: Sendable {
        case there
        case deleted
    }

    struct Entry {
        var feed: Feed
        let buffer: EventBuffer
        /// The index of the feed in its subscription.
        let index: Int
        /// Completed by the first answer that is not a refusal.
        let subscribed: OneShot<Void>
        /// The size of the unanswered subscribe command, in bytes.
        var askedBytes: Int?
        /// How often the client has asked again for a missing topic.
        var attempts = 0
        /// The task that asks again.
        var retry: Task<Void, Never>?
    }

    private let transport: ReconnectingTransport
    private let clientID: String
    private let onNews: @Sendable (News, _ topic: String) -> Void
    /// Called when the session accepts no more feeds, before its feeds learn of it.
    private let onEnd: @Sendable (SubscriptionSession) -> Void
    var entries: [Key: Entry] = [:]
    private(set) var names: [String: Key] = [:]
    private(set) var patterns: [(filter: TopicSelection, key: Key)] = []
    private var lastKey = 0
    var unanswered = 0
    private var connection: WebSocketConnection?
    /// The buffer that the session waits for.
    var blocking: EventBuffer?
    var reconnectAfter: Duration?
    var wasUseful = false
    /// Whether the current server is known to wait for topics.
    var knowsWaiting = false
    private var isRetired = false
    private var end: ClientError?

    init(
        transport: ReconnectingTransport,
        clientID: String,
        onNews: @escaping @Sendable (News, _ topic: String) -> Void,
        onEnd: @escaping @Sendable (SubscriptionSession) -> Void
    ) {
        self.transport = transport
        self.clientID = clientID
        self.onNews = onNews
        self.onEnd = onEnd
    }

    // MARK: Subscribing

    /// Adds feeds that fill `buffer`, and waits until the server has acked them. If the server refuses one, removes all
    /// of them again.
    func add(_ requests: [Request], buffer: EventBuffer) async throws(ClientError) -> [Key] {
        if let end { throw end }
        var added: [Key] = []
        var tickets: [OneShot<Void>] = []
        for request in requests {
            lastKey += 1
            let key = Key(number: lastKey)
            let feed = Feed(filter: request.filter, options: request.options)
            let entry = Entry(feed: feed, buffer: buffer, index: request.index, subscribed: OneShot())
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
        leave(keys.compactMap { forget($0) }.filter { !$0.feed.isOver || $0.feed.isWaitAsked })
    }

    /// Unsubscribes on the server.
    func leave(_ entries: [Entry]) {
        let commands = entries.map { ClientCommand.unsubscribe(topic: $0.feed.filter.text, clientID: clientID).text() }
        if !commands.isEmpty { connection?.post(texts: commands) }
    }

    @discardableResult
    func forget(_ key: Key) -> Entry? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        let filter = entry.feed.filter
        if filter.isPattern { patterns.removeAll { $0.key == key } } else { names[filter.text] = nil }
        if entry.askedBytes != nil { unanswered -= 1 }
        entry.retry?.cancel()
        return entry
    }

    /// Sends the subscribe commands of these feeds if there is a connection. A new connection sends the commands of all
    /// feeds.
    func send(_ keys: [Key]) {
        guard let connection else { return }
        var commands: [String] = []
        for key in keys {
            guard let command = entries[key]?.feed.subscribe(clientID: clientID) else { continue }
            let text = command.text(requestID: "\(key.number)")
            commands.append(text)
            if entries[key]?.askedBytes == nil { unanswered += 1 }
            entries[key]?.askedBytes = text.utf8.count
        }
        blocking?.stopWaiting()
        connection.post(texts: commands)
    }

    /// Asks for a feed again a little later, on this connection.
    func askLater(_ key: Key) {
        guard let attempts = entries[key]?.attempts else { return }
        entries[key]?.attempts = attempts + 1
        entries[key]?.retry = Task { [transport, weak self] in
            guard await transport.pause(attempt: attempts + 1) else { return }
            await self?.send([key])
        }
    }

    func tell(_ news: News, _ topic: String?) {
        if let topic { onNews(news, topic) }
    }

    // MARK: Running

    /// Serves the feeds until the task is cancelled or reconnecting is useless. Then all feeds end.
    func run() async {
        let error = await transport.run { await self.serve($0) }
        finish(error.code == .cancelled ? .clientClosed : error)
    }

    /// Ends every feed with this error, or without an error if the client is closed.
    func finish(_ error: ClientError) {
        if end == nil { end = error }
        onEnd(self)
        // The end of the client's closure is not an error for a sequence.
        let failure = error.isClientClosed ? nil : error
        for entry in entries.values {
            entry.retry?.cancel()
            entry.subscribed.complete(.failure(error))
            entry.buffer.finish(failure)
        }
        entries = [:]
        names = [:]
        patterns = []
    }

    /// Ends the session because it has no feeds left.
    func retire() async {
        isRetired = true
        if let connection { await transport.close(connection) }
    }

    private func serve(_ connection: WebSocketConnection) async -> ConnectionEnd {
        self.connection = connection
        reconnectAfter = nil
        wasUseful = false
        knowsWaiting = false
        unanswered = 0
        send(entries.keys.sorted { $0.number < $1.number })
        let renewal = transport.renewal(of: connection)
        let error = isRetired ? .clientClosed : await receive(from: connection, renewal)
        renewal.end()
        self.connection = nil
        await transport.close(connection)
        let isForTooBig = error.close?.code == WebSocketClose.messageTooBig && refuseLargest()
        for key in entries.keys {
            entries[key]?.feed.disconnected()
            entries[key]?.askedBytes = nil
            entries[key]?.retry?.cancel()
        }
        unanswered = 0
        var disconnect = ConnectionEnd(
            error: error,
            reconnectAfter: reconnectAfter,
            wasUseful: wasUseful || isForTooBig
        )
        disconnect.isForTooBig = isForTooBig
        disconnect.isWanted = !isRetired
        return disconnect
    }

    /// Handles input until the connection ends, and returns how it ended.
    private func receive(from connection: WebSocketConnection, _ renewal: TokenRenewal) async -> ClientError {
        do {
            while true {
                let messages = try await connection.receiveBatch()
                if messages.isEmpty { return ClientError(WebSocketClose(code: WebSocketClose.abnormal)) }
                for message in messages {
                    switch message {
                    case .text(let text):
                        let message = try ServerMessage(text)
                        if !renewal.handle(message) { try await handle(message) }
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
        let isDeletion = close.code == WebSocketClose.normal && close.reason == Disconnect.topicDeleted.reason
        // The subscription to the deleted topic has ended. The close does not concern the other subscriptions.
        guard isDeletion, wasUseful, !entries.isEmpty else { return ClientError(close) }
        return ClientError(.closed, "the server closed the connection (1000 TOPIC_DELETED)")
    }
}
