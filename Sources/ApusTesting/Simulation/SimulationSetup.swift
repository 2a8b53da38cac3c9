import ApusBroker

/// What the seed decides before the first step.
struct SimulationSetup {
    private(set) var limits: MemoryBroker.Limits
    private(set) var turns = TurnLimits()
    let hubs: Int
    /// Whether some topics are kept by a journal.
    let isJournaled: Bool
    let names: [String]

    static let patterns = ["a.*", "*.x", ">", "a.>"]
    private static let names = ["a", "a.x", "a.y", "b.x"]

    /// - Parameter isJournaled: whether there is a journal; without one a seed is the same world as ever.
    init(isJournaled: Bool, using generator: inout SeededGenerator) {
        self.isJournaled = isJournaled
        limits = MemoryBroker.Limits(
            history: [0, 1, 3, 10, 50].randomElement(using: &generator) ?? 0,
            topicBytes: generator.chance(6) ? 600 : 1 << 28,
            dedupe: [2, 5, 100].randomElement(using: &generator) ?? 2
        )
        if generator.chance(40) {
            limits.loopPace = LoopPace(deliveries: Int.random(in: 1...20, using: &generator), fewestMessages: 1)
        }
        if generator.chance(40) {
            // A few deliveries and notices each.
            turns = TurnLimits(
                bytes: Int.random(in: 1...20_000, using: &generator),
                notices: Int.random(in: 1...4, using: &generator),
                claims: Int.random(in: 1...3, using: &generator)
            )
        }
        hubs = Int.random(in: 1...3, using: &generator)
        names = Array(Self.names.shuffled(using: &generator).prefix(Int.random(in: 1...4, using: &generator)))
        if isJournaled, generator.chance(30) { limits.uncommittedBytes = Int.random(in: 1...1000, using: &generator) }
    }
}
