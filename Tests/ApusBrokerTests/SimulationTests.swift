import ApusTesting
import Foundation
import Testing

/// Thousands of small worlds against a naive model. A failure prints its seed, and what happened.
@Suite struct SimulationTests {
    @Test(arguments: 0..<10)
    func `everything is as the model says it must be`(block: Int) {
        for seed in UInt64(block * 100)..<UInt64(block * 100 + 100) {
            guard let failure = Simulation(seed: seed).run() else { continue }
            Issue.record("\(failure)")
            return
        }
    }
}
