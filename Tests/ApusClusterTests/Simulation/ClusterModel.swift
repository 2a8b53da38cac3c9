import ApusCluster

/// What must be true, from plain lists of what nodes were asked, answered and showed.
final class ClusterModel {
    struct Place: Hashable {
        let topic: String
        let generation: UInt64
        let offset: UInt64
    }

    /// What a node shows of a topic.
    struct Shown {
        var era: TopicEra
        var next: UInt64 = 1
        var log: [(offset: UInt64, number: UInt64)] = []
        var isSuspended = false
        var entry: TopicEntry
    }

    /// Something that a client waits for.
    struct Ask {
        let node: Int
        let boot: Int
        let topic: String
        let era: TopicEra?
        let messages: [SimulatedContents.Message]
        let change: RegistryChange?
        let time: Int64
    }

    struct Acked {
        let ask: Ask
        let ticket: Ticket
        let era: TopicEra
        let receipt: PackReceipt
    }

    let setup: ClusterSetup
    var now: Int64 = 0
    private(set) var mistakes: [String] = []
    private let traced: ((String) -> Void)?
    var shown: [[String: Shown]]
    /// In which life of a node something was shown.
    var boots: [Int]
    var asks: [Ticket: Ask] = [:]
    var lastTicket: Ticket = 0
    var acked: [Acked] = []
    /// What is where, as it was shown first.
    var truth: [Place: SimulatedContents.Message] = [:]
    var placeOfNumber: [UInt64: Place] = [:]
    var placeOfID: [String: Place] = [:]
    var createdGenerations: Set<String> = []
    /// What each node showed under an epoch.
    var shownUnder: [String: UInt64] = [:]
    var hasRolledBack = false
    /// Publishes that failed, for a client that does not care whether they were done.
    var failed: [Ask] = []

    init(setup: ClusterSetup, trace: ((String) -> Void)?) {
        self.setup = setup
        traced = trace
        shown = Array(repeating: [:], count: setup.nodes)
        boots = Array(repeating: 0, count: setup.nodes)
    }

    func trace(_ line: () -> String) {
        if let traced { traced("\(now): \(line())") }
    }

    func fail(_ mistake: String) {
        trace { "MISTAKE: \(mistake)" }
        mistakes.append(mistake)
    }

    /// A node has stopped: nobody hears what becomes of what it was asked.
    func forget(_ node: Int) {
        trace { "node \(node) stops" }
        for (ticket, ask) in asks where ask.node == node { asks[ticket] = nil }
        shown[node] = [:]
        boots[node] += 1
    }

    func rolledBack(to count: Int, _ stream: ClusterStream) {
        trace { "\(stream) rolled back to \(count)" }
        hasRolledBack = true
    }

    // MARK: Asking

    func ask(
        _ node: Int,
        _ topic: String,
        messages: [SimulatedContents.Message] = [],
        change: RegistryChange? = nil
    ) -> Ticket {
        lastTicket += 1
        let era = shown[node][topic]?.era
        trace { "\(lastTicket): node \(node) \(topic) \(messages.map(\.number)) \(change.map { "\($0)" } ?? "")" }
        asks[lastTicket] = Ask(
            node: node,
            boot: boots[node],
            topic: topic,
            era: era,
            messages: messages,
            change: change,
            time: now
        )
        return lastTicket
    }

    // MARK: What a node says

    func take(
        _ events: [ClusterEvent<SimulatedContents>],
        at node: Int,
        fault: ClusterFault?,
        streams: [SimulatedStream]
    ) {
        let before = acked.count
        for event in events {
            trace { "node \(node) \(Self.text(event))" }
            switch event {
            case .done(let ticket, let result): done(ticket, result, at: node)
            case .answered(let ticket, let result): answered(ticket, result, streams[1])
            case .applied(let topic, let pack):
                apply(pack, to: topic, at: node, streams[0])
                if fault == .showsTwice, pack.first % 7 == 3 { apply(pack, to: topic, at: node, streams[0]) }
            default: follow(event, at: node, keepsEpoch: fault == .keepsEpoch)
            }
        }
        for index in before..<acked.count { check(acked[index]) }
    }

    private static func text(_ event: ClusterEvent<SimulatedContents>) -> String {
        guard case .applied(let topic, let pack) = event else { return "\(event)" }
        return
            "applied \(topic) \(pack.first)\(pack.isJump ? " after a jump" : ""): \(pack.contents.messages.map(\.number))"
    }

    private func follow(_ event: ClusterEvent<SimulatedContents>, at node: Int, keepsEpoch: Bool) {
        switch event {
        case .opened(let topic, let era, let entry):
            if shown[node][topic] != nil { fail("node \(node) opens \(topic) twice") }
            shown[node][topic] = Shown(era: era, entry: entry)
        case .closed(let topic):
            if shown[node].removeValue(forKey: topic) == nil {
                fail("node \(node) closes \(topic), which is not there")
            }
        case .changed(let topic, let entry):
            shown[node][topic]?.entry = entry
        case .purged(let topic, let offset):
            guard let view = shown[node][topic] else { return fail("node \(node) purges \(topic), which is not there") }
            if offset < view.next || (offset > view.next && setup.keeps == 1000 && !hasRolledBack) {
                fail("node \(node) purges \(topic) not at its head")
            }
            shown[node][topic]?.log = []
            shown[node][topic]?.next = offset
        case .suspended(let topic):
            guard let old = shown[node][topic] else { return fail("node \(node) suspends \(topic)") }
            shown[node][topic] = Shown(era: old.era, isSuspended: true, entry: old.entry)
        case .resumed(let topic, let era):
            shown[node][topic]?.isSuspended = false
            if !keepsEpoch { shown[node][topic]?.era = era }
            for (offset, number) in shown[node][topic]?.log ?? [] { note(number, at: offset, of: topic, node) }
        case .renewed(let topic, let era):
            if !keepsEpoch { shown[node][topic]?.era = era }
        case .applied, .done, .answered, .noted, .caughtUp:
            break
        }
    }

    private func apply(
        _ pack: AppliedPack<SimulatedContents>,
        to topic: String,
        at node: Int,
        _ stream: SimulatedStream
    ) {
        guard var view = shown[node][topic] else { return fail("node \(node) applies to \(topic), which is not there") }
        if stream.sequence(of: pack.id, within: stream.log.count) == nil, !hasRolledBack {
            fail("node \(node) shows \(topic) \(pack.first), which no majority has")
        }
        if pack.isJump {
            if pack.first < view.next { fail("node \(node) jumps back in \(topic)") }
            if setup.keeps == 1000, view.next != 1, !hasRolledBack { fail("node \(node) jumps in \(topic)") }
            view.log = []
        } else if pack.first != view.next {
            fail("node \(node) goes on in \(topic) at \(pack.first), not at \(view.next)")
        }
        for (index, message) in pack.contents.messages.enumerated() {
            let offset = pack.first + UInt64(index)
            view.log.append((offset, message.number))
            note(message, at: Place(topic: topic, generation: view.era.generation, offset: offset))
            if !view.isSuspended { note(message.number, at: offset, of: topic, node) }
        }
        view.next = pack.first + UInt64(pack.contents.count)
        shown[node][topic] = view
    }

    /// Under one epoch, a node shows one message at an offset.
    private func note(_ number: UInt64, at offset: UInt64, of topic: String, _ node: Int) {
        guard hasRolledBack || setup.hasRollBacks, let era = shown[node][topic]?.era else { return }
        let key = "\(node) \(topic) \(era.epoch) \(offset)"
        if let old = shownUnder.updateValue(number, forKey: key), old != number {
            fail("node \(node) shows \(number) at \(topic) \(offset) of \(era.epoch), where it showed \(old)")
        }
    }

    /// All nodes see the same, once.
    private func note(_ message: SimulatedContents.Message, at place: Place) {
        guard !hasRolledBack else { return }
        if let old = truth[place] {
            if old.number != message.number { fail("\(place) is \(message.number) and \(old.number)") }
            return
        }
        truth[place] = message
        if let other = placeOfNumber.updateValue(place, forKey: message.number) {
            fail("\(message.number) is at \(place) and at \(other)")
        }
        guard message.id != 0 else { return }
        if let other = placeOfID.updateValue(place, forKey: "\(place.topic) \(place.generation) \(message.id)") {
            fail("id \(message.id) is at \(place) and at \(other)")
        }
    }
}
