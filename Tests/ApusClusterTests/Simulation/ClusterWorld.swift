import ApusCluster
import ApusProtocol
import NIOCore

/// Some nodes, three servers, and what comes between them.
///
/// ```
/// clients ──► ClusterNode ──► network ──► server 0, 1, 2: SimulatedStream
///    ▲            ▲ │  late, twice, never     │ a leader, or one that was
///  model ◄────────┘ └◄── consumers ◄──────────┘
/// ```
/// All that happens is an event with a time. The seed decides what happens next, and how long it takes.
final class ClusterWorld {
    enum Event {
        case arrive(node: Int, life: Int, PublishRequest)
        case answer(node: Int, boot: Int, number: UInt64, PublishAnswer)
        case timeout(node: Int, boot: Int, number: UInt64)
        case commit(stream: Int)
        case apply(server: Int, stream: Int, count: Int)
        case consume(node: Int, life: Int, ConsumeRequest)
        case purge(stream: Int, subject: String, before: UInt64)
        case deliver(node: Int, life: Int, Delivery)
        case heartbeat(node: Int, life: Int, consumer: SimulatedConsumer)
        case connect(node: Int, life: Int)
        case elect(stream: Int)
        case tick(node: Int)
    }

    static let names = ClusterNames()
    let setup: ClusterSetup
    let fault: ClusterFault?
    let model: ClusterModel
    var random: SplitMix64
    var queue = EventQueue<Event>()
    var now: Int64 = 1000
    /// By the numbers of `setup.streams`.
    var streams: [SimulatedStream]
    /// Servers that nobody reaches but their own clients.
    var isCut = [false, false, false]
    /// Whether the network still loses, delays and repeats.
    var isHostile = true
    var nodes: [SimulatedNode] = []

    init(seed: UInt64, fault: ClusterFault?, trace: ((String) -> Void)?) {
        var random = SplitMix64(seed: seed &* 0x2545_F491_4F6C_DD1D &+ 1)
        setup = ClusterSetup(random: &random)
        self.random = random
        self.fault = fault
        model = ClusterModel(setup: setup, trace: trace)
        let keeps = setup.keeps
        streams = setup.streams.map { SimulatedStream(stream: $0, keeps: $0.isRegistry ? 1 : keeps) }
        for number in 0..<setup.nodes { nodes.append(makeNode(number, boot: 0)) }
        for number in nodes.indices {
            connect(number, after: 1)
            queue.add(.tick(node: number), at: now + Int64(number) * 30)
        }
    }

    func chance(_ percent: Int) -> Bool { percent > 0 && Int.random(in: 0..<100, using: &random) < percent }
    func hostile(_ percent: Int) -> Bool { isHostile && chance(percent) }
    func index(of stream: ClusterStream) -> Int { stream.isRegistry ? 1 : 0 }

    /// How long something takes on its way.
    func delay() -> Int64 {
        if hostile(setup.slow) { return Int64.random(in: 200...2500, using: &random) }
        return Int64.random(in: 1...20, using: &random)
    }

    // MARK: Events

    /// Lets everything happen that is due until a time.
    func run(until end: Int64) {
        while let next = queue.next, next <= end, model.mistakes.isEmpty, let (time, event) = queue.pop() {
            now = time
            model.now = time
            handle(event)
        }
        now = end
        model.now = end
    }

    private func handle(_ event: Event) {
        switch event {
        case .arrive(let node, let life, let request): arrive(request, from: node, life: life)
        case .answer(let node, let boot, let number, let answer): receive(answer, number, at: node, boot: boot)
        case .timeout(let node, let boot, let number): receive(.unavailable("timeout"), number, at: node, boot: boot)
        case .commit(let stream): commit(stream)
        case .apply(let server, let stream, let count): apply(count, of: stream, at: server)
        case .consume(let node, let life, let request): makeConsumer(request, for: node, life: life)
        case .purge(let stream, let subject, let sequence):
            if streams[stream].leader != nil { streams[stream].purge(subject, before: sequence) }
        case .deliver(let node, let life, let delivery):
            if nodes[node].life == life { tell(node, .delivered(delivery)) }
        case .heartbeat(let node, let life, let consumer): beat(consumer, of: node, life: life)
        case .connect(let node, let life): connected(node, life: life)
        case .elect(let stream): elect(stream)
        case .tick(let node):
            nodes[node].machine.tick(now: now, lead: nodes[node].lead)
            carryOut(node)
            queue.add(.tick(node: node), at: now + 100)
        }
    }

    // MARK: Nodes

    private func makeNode(_ number: Int, boot: Int) -> SimulatedNode {
        var timing = ClusterTiming()
        if fault == .leavesHalfDeleted { timing.finish = .max / 4 }
        var limits = ClusterLimits()
        limits.packBytes = setup.packBytes
        limits.heldDeliveries = 4
        let lead = 1_000_000 + Int64.random(in: -300...300, using: &random)
        guard let names = Self.names else { preconditionFailure("the standard prefix is one") }
        let machine = ClusterNode<SimulatedContents>(
            names: names,
            id: random.next(),
            timing: timing,
            limits: limits,
            streams: setup.streams,
            now: now,
            lead: lead
        )
        return SimulatedNode(machine: machine, lead: lead, boot: boot)
    }

    /// A node stops, and another one takes its place that knows nothing.
    func replace(_ number: Int) {
        model.forget(number)
        let life = nodes[number].life
        nodes[number] = makeNode(number, boot: nodes[number].boot + 1)
        nodes[number].life = life + 1
        connect(number, after: Int64.random(in: 10...1500, using: &random))
    }

    func tell(_ node: Int, _ event: JetStreamEvent) {
        guard let event = passed(event, to: node) else { return }
        nodes[node].machine.receive(event, now: now)
        carryOut(node)
    }

    /// Does what a node wants.
    func carryOut(_ node: Int) {
        for action in nodes[node].machine.takeActions() {
            switch action {
            case .publish(let request): publish(request, from: node)
            case .consume(let request):
                queue.add(.consume(node: node, life: nodes[node].life, request), at: now + delay())
            case .purge(let stream, let subject, let before):
                // Nobody waits for the answer, so it may be lost.
                if hostile(setup.loss) { continue }
                let before = fault == .purgesTombstone ? before + 1 : before
                queue.add(.purge(stream: index(of: stream), subject: subject, before: before), at: now + delay())
            case .changeServer:
                disconnect(node, back: Int64.random(in: 10...300, using: &random))
            }
        }
        model.take(nodes[node].machine.takeEvents(), at: node, fault: fault, streams: streams)
    }

    private func publish(_ request: PublishRequest, from node: Int) {
        let sent = passed(request, from: node)
        nodes[node].outstanding.insert(request.number)
        let boot = nodes[node].boot
        queue.add(.timeout(node: node, boot: boot, number: request.number), at: now + request.timeout)
        if hostile(setup.loss) { return }
        queue.add(.arrive(node: node, life: nodes[node].life, sent), at: now + delay())
        // A route between servers came and went.
        if hostile(setup.repeats) { queue.add(.arrive(node: node, life: nodes[node].life, sent), at: now + delay()) }
    }

    private func receive(_ answer: PublishAnswer, _ number: UInt64, at node: Int, boot: Int) {
        guard nodes[node].boot == boot, nodes[node].outstanding.remove(number) != nil else { return }
        tell(node, .answered(number, answer))
    }

    // MARK: Connections

    func connect(_ node: Int, after delay: Int64) {
        queue.add(.connect(node: node, life: nodes[node].life), at: now + delay)
    }

    private func connected(_ node: Int, life: Int) {
        guard nodes[node].life == life, nodes[node].server == nil else { return }
        let others = [0, 1, 2].filter { $0 != nodes[node].lastServer }
        nodes[node].server = others[Int.random(in: 0..<others.count, using: &random)]
        nodes[node].lastServer = nodes[node].server
        tell(node, .connected)
    }

    func disconnect(_ node: Int, back: Int64) {
        guard nodes[node].server != nil else { return }
        nodes[node].server = nil
        nodes[node].life += 1
        nodes[node].consumers = [nil, nil]
        let outstanding = nodes[node].outstanding.sorted()
        nodes[node].outstanding = []
        tell(node, .disconnected)
        for number in outstanding { tell(node, .answered(number, .unavailable("disconnected"))) }
        connect(node, after: back)
    }
}

/// A node, and the connection that it has.
struct SimulatedNode {
    var machine: ClusterNode<SimulatedContents>
    let lead: Int64
    /// Counts processes.
    let boot: Int
    /// Counts connections.
    var life = 0
    var server: Int?
    var lastServer: Int?
    var outstanding: Set<UInt64> = []
    var consumers: [SimulatedConsumer?] = [nil, nil]
    /// For a fault: the deliveries that came, and of which consumers.
    var seen: [UInt64] = [0, 0]
    var seenConsumer: [UInt64] = [0, 0]

    init(machine: ClusterNode<SimulatedContents>, lead: Int64, boot: Int) {
        (self.machine, self.lead, self.boot) = (machine, lead, boot)
    }
}

struct SimulatedConsumer {
    let request: ConsumeRequest
    let server: Int
    var next: UInt64
    var deliveries: UInt64 = 0
    /// Deliveries keep their order.
    var arrival: Int64 = 0
}
