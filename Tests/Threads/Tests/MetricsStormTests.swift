import CoreMetrics
import NIOCore
import Testing

@testable import ApusServer
@testable import ApusTesting

/// Many tasks record, make and destroy, while others scrape.
@Suite struct MetricsStormTests {
    private static let tasks = 8
    private static let rounds = 2000

    private func value(_ name: String, in registry: MetricsRegistry) -> MetricValue? {
        registry.families.first { $0.name == name }?.samples.first?.value
    }

    /// Runs `body` for every round of every task, and scrapes as long as they go on.
    private func storm(_ registry: MetricsRegistry, _ body: @escaping @Sendable (Int) -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<Self.tasks {
                group.addTask {
                    for round in 0..<Self.rounds { body(task * Self.rounds + round) }
                }
            }
            for _ in 0..<20 { _ = try Exposition(String(buffer: PrometheusText.write(registry.families))) }
            try await group.waitForAll()
        }
        _ = try Exposition(String(buffer: PrometheusText.write(registry.families)))
    }

    @Test func `nothing recorded is lost`() async throws {
        let registry = MetricsRegistry()
        try await storm(registry) { number in
            Counter(label: "whole", factory: registry).increment()
            FloatingPointCounter(label: "half", factory: registry).increment(by: 0.5)
            Meter(label: "level", factory: registry).increment(by: number.isMultiple(of: 2) ? 3.0 : 1.0)
            Recorder(label: "size", factory: registry).record(2)
        }
        let count = Self.tasks * Self.rounds
        #expect(value("whole_total", in: registry) == .integer(count))
        #expect(value("half_total", in: registry) == .floating(Double(count) / 2))
        #expect(value("level", in: registry) == .integer(count * 2))
        var sizes = HistogramValue(bounds: HistogramValue.valueBounds)
        for _ in 0..<count { sizes.observe(2) }
        #expect(value("size", in: registry) == .histogram(sizes))
    }

    @Test func `series that come and go leave the registry empty`() async throws {
        let registry = MetricsRegistry(maxSeries: 100)
        try await storm(registry) { number in
            let counter = Counter(label: "c\(number % 7)", dimensions: [("n", "\(number)")], factory: registry)
            let timer = Timer(label: "t", dimensions: [("n", "\(number % 10)")], factory: registry)
            counter.increment()
            timer.recordNanoseconds(1)
            counter.destroy()
            timer.destroy()
        }
        let left = registry.families.filter { !$0.name.hasPrefix("apus_metrics") }
        #expect(left.allSatisfy { $0.samples.map(\.labels) == [.overflow] })
        #expect(value("apus_metrics_series", in: registry) == .integer(left.count))
    }

    @Test func `beyond the bound nothing is lost either`() async throws {
        let registry = MetricsRegistry(maxSeries: 50)
        try await storm(registry) { number in
            Counter(label: "a", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        let family = try #require(registry.families.first { $0.name == "a_total" })
        #expect(family.samples.count == 51)
        #expect(family.samples.map(\.value).reduce(.integer(0), +) == .integer(Self.tasks * Self.rounds))
    }

    @Test func `loops beat while others look`() async {
        let watch = LoopWatch(loops: Self.tasks, timeout: 1000, tickInterval: 1, now: 0)
        await withTaskGroup(of: Void.self) { group in
            for beat in watch.beats {
                group.addTask { for now in 0..<Int64(Self.rounds) { beat.beat(now: now) } }
            }
            group.addTask { for _ in 0..<Self.rounds { _ = watch.isAlive(now: 0) } }
        }
        #expect(watch.isAlive(now: Int64(Self.rounds)))
    }
}
