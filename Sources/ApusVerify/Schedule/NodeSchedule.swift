/// Which of several nodes comes next. It depends only on the seed, and does not change what else the seed decides.
struct NodeSchedule {
    private var random: ScheduleRandom
    private let nodes: Int

    init(seed: UInt64, place: String, nodes: Int) {
        random = ScheduleRandom(seed: seed, place: "\(place) between nodes")
        self.nodes = nodes
    }

    mutating func next() -> Int { nodes > 1 ? Int.random(in: 0..<nodes, using: &random) : 0 }

    /// How long to stay there, in seconds.
    mutating func stay(in range: ClosedRange<Double>) -> Double { random.seconds(in: range) }
}
