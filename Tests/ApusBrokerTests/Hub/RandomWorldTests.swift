import Testing

/// Thousands of small worlds against a naive model. A failure prints its seed, and what happened.
@Suite struct RandomWorldTests {
    @Test(arguments: 0..<10)
    func `every subscriber sees what the model says it must`(block: Int) {
        for seed in UInt64(block * 300)..<UInt64(block * 300 + 300) {
            let world = RandomWorld(seed: seed)
            world.run(steps: 80)
            guard let mistake = world.mistakes.first else { continue }
            Issue.record("seed \(seed): \(mistake)\n\(world.journal.joined(separator: "\n"))")
            return
        }
    }
}
