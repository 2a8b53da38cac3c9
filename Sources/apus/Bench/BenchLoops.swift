import ApusClient
import ApusLoad
import NIOHTTP1

/// The lateness of the server's loops, from `/metrics`.
struct BenchLoops: Equatable {
    /// How late the loops that serve clients processed work from other loops: counts by upper bound in seconds. Each
    /// event counts in one bucket.
    private var counts: [Double: Double] = [:]
    private var seconds = 0.0
    private var loops: Set<String> = []
    private var held = 0.0

    private static let name = "apus_loop_lag_seconds"

    /// Reads the metrics; `nil` if the server does not provide them.
    static func read(_ client: RESTClient) async -> BenchLoops? {
        guard let answer = try? await client.send(.GET, "/metrics"), answer.status == 200 else { return nil }
        return BenchLoops(ScrapedMetrics(text: answer.body))
    }

    init?(_ metrics: ScrapedMetrics) {
        guard let held = metrics.total("apus_publishes_held_total") else { return nil }
        self.held = held
        var below: [String: Double] = [:]
        for sample in metrics.samples {
            // HTTP loops only do work that is requested.
            guard let loop = sample.label("loop"), loop.hasPrefix("socket") else { continue }
            switch sample.name {
            case "\(Self.name)_sum": seconds += sample.value
            case "\(Self.name)_bucket":
                guard let bound = sample.label("le").flatMap({ Double($0) }) else { continue }
                loops.insert(String(loop))
                // Buckets are cumulative: each includes the buckets before it.
                counts[bound, default: 0] += sample.value - below[String(loop), default: 0]
                below[String(loop)] = sample.value
            default: continue
            }
        }
        if loops.isEmpty { return nil }
    }

    /// The difference to an earlier reading.
    func since(_ before: BenchLoops) -> LoadResult.Loops {
        let new = counts.map { (bound: $0.key, count: $0.value - before.counts[$0.key, default: 0]) }
        let sorted = new.sorted { $0.bound < $1.bound }
        let total = sorted.reduce(0) { $0 + $1.count }
        var seen = 0.0
        let p99 = sorted.first { bucket in
            seen += bucket.count
            return seen >= total * 0.99
        }
        return LoadResult.Loops(
            count: loops.count,
            meanLag: total > 0 ? (seconds - before.seconds) / total * 1e6 : 0,
            p99LagAtMost: total == 0 ? nil : p99.flatMap { $0.bound.isFinite ? $0.bound * 1e6 : nil },
            heldPublishes: Int(max(held - before.held, 0))
        )
    }
}
