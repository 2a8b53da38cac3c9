import ApusProtocol

extension ApusClient {
    /// Subscribes to a topic, or to every topic that matches a pattern such as `orders.*`. Returns once the server has
    /// acked the subscription.
    ///
    /// Without a connection, the call waits for one. Throws `refused` with the server's code (such as
    /// `TOPIC_NOT_FOUND`), `closed` or `unauthorized` if reconnecting is useless, and `cancelled` if the task is
    /// cancelled.
    ///
    /// - Parameters:
    ///   - topic: a name or a pattern.
    ///   - options: where to start, and how much may wait.
    public func subscribe(
        _ topic: String,
        _ options: SubscribeOptions = SubscribeOptions()
    ) async throws(ClientError) -> Subscription {
        try await subscribe(to: [topic], options)
    }

    /// Subscribes to several topics and patterns, to all or none. Their events come in one sequence with one buffer.
    ///
    /// - Parameters:
    ///   - topics: names and patterns, at least one.
    ///   - options: the options for each topic, with one buffer for all.
    ///   - starts: start positions by topic, for the topics that do not start where `options` says.
    public func subscribe(
        to topics: [String],
        _ options: SubscribeOptions = SubscribeOptions(),
        starts: [String: Start] = [:]
    ) async throws(ClientError) -> Subscription {
        guard !topics.isEmpty else { throw ClientError(.badMessage, "a subscription needs at least one topic") }
        let filters = topics.map(TopicSelection.init)
        let buffer = EventBuffer(feeds: topics.count, limit: options.buffer, byteLimit: options.bufferBytes)
        var places: [Subscription.Place] = []
        do {
            var assigned = try assign(filters)[...]
            places = assigned.map { Subscription.Place(session: $0.session, filters: $0.indices.map { filters[$0] }) }
            while let (session, indices) = assigned.popFirst() {
                let requests = indices.map { index in
                    var options = options
                    options.start = starts[topics[index]] ?? options.start
                    return SubscriptionSession.Request(filter: filters[index], options: options, index: index)
                }
                places[places.count - assigned.count - 1].keys = try await session.add(requests, buffer: buffer)
            }
        } catch {
            await end(places)
            throw error
        }
        return Subscription(client: self, topics: topics, buffer: buffer, places: places)
    }
}
