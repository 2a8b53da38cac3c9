import ApusCluster
import NIOCore

// What clients are told.

extension ClusterModel {
    func done(_ ticket: Ticket, _ result: Result<PackReceipt, ClusterFailure>, at node: Int) {
        guard let ask = asks.removeValue(forKey: ticket) else { return fail("\(ticket) is answered twice") }
        checkTime(of: ask, ticket)
        switch result {
        case .success(let receipt):
            guard !ask.messages.isEmpty, let era = shown[node][ask.topic]?.era else { return }
            acked.append(Acked(ask: ask, ticket: ticket, era: era, receipt: receipt))
        case .failure(.unavailable), .failure(.refused):
            failed.append(ask)
        case .failure: break
        }
    }

    func checkTime(of ask: Ask, _ ticket: Ticket) {
        if now - ask.time > 4700 { fail("\(ticket) is answered after \(now - ask.time) ms") }
    }

    /// An ack is true as soon as it leaves.
    func check(_ ack: Acked) {
        let (receipt, messages) = (ack.receipt, ack.ask.messages)
        guard receipt.count + receipt.duplicates == messages.count else {
            return fail("\(ack.ticket) is acked with \(receipt) for \(messages.count)")
        }
        guard !hasRolledBack else { return }
        let place = { Place(topic: ack.ask.topic, generation: ack.era.generation, offset: $0) }
        if receipt.count == 0 {
            guard messages.first?.id == truth[place(receipt.first)]?.id else {
                return fail("\(ack.ticket) is acked as a duplicate of \(place(receipt.first)), which has another id")
            }
            return
        }
        var rest = messages[...]
        for offset in receipt.first..<receipt.first + UInt64(receipt.count) {
            guard let message = truth[place(offset)], let index = rest.firstIndex(of: message) else {
                return fail("\(ack.ticket) is acked at \(place(offset)), where it is not")
            }
            rest = rest[(index + 1)...]
        }
    }

    func answered(_ ticket: Ticket, _ result: Result<TopicAnswer, ClusterFailure>, _ registry: SimulatedStream) {
        guard let ask = asks.removeValue(forKey: ticket) else { return fail("\(ticket) is answered twice") }
        checkTime(of: ask, ticket)
        guard case .success(let answer) = result, !hasRolledBack else { return }
        switch answer {
        case .created(let era):
            if !createdGenerations.insert("\(ask.topic) \(era.generation)").inserted {
                fail("\(ask.topic) was created twice as number \(era.generation)")
            }
            checkEntry(of: ask, era.epoch, isLive: true, registry, ticket)
        case .changed:
            guard case .set(let settings, _, _)? = ask.change else { return fail("\(ticket) is no change") }
            let isThere = entries(of: ask.topic, registry).contains { $0.settings == settings }
            if !isThere { fail("\(ticket) is answered, but the settings are not there") }
        case .deleted:
            let generation = ask.era?.generation ?? 0
            let isGone = entries(of: ask.topic, registry).contains {
                $0.era.generation > generation || ($0.era.generation == generation && !$0.isLive)
            }
            if !isGone { fail("\(ticket) is answered, but \(ask.topic) is not deleted") }
        case .exists, .notFound, .conflict:
            break
        }
    }

    private func entries(of topic: String, _ registry: SimulatedStream) -> [TopicEntry] {
        let subject = ClusterWorld.names?.registrySubject(ofTopic: topic)
        return registry.log.filter { $0.subject == subject }.compactMap {
            TopicEntry($0.header.value, settings: String(buffer: $0.body))
        }
    }

    private func checkEntry(of ask: Ask, _ epoch: String, isLive: Bool, _ registry: SimulatedStream, _ ticket: Ticket) {
        let isThere = entries(of: ask.topic, registry).contains { $0.era.epoch == epoch && $0.isLive == isLive }
        if !isThere { fail("\(ticket) is answered, but \(ask.topic) \(epoch) is not in the registry") }
    }
}
