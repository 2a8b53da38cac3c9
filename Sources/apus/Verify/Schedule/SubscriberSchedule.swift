/// How a subscriber treats its connections; follows from the seed alone.
struct SubscriberSchedule {
    let topic: Int
    let transport: VerifyTransport
    let isSlow: Bool
    private var random: ScheduleRandom
    private let dropEvery: ClosedRange<Double>
    private var isFirst = true

    /// Every tenth reads slowly, beginning with the fourth; topics and transports take turns.
    init(seed: UInt64, number: Int, settings: VerifySettings, transports: [VerifyTransport]) {
        random = ScheduleRandom(seed: seed, place: "subscriber \(number)")
        topic = number % settings.topics
        transport = transports[number / settings.topics % transports.count]
        isSlow = number % 10 == 3
        dropEvery = settings.dropEvery
    }

    mutating func nextSession() -> SessionPlan {
        // The first is to learn where the topic stands.
        let plan = SessionPlan(
            pause: isFirst ? 0 : random.seconds(in: 0...0.3),
            life: random.seconds(in: dropEvery),
            cutsMidBatch: random.chance(percent: 50),
            cutsAtOnce: random.chance(percent: 3) && !isFirst,
            usesQuery: random.chance(percent: 50),
            cutShare: random.seconds(in: 0...1),
            // Falls behind on one connection and catches up on another.
            pace: isSlow ? (random.chance(percent: 50) ? 0.4 : 4) : nil
        )
        isFirst = false
        return plan
    }
}

/// One connection of a subscriber: how long it lives, and how it dies.
struct SessionPlan: Equatable {
    /// Seconds before connecting.
    let pause: Double
    /// Seconds until the socket is closed; nil for as long as it goes.
    var life: Double?
    /// Whether it dies with the first events after that, having handled only some of them.
    let cutsMidBatch: Bool
    /// Whether it dies right after it asked for events.
    var cutsAtOnce: Bool
    /// Whether an SSE position goes in the query, not the header.
    let usesQuery: Bool
    /// The share of the last batch that is handled when it dies in the middle of one.
    let cutShare: Double
    /// How fast a slow reader takes events, in multiples of the topic's rate; nil for one that takes all at once.
    let pace: Double?

    var isSlow: Bool { pace != nil }

    /// The kernel's buffer of a slow reader: small, so that what it does not read waits at the server.
    var receiveBufferBytes: Int? { isSlow ? 16 << 10 : nil }

    /// How long the socket itself lives; one that dies in the middle of a batch waits a little for that batch.
    var socketLife: Double? { life.map { cutsMidBatch ? $0 + 0.2 : $0 } }

    /// The same without an end, for the time after the last publish.
    var endless: SessionPlan {
        var plan = self
        plan.life = nil
        plan.cutsAtOnce = false
        return plan
    }
}
