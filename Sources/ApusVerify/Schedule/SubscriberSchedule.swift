/// When a subscriber connects and disconnects. It depends only on the seed.
struct SubscriberSchedule {
    let topic: Int
    let transport: VerifyTransport
    let isSlow: Bool
    private var random: ScheduleRandom
    private var moves: NodeSchedule
    private let dropEvery: ClosedRange<Double>
    private var isFirst = true

    /// Every tenth subscriber reads slowly, starting with the fourth. Topics and transports are assigned in turn.
    init(seed: UInt64, number: Int, settings: VerifySettings, transports: [VerifyTransport]) {
        random = ScheduleRandom(seed: seed, place: "subscriber \(number)")
        moves = NodeSchedule(seed: settings.seed, place: "subscriber \(number)", nodes: settings.nodes.count)
        topic = number % settings.topics
        transport = transports[number / settings.topics % transports.count]
        isSlow = number % 10 == 3
        dropEvery = settings.dropEvery
    }

    mutating func nextSession() -> SessionPlan {
        // The first session finds out where the topic stands.
        let plan = SessionPlan(
            pause: isFirst ? 0 : random.seconds(in: 0...0.3),
            life: random.seconds(in: dropEvery),
            cutsMidBatch: random.chance(percent: 50),
            cutsAtOnce: random.chance(percent: 3) && !isFirst,
            usesQuery: random.chance(percent: 50),
            cutShare: random.seconds(in: 0...1),
            // Falls behind on one connection and catches up on another.
            pace: isSlow ? (random.chance(percent: 50) ? 0.4 : 4) : nil,
            node: moves.next()
        )
        isFirst = false
        return plan
    }
}

/// One connection of a subscriber: how long it lasts, and how it ends.
struct SessionPlan: Equatable {
    /// Seconds before connecting.
    let pause: Double
    /// Seconds until the socket is closed; `nil` means no limit.
    var life: Double?
    /// Whether the connection ends with the first events after that time, with only some of them handled.
    let cutsMidBatch: Bool
    /// Whether the connection ends right after the subscriber has asked for events.
    var cutsAtOnce: Bool
    /// Whether an SSE position is sent in the query instead of the header.
    let usesQuery: Bool
    /// The share of the last batch that is handled when the connection ends in the middle of it.
    let cutShare: Double
    /// How fast a slow reader takes events, as a multiple of the topic's rate; `nil` for a reader that takes all at
    /// once.
    let pace: Double?
    /// The node to connect to, by its place in the settings.
    var node = 0

    var isSlow: Bool { pace != nil }

    /// The receive buffer of a slow reader, in bytes. It is small, so that unread data waits on the server.
    var receiveBufferBytes: Int? { isSlow ? 16 << 10 : nil }

    /// How long the socket lasts, in seconds. A connection that ends in the middle of a batch waits briefly for that
    /// batch.
    var socketLife: Double? { life.map { cutsMidBatch ? $0 + 0.2 : $0 } }

    /// One connection without an end that takes all at once.
    static let endless = SessionPlan(
        pause: 0,
        life: nil,
        cutsMidBatch: false,
        cutsAtOnce: false,
        usesQuery: false,
        cutShare: 0,
        pace: nil
    )

    /// The same plan without an end, for the time after the last publish.
    var endless: SessionPlan {
        var plan = self
        plan.life = nil
        plan.cutsAtOnce = false
        return plan
    }
}
