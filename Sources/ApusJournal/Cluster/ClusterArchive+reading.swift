import ApusBroker
import ApusCluster
import ApusProtocol
import DequeModule
import Foundation
import NIOConcurrencyHelpers

// Questions to JetStream, and what comes of them.

extension ClusterArchive {
    /// A finding is asked of JetStream in so many steps at most.
    private static let mostSteps = 64
    /// Packs of one question.
    private static let packsAtOnce = 256
    /// Before the same is asked again, in milliseconds.
    private static let pause: Int64 = 150
    /// For one answer of JetStream, in milliseconds.
    private static let attempt: Int64 = 2000

    func read(
        _ topic: UInt32,
        template: EventTemplate,
        from offset: Offset,
        bytes: Int,
        answer: @escaping @Sendable (ArchiveAnswer) -> Void
    ) {
        let key = Key(topic: topic, offset: offset)
        let now = clock().steady
        let known: ArchiveAnswer? = state.withLockedValue { state in
            guard !state.isOver else { return .unavailable }
            let isThere = state.topics[topic].map { !$0.isSuspended } ?? false
            if isThere, let batches = state.kept[topic, offset] { return .batches(batches) }
            guard state.readings[key] == nil else {
                state.readings[key]?.answers.append(answer)
                return nil
            }
            guard state.readings.count < limits.archiveReadings else { return .unavailable }
            state.readings[key] = Reading(
                template: template,
                bytes: bytes,
                deadline: now + limits.archivePatience,
                answers: [answer]
            )
            state.waiting.append(key)
            return nil
        }
        if let known { return answer(known) }
        start()
    }

    /// Asks again what had to wait, and gives up what has waited too long.
    func tick() {
        let now = clock().steady
        let over = state.withLockedValue { state in
            guard !state.readings.isEmpty else { return [Reading]() }
            state.paused.removeAll { paused in
                guard paused.until <= now else { return false }
                state.waiting.append(paused.key)
                return true
            }
            let late = state.readings.filter { $0.value.deadline <= now && !$0.value.isUnderWay }
            guard !late.isEmpty else { return [] }
            for key in late.keys { state.readings[key] = nil }
            state.waiting.removeAll { late[$0] != nil }
            state.paused.removeAll { late[$0.key] != nil }
            return Array(late.values)
        }
        for reading in over { reading.end(.unavailable) }
        start()
    }

    /// Nothing is read any more.
    func end() {
        let rest = state.withLockedValue { state in
            defer { (state.readings, state.waiting, state.paused, state.isOver) = ([:], [], [], true) }
            return Array(state.readings.values)
        }
        for reading in rest { reading.end(.unavailable) }
    }

    private enum Next {
        case ask(Key, PackRead)
        case answer(Reading, ArchiveAnswer)
    }

    private func start() {
        while let next = state.withLockedValue({ takeNext(&$0) }) {
            switch next {
            case .answer(let reading, let answer): reading.end(answer)
            case .ask(let key, let request):
                link.read(request) { [self] answer in
                    // This may be a thread of the connection.
                    queue.addOperation { self.answered(key, answer) }
                }
            }
        }
    }

    private func takeNext(_ state: inout State) -> Next? {
        while state.underWay < limits.archiveReads, let key = state.waiting.popFirst() {
            guard var reading = state.readings[key] else { continue }
            guard let topic = state.topics[key.topic] else {
                state.readings[key] = nil
                return .answer(reading, .gone(before: key.offset + 1))
            }
            if topic.isSuspended {
                state.paused.append((key, clock().steady + Self.pause))
                continue
            }
            if reading.version != topic.version { (reading.sequence, reading.version) = (nil, topic.version) }
            guard let sequence = reading.sequence ?? topic.sequence(for: key.offset) else {
                state.readings[key] = nil
                return .answer(reading, .gone(before: max(topic.index.first, key.offset + 1)))
            }
            (reading.sequence, reading.isUnderWay) = (sequence, true)
            reading.steps += 1
            state.readings[key] = reading
            state.underWay += 1
            let stream = ClusterStream(ofTopic: topic.name)
            let request = PackRead(
                stream: stream,
                subject: names.subject(ofTopic: topic.name),
                from: sequence,
                count: Self.packsAtOnce,
                bytes: reading.bytes,
                timeout: max(min(Self.attempt, reading.deadline - clock().steady), 1)
            )
            return .ask(key, request)
        }
        return nil
    }

    private func answered(_ key: Key, _ answer: PackReadAnswer) {
        let now = clock()
        let known = state.withLockedValue { state in
            state.readings[key].flatMap { reading in state.topics[key.topic].map { (reading, $0.era) } }
        }
        var finding: ArchiveFinding?
        if case .packs(let packs) = answer, let (reading, era) = known {
            finding = ArchiveFinding(
                packs,
                from: key.offset,
                era: era,
                template: reading.template,
                lead: now.wall - now.steady
            )
        }
        let done = state.withLockedValue { state -> (Reading, ArchiveAnswer)? in
            state.underWay -= 1
            state.readings[key]?.isUnderWay = false
            return take(finding, for: key, now: now.steady, &state)
        }
        if let (reading, answer) = done { reading.end(answer) }
        start()
    }

    /// What follows from a finding; `nil` to ask again.
    private func take(
        _ finding: ArchiveFinding?,
        for key: Key,
        now: Int64,
        _ state: inout State
    ) -> (Reading, ArchiveAnswer)? {
        guard let reading = state.readings[key] else { return nil }
        // What was read meanwhile may be what the stream has lost.
        let isCurrent = state.topics[key.topic].map { $0.version == reading.version && !$0.isSuspended } ?? false
        var answer: ArchiveAnswer?
        switch isCurrent ? finding : nil {
        case .batches(let batches, let next)?:
            state.kept.insert(batches, of: key.topic, at: key.offset, limit: limits.archiveBytes)
            if let end = batches.last?.end { state.topics[key.topic]?.continuation = (end, next) }
            answer = .batches(batches)
        case .gone(let first)?:
            state.topics[key.topic]?.index.forget(before: first)
            answer = .gone(before: first)
        case .notYet(let next)? where reading.steps < Self.mostSteps:
            state.readings[key]?.sequence = next
            state.waiting.append(key)
            return nil
        case .notYet?, .stranger?, nil:
            state.readings[key]?.sequence = nil
            state.readings[key]?.steps = 0
        }
        if answer == nil, reading.deadline <= now { answer = .unavailable }
        guard let answer else {
            // A server that is behind comes to it, and a connection comes back.
            state.paused.append((key, now + Self.pause))
            return nil
        }
        state.readings[key] = nil
        return (reading, answer)
    }
}
