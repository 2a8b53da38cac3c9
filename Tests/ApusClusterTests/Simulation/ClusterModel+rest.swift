import ApusCluster
import NIOCore

// What must be true when all is quiet.

extension ClusterModel {
    /// What the topic's packs come to, by a way of its own.
    struct Fold {
        var generation: UInt64 = 0
        var epoch = ""
        var isEnded = true
        var last = PackPlace.none
        var next: UInt64 = 1
        /// By generation and offset.
        var log: [UInt64: [UInt64: UInt64]] = [:]
        /// Whether messages may be gone that were never shown to be over.
        let allowsJumps: Bool

        mutating func take(_ message: SimulatedStream.Message) -> Bool {
            guard let header = PackHeader(message.header.value) else { return false }
            let place = PackPlace(sequence: message.sequence, id: message.id)
            if header.kind == .tombstone {
                last = place
                guard header.era.generation > generation || (header.era.generation == generation && !isEnded) else {
                    return true
                }
                (generation, epoch, isEnded, next) = (header.era.generation, header.era.epoch, true, 1)
                return true
            }
            let isJump = allowsJumps && header.previous.map { $0.sequence > last.sequence } ?? false
            let follows = header.previous == last || isJump
            last = place
            guard follows else { return false }
            if header.era.generation > generation {
                guard isJump || header.first == 1, isEnded || allowsJumps else { return false }
                next = 1
                (generation, epoch, isEnded) = (header.era.generation, header.era.epoch, false)
            }
            guard header.era.generation == generation, !isEnded else { return false }
            guard header.first == next || (isJump && header.first > next) else { return false }
            guard header.era.epoch == epoch || header.kind == .renewal || isJump else { return false }
            (epoch, next) = (header.era.epoch, header.end)
            guard header.kind == .messages,
                let contents = SimulatedContents(body: message.body, count: header.count, time: 0)
            else { return header.kind != .messages }
            for (index, message) in contents.messages.enumerated() {
                log[generation, default: [:]][header.first + UInt64(index)] = message.number
            }
            return true
        }
    }

    func checkRest(_ world: ClusterWorld) {
        for (ticket, ask) in asks.sorted(by: { $0.key < $1.key }) {
            fail("\(ticket) of node \(ask.node) was never answered")
        }
        for (node, state) in world.nodes.enumerated() {
            if !state.machine.isReady {
                fail("node \(node) is not ready: \(state.machine.mirrors.map { ($0.position, $0.known) })")
            }
        }
        for topic in setup.topics { check(topic, world) }
        checkOrder()
    }

    private func check(_ topic: String, _ world: ClusterWorld) {
        let names = ClusterWorld.names
        var fold = Fold(allowsJumps: hasRolledBack)
        for message in world.streams[0].log where message.subject == names?.subject(ofTopic: topic) {
            if hasRolledBack, message.isRemoved { continue }
            if !fold.take(message), !hasRolledBack {
                fail("\(message.header.value) at \(message.sequence) does not follow")
            }
        }
        let entries = world.streams[1].log.filter { $0.subject == names?.registrySubject(ofTopic: topic) }
        let entry = entries.last.flatMap { TopicEntry($0.header.value, settings: String(buffer: $0.body)) }
        var era = entry.flatMap { $0.isLive ? $0.era : nil }
        if let live = era, live.generation == fold.generation { era?.epoch = fold.epoch }
        if let entry, entry.isLive, fold.generation == entry.era.generation, fold.isEnded {
            fail("nobody finished the deletion of \(topic)")
            era = nil
        }
        for node in shown.indices { check(topic, of: node, era: era, entry: entry, fold) }
        for ack in acked where ack.ask.topic == topic { check(ack, fold, era: era) }
    }

    private func check(_ topic: String, of node: Int, era: TopicEra?, entry: TopicEntry?, _ fold: Fold) {
        guard let view = shown[node][topic] else {
            if era != nil { fail("node \(node) does not show \(topic)") }
            return
        }
        guard let era else { return fail("node \(node) shows \(topic), which is deleted") }
        let isCurrent = fold.generation == era.generation
        let (log, next) = (isCurrent ? fold.log[era.generation] ?? [:] : [:], isCurrent ? fold.next : 1)
        if view.era != era { fail("node \(node) shows \(topic) as \(view.era), not \(era)") }
        if view.isSuspended { fail("node \(node) does not show the messages of \(topic) again") }
        if view.entry.settings != entry?.settings { fail("node \(node) has other settings for \(topic)") }
        if view.next != next { fail("node \(node) goes on in \(topic) at \(view.next), not \(next)") }
        // What a subject does not keep was checked when it was shown, unless there was an accident.
        let oldest = hasRolledBack ? log.keys.min() ?? next : 1
        for (offset, number) in view.log where log[offset] != number && offset >= oldest {
            return fail("node \(node) has \(number) at \(topic) \(offset)")
        }
        guard setup.hasRollBacks else { return }
        for (offset, number) in log {
            let key = "\(node) \(topic) \(era.epoch) \(offset)"
            if let old = shownUnder[key], old != number {
                fail("node \(node) showed \(old) under \(key), not \(number)")
            }
        }
        var offset = next
        while let old = shownUnder["\(node) \(topic) \(era.epoch) \(offset)"] {
            fail("node \(node) showed \(old) at \(topic) \(offset), beyond the end of \(era.epoch)")
            offset += 1
        }
    }

    private func check(_ ack: Acked, _ fold: Fold, era: TopicEra?) {
        let log = fold.log[ack.era.generation] ?? [:]
        guard ack.receipt.count > 0 else { return }
        let range = ack.receipt.first..<ack.receipt.first + UInt64(ack.receipt.count)
        let numbers = ack.ask.messages.map(\.number)
        if hasRolledBack, range.lowerBound < log.keys.min() ?? fold.next { return }
        if range.allSatisfy({ log[$0].map { numbers.contains($0) } ?? false }) { return }
        // Servers that lose what they acked may lose this. Then its epoch is over.
        if hasRolledBack, era?.epoch != ack.era.epoch { return }
        fail("\(ack.ticket) was acked at \(ack.ask.topic) \(ack.receipt.first) of \(ack.era), and is not there")
    }

    /// Publishes of one connection to one topic keep their order.
    private func checkOrder() {
        guard !hasRolledBack else { return }
        var last: [String: UInt64] = [:]
        for ack in acked.sorted(by: { $0.ticket < $1.ticket }) where ack.receipt.count > 0 {
            let key = "\(ack.ask.node) \(ack.ask.boot) \(ack.ask.topic) \(ack.era.generation)"
            if let before = last[key], before >= ack.receipt.first {
                fail("\(ack.ticket) is at \(ack.receipt.first), after one at \(before)")
            }
            last[key] = ack.receipt.first
        }
    }
}
