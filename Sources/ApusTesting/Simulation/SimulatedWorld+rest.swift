import ApusBroker
import ApusProtocol

// Quiet moments, and the end: what must hold when nothing is left to do.

extension SimulatedWorld {
    /// Lets the hubs take their turns until none asks for one, and checks everything.
    func rest() {
        note("rest")
        loop.runUntilIdle()
        guard model.mistakes.isEmpty else { return }
        for client in clients {
            if let connection = client.connection, !connection.isOver { check(connection) }
        }
        checkTopics()
        checkPublishers()
        checkBooks()
        checkCommits()
    }

    private func check(_ connection: SimulatedConnection) {
        let isWritable = connection.subscriber.isWritable
        let all = connection.expected.subscriptions
        // A topic that still waits for the journal ends later, and topics of its name come after it.
        let ending = all.map(\.topic).filter { $0.isDeleted && !$0.isOver }
        for subscription in all {
            let isBlocked = ending.contains {
                $0.name == subscription.topic.name && $0.number < subscription.topic.number
            }
            let hasPredecessor = all.contains {
                $0.topic.name == subscription.topic.name && $0.topic.number < subscription.topic.number
            }
            if let mistake = subscription.rest(
                isWritable: isWritable && !isBlocked,
                hasPredecessor: hasPredecessor,
                now: model.now
            ) {
                connection.expected.fail("\(subscription.clientID) on \(subscription.topic.name) \(mistake)")
            }
        }
        if !connection.subscriber.isFlushed { connection.expected.fail("has something that was not flushed") }
        if isWritable, ending.isEmpty, !connection.hub.isCaughtUp(connection.subscriber) {
            connection.expected.fail("is not done, says its hub")
        }
    }

    private func checkTopics() {
        for topic in model.topics {
            let subscriptions = model.subscriptions(to: topic)
            topic.stalePromises = 0
            if !subscriptions.isEmpty { topic.markSealed() }
            topic.mayThrottle = subscriptions.contains { $0.options.overflow == .throttle }
            if topic.real.subscriberCount != model.count(of: topic) {
                fail("\(topic.name) has \(topic.real.subscriberCount) subscriptions, not \(model.count(of: topic))")
            }
            if topic.isOver, subscriptions.isEmpty, topic.real.logBytes != 0 {
                fail("\(topic.name) was deleted and holds \(topic.real.logBytes) bytes")
            }
            guard !topic.isDeleted, generator.chance(30) else { continue }
            let inspection = topic.real.inspect(now: passage.time(model.time).steady)
            topic.keepPromises(now: model.now)
            let first = topic.oldestWanted(now: model.now)...topic.promised
            if Int(inspection.last) != topic.messages.count || !first.contains(Int(inspection.first)) {
                fail("\(topic.name) is \(inspection), not \(first) to \(topic.messages.count)")
            }
        }
    }

    private func checkPublishers() {
        publishers.removeAll(where: \.isDone)
        for publisher in publishers {
            let isStopped = model.subscriptions(to: publisher.topic).contains {
                $0.options.overflow == .throttle
                    && ($0.lag(now: model.now).upperBound + $0.topic.commits.count >= $0.options.queue
                        || $0.topic.isTight && $0.next < $0.topic.head)
            }
            if publisher.topic.isDeleted || !isStopped && !publisher.topic.mayHoldForJournal {
                fail("a publisher to \(publisher.topic.name) waits for nobody")
            }
        }
    }

    private func checkBooks() {
        let sum = loop.hubs.map { $0.report() }.reduce(HubCounters(), +)
        if sum.books.owed != sum.books.accounted { fail("the books do not add up: \(sum)") }
        let published = model.topics.reduce(0) { $0 + $1.messages.count }
        let waiting = model.connections.reduce(0) { $0 + $1.waitingCount }
        if sum.waiting != waiting { fail("\(sum.waiting) wait, not \(waiting)") }
        let counted = loop.hubs.reduce(0) { $0 + $1.totals().subscriptions }
        if sum.subscriptions != counted { fail("\(counted) subscriptions are counted, not \(sum.subscriptions)") }
        if sum.published != UInt64(published) { fail("\(sum.published) published, not \(published)") }
    }

    /// Lets every client read to the end and then disconnect. Nothing may be left behind.
    func finish() {
        for client in clients {
            client.connection?.endsAfter = .max
            let connection = client.connection.flatMap { $0.isOver ? nil : $0 } ?? connect(client)
            connection.subscriber.unblock()
            if client.isSlow { connection.subscriber.take(1 << 20) }
        }
        finishCommits()
        guard model.mistakes.isEmpty else { return }
        rest()
        guard model.mistakes.isEmpty else { return }
        if !publishers.isEmpty { fail("publishers wait for ever") }
        note("everybody goes")
        for client in clients { client.connection?.end() }
        rest()
        if loop.broker.filterCount != 0 { fail("\(loop.broker.filterCount) filters are left") }
        if loop.broker.awaitedCount != 0 { fail("\(loop.broker.awaitedCount) names are still awaited") }
        for topic in model.topics where !topic.isDeleted {
            if topic.real.logBytes > topic.mostBytes {
                fail("\(topic.name) holds \(topic.real.logBytes) bytes where \(topic.mostBytes) are enough")
            }
            delete(topic.name)
            if topic.real.logBytes != 0 { fail("\(topic.name) holds \(topic.real.logBytes) bytes for nobody") }
        }
        loop.runUntilIdle()
    }
}
