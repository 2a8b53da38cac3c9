import ApusBroker
import ApusCluster
import ApusJournal
import ApusProtocol
import Foundation
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What this node tells the others of its cluster, and knows of them.
///
/// ```
///  Housekeeping ── tick ──►┌────────────────────┐──► PeerLink.send
///  libnats' thread ───────►│ lock: ClusterPeers │
///  routes ◄── counts ──────└────────────────────┘
/// ```
final class ClusterView: Sendable {
    /// How often the others are told how this node is, and what has changed. With more topics than `manyTopics`, which
    /// take a while to ask, every second time.
    private static let (interval, manyTopics) = (Duration.milliseconds(500), 10_000)
    /// How long what JetStream says of its streams is taken for the same.
    private static let freshness = Duration.seconds(1)

    private struct State {
        var peers: ClusterPeers
        var address = ""
        var isOver = false
    }

    let journal: ClusterJournal
    private let link: any PeerLink
    private let names: ClusterNames
    private let name: String
    private let broker: any Broker
    private let started = ServerClock.now.wall
    private let state: NIOLockedValueBox<State>
    private let standings = StreamStandings()
    let listings: ClusterListings

    /// - Parameter name: the node's name; empty for its host and port.
    init(_ connection: ClusterConnection, name: String, maxTopics: Int, journal: ClusterJournal, broker: any Broker) {
        (link, names, self.name) = (connection.link, connection.names, name)
        (self.journal, self.broker) = (journal, broker)
        var limits = ClusterPeers.Limits()
        limits.topics = maxTopics
        let id = UInt64.random(in: .min ... .max)
        state = NIOLockedValueBox(State(peers: ClusterPeers(id: id, limits: limits, now: ServerClock.now.steady)))
        listings = ClusterListings(id: id) { [link, names] content in
            link.send(PeerMessage(node: id, content).body, to: names.peersSubject)
        }
        link.listen(to: names.peersSubject) { [weak self] body in
            // What is no node's message is none for this node.
            guard let self, let message = PeerMessage(body) else { return }
            self.receive(message)
        }
    }

    /// Where this node's clients find it.
    func isListening(at address: ListenAddress?) {
        state.withLockedValue { $0.address = address.map { "\($0)" } ?? "" }
    }

    private func receive(_ message: PeerMessage) {
        switch message.content {
        case .list(let request): listings.answer(request, of: message.node)
        case .listed(let part): listings.take(part, from: message.node)
        case .state, .counts, .ask, .leave:
            let now = ServerClock.now.steady
            state.withLockedValue { $0.peers.receive(message, now: now) }
        }
    }

    // MARK: Telling

    /// Tells the others about this node until the task is cancelled, and then that it ends.
    func run(_ figures: ConsoleFigures) async {
        var isEven = false
        while !Task.isCancelled {
            isEven.toggle()
            if isEven || broker.topicCount <= Self.manyTopics { tick(figures.newest) }
            try? await Task.sleep(for: Self.interval)
        }
        listings.answer(by: nil)
        let farewell = state.withLockedValue { state in
            state.isOver = true
            return state.peers.farewell
        }
        link.send(farewell.body, to: names.peersSubject)
    }

    func tick(_ sample: Sample?) {
        let counts = broker.topics.map { TopicCount($0.name, $0.subscriberCount) }
        let server = link.server
        let now = ServerClock.now.steady
        let messages = state.withLockedValue { state in
            let own = ownState(sample, address: state.address, server: server)
            return state.peers.tick(own, counts, isConnected: server != nil, now: now)
        }
        for message in messages { link.send(message.body, to: names.peersSubject) }
    }

    private func ownState(_ sample: Sample?, address: String, server: String?) -> NodeState {
        let status = journal.status
        var own = NodeState()
        own.name = String(bounding: name.isEmpty ? Self.defaultName(address) : name)
        own.version = apusVersion
        own.address = String(bounding: address)
        own.started = started
        own.isReady = status.isReady
        own.lag = status.missing
        own.server = String(bounding: server ?? "")
        if let point = sample?.point {
            own.figures.connections = Int(point[.connections])
            own.figures.subscriptions = Int(point[.subscriptions])
            own.figures.publishes = Int(point[.publishes].rounded())
            own.figures.deliveries = Int(point[.deliveries].rounded())
        }
        return own
    }

    private static func defaultName(_ address: String) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        let isKnown = gethostname(&bytes, bytes.count - 1) == 0
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let host = isKnown && !name.isEmpty ? name : "node"
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]) else {
            return host
        }
        return "\(host):\(port)"
    }

    // MARK: What is known

    /// How many subscribers topics have on the other nodes, and of when.
    var others: OtherSubscribers {
        let now = ServerClock.now
        return state.withLockedValue { state in
            OtherSubscribers(
                counts: state.peers.counts,
                asOf: Timestamp(milliseconds: state.peers.asOf(now: now.steady) + now.wall - now.steady)
            )
        }
    }

    var nodes: [ClusterPeers.Node] {
        let now = ServerClock.now.steady
        return state.withLockedValue { $0.peers.nodes(now: now) }
    }

    /// The streams as JetStream has them, at most ``freshness`` old.
    func streams() async -> [ClusterStreamReport] {
        let known = await standings.get(freshness: Self.freshness) { [link] in
            await withTaskGroup(of: (ClusterStream, StreamStanding?).self) { group in
                for stream in ClusterStream.all { group.addTask { (stream, await link.standing(of: stream)) } }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
        }
        return journal.status.streams.map { stream in
            ClusterStreamReport(name: names.stream(stream.stream), mirror: stream, standing: known[stream.stream])
        }
    }
}

/// The subscribers of all topics on the other nodes of a cluster.
struct OtherSubscribers {
    let counts: [ExactText: Int]
    let asOf: Timestamp

    subscript(topic: String) -> Int { counts[ExactText(topic)] ?? 0 }
}

/// One of the cluster's streams, as JetStream and this node have it.
struct ClusterStreamReport {
    let name: String
    let mirror: ClusterStatus.Stream
    /// `nil` if JetStream does not answer.
    let standing: StreamStanding?
}

/// What JetStream last said of its streams. However many ask, it is asked once in a while.
private actor StreamStandings {
    private var asking: Task<[ClusterStream: StreamStanding], Never>?
    private var begun: ContinuousClock.Instant?

    func get(
        freshness: Duration,
        _ ask: @escaping @Sendable () async -> [ClusterStream: StreamStanding]
    ) async -> [ClusterStream: StreamStanding] {
        if let asking, let begun, ContinuousClock.now - begun < freshness { return await asking.value }
        let task = Task { await ask() }
        (asking, begun) = (task, .now)
        return await task.value
    }
}

extension String {
    /// What a peer's message takes of a text.
    fileprivate init(bounding text: String) {
        var bounded = text
        while bounded.utf8.count > NodeState.longestText { bounded.removeLast() }
        self = bounded
    }
}
