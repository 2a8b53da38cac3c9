import ApusProtocol

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

    /// What it learns of topics that may matter to others.
    enum News: Sendable {
        case there
        case deleted
    }

    struct Entry {
        var feed: Feed
        let buffer: EventBuffer
        /// Which of its subscription's feeds it is.
        let index: Int
        /// Completed by the first answer that is no refusal.
        let subscribed: OneShot<Void>
        /// The size of its command while the answer is still to come.
        var askedBytes: Int?
        /// How often a topic that is not there was asked for again.
        var attempts = 0
        /// Asks for it again.
        var retry: Task<Void, Never>?
    }

    private let link: ReconnectingTransport
    private let clientID: String
    private let onNews: @Sendable (News, _ topic: String) -> Void
    /// Called when it takes no more feeds, before those that it has learn of it.
    private let onEnd: @Sendable (SubscriptionSession) -> Void
    var entries: [Key: Entry] = [:]
    private(set) var names: [String: Key] = [:]
    private(set) var patterns: [(filter: TopicFilter, key: Key)] = []
    private var lastKey = 0
    var unanswered = 0
    private var connection: WebSocketConnection?
    /// The buffer that has no room for what came.
    var blocking: EventBuffer?
    var reconnectAfter: Duration?
    var wasUseful = false
    /// Whether the server at the other end is known to wait for topics by itself.
    var knowsWaiting = false
    private var isRetired = false
    private var end: ClientError?

    init(
        link: ReconnectingTransport,
        clientID: String,
        onNews: @escaping @Sendable (News, _ topic: String) -> Void,
        onEnd: @escaping @Sendable (SubscriptionSession) -> Void
    ) {
        self.link = link
        self.clientID = clientID
        self.onNews = onNews
        self.onEnd = onEnd
    }

    // MARK: Subscribing

    /// Adds feeds that fill `buffer` and waits until the server has acked them; removes them again when it refuses one.
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

    /// Unsubscribes at the server.
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

    /// Sends the commands of these feeds if there is a connection; a new connection sends those of all.
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

    /// Asks for one again a little later, on this connection.
    func askLater(_ key: Key) {
        guard let attempts = entries[key]?.attempts else { return }
        entries[key]?.attempts = attempts + 1
        entries[key]?.retry = Task { [link, weak self] in
            guard await link.pause(attempt: attempts + 1) else { return }
            await self?.send([key])
        }
    }

    func tell(_ news: News, _ topic: String?) {
        if let topic { onNews(news, topic) }
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
            entry.retry?.cancel()
            entry.subscribed.complete(.failure(error))
            entry.buffer.finish(failure)
        }
        entries = [:]
        names = [:]
        patterns = []
    }

    /// Ends it, as nothing is left that it is for.
    func retire() async {
        isRetired = true
        if let connection { await link.close(connection) }
    }

    private func serve(_ connection: WebSocketConnection) async -> ConnectionEnd {
        self.connection = connection
        reconnectAfter = nil
        wasUseful = false
        knowsWaiting = false
        unanswered = 0
        send(entries.keys.sorted { $0.number < $1.number })
        let error = isRetired ? .clientClosed : await receive(from: connection)
        self.connection = nil
        await link.close(connection)
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
        let isDeletion = close.code == WebSocketClose.normal && close.reason == Disconnect.topicDeleted.reason
        // The deleted topic's subscription has ended; the close is not meant for the others.
        guard isDeletion, wasUseful, !entries.isEmpty else { return ClientError(close) }
        return ClientError(.closed, "the server closed the connection (1000 TOPIC_DELETED)")
    }
}
