/// What one publisher sends and when. It depends only on the seed.
struct PublisherSchedule {
    /// One command or request.
    struct Send: Equatable {
        /// Seconds after the previous send.
        let delay: Double
        let topic: Int
        /// The padding of each message, in bytes. Several messages are a batch.
        let sizes: [Int]
        let isBatch: Bool
    }

    private var random: ScheduleRandom
    private let topics: Int
    /// Seconds between two messages of this publisher.
    private let interval: Double

    init(seed: UInt64, number: Int, publishers: Int, topics: Int, rate: Double) {
        random = ScheduleRandom(seed: seed, place: "publisher \(number)")
        self.topics = topics
        interval = Double(publishers) / rate
    }

    mutating func next() -> Send {
        let isBatch = random.chance(percent: 25)
        let count = isBatch ? Int.random(in: 1...30, using: &random) : 1
        return Send(
            delay: interval * Double(count) * random.seconds(in: 0.5...1.5),
            topic: Int.random(in: 0..<topics, using: &random),
            sizes: (0..<count).map { _ in size() },
            isBatch: isBatch
        )
    }

    /// Mostly small sizes, with some large enough to span several reads.
    private mutating func size() -> Int {
        switch Int.random(in: 0..<100, using: &random) {
        case ..<90: Int.random(in: 0...200, using: &random)
        case ..<99: Int.random(in: 200...2_000, using: &random)
        default: Int.random(in: 2_000...16_000, using: &random)
        }
    }
}
