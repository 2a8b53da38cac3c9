import ApusCluster
import Foundation
import Testing

/// Ten thousand clusters. A failure prints its seed, and what happened in its world.
///
/// `APUS_FIRST_SEED=10000 swift test --filter ClusterSimulationTests` takes others.
@Suite struct ClusterSimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seeds = environment["APUS_SEEDS"].flatMap(UInt64.init) ?? 10_000
    private static let firstSeed = environment["APUS_FIRST_SEED"].flatMap(UInt64.init) ?? 0
    private static let blocks: UInt64 = 50

    @Test(arguments: 0..<blocks)
    func `nodes show one order of all that was acked, whatever happens between them`(block: UInt64) {
        let size = Self.seeds / Self.blocks
        let first = Self.firstSeed + block * size
        for seed in first..<first + size where ClusterSimulation(seed: seed).run() != nil {
            var lines: [String] = []
            let mistake = ClusterSimulation(seed: seed).run { lines.append($0) }
            Issue.record("seed \(seed): \(mistake ?? "not again")\n\(lines.joined(separator: "\n"))")
            return
        }
    }

    @Test(arguments: ClusterFault.allCases)
    func `a planted fault is found`(fault: ClusterFault) {
        let found = (0..<2000).first { ClusterSimulation(seed: $0, fault: fault).run() != nil }
        #expect(found != nil)
    }

    @Test func `a seed is the same world each time`() {
        let journals = (0...1).map { _ in
            var lines: [String] = []
            _ = ClusterSimulation(seed: 7).run { lines.append($0) }
            return lines
        }
        #expect(journals[0] == journals[1] && journals[0].count > 60)
    }
}
