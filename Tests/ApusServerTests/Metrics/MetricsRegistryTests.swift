import ApusTesting
import CoreMetrics
import NIOCore
import Testing

@testable import ApusServer

/// What swift-metrics records is what a scrape shows.
@Suite struct MetricsRegistryTests {
    private let registry = MetricsRegistry()

    private func scrape(_ registry: MetricsRegistry) throws -> Exposition {
        try Exposition(String(buffer: PrometheusText.write(registry.families)))
    }

    private func scrape() throws -> Exposition { try scrape(registry) }

    @Test func `a counter counts, and ends in _total once`() throws {
        let counter = Counter(label: "orders.shipped", dimensions: [("country", "nz")], factory: registry)
        counter.increment(by: 41)
        counter.increment()
        Counter(label: "seen_total", factory: registry).increment()
        #expect(try scrape().value("orders_shipped_total", ["country": "nz"]) == "42")
        #expect(try scrape().value("seen_total") == "1")
        counter.reset()
        #expect(try scrape().value("orders_shipped_total", ["country": "nz"]) == "0")
    }

    @Test func `a counter never goes down`() throws {
        let counter = Counter(label: "a", factory: registry)
        counter.increment(by: 3)
        counter.increment(by: -2)
        #expect(try scrape().value("a_total") == "3")
        // Beyond the largest number it begins again.
        counter.increment(by: Int64.max)
        #expect(try scrape().value("a_total") == "2")
    }

    @Test func `large counts stay exact`() throws {
        Counter(label: "a", factory: registry).increment(by: Int64(9_007_199_254_740_993))
        Meter(label: "b", factory: registry).set(Int64.min)
        #expect(try scrape().value("a_total") == "9007199254740993")
        #expect(try scrape().value("b") == "-9223372036854775808")
    }

    @Test func `a floating counter keeps fractions, and ignores what is no amount`() throws {
        let counter = FloatingPointCounter(label: "cpu.seconds", factory: registry)
        for amount in [0.25, 0.5, -1, .nan, .infinity] { counter.increment(by: amount) }
        #expect(try scrape().value("cpu_seconds_total") == "0.75")
        counter.increment(by: 0.25)
        #expect(try scrape().value("cpu_seconds_total") == "1")
    }

    @Test func `a meter goes up and down`() throws {
        let meter = Meter(label: "queue", factory: registry)
        meter.set(10)
        meter.increment()
        meter.decrement(by: 4.0)
        #expect(try scrape().value("queue") == "7")
        meter.increment(by: 0.5)
        meter.increment(by: Double.nan)
        #expect(try scrape().value("queue") == "7.5")
        meter.set(-Double.infinity)
        #expect(try scrape().value("queue") == "-Inf")
        meter.set(Double.nan)
        #expect(try scrape().value("queue") == "NaN")
    }

    @Test func `a recorder that does not aggregate is a gauge of the last value`() throws {
        let recorder = Recorder(label: "size", aggregate: false, factory: registry)
        recorder.record(5)
        recorder.record(3)
        #expect(try scrape().value("size") == "3")
        #expect(try scrape()["size"]?.kind == "gauge")
    }

    @Test func `a recorder that aggregates is a histogram with bounds of its own`() throws {
        let registry = MetricsRegistry(bounds: ["size": [100, 10, 10, .infinity]])
        let recorder = Recorder(label: "size", factory: registry)
        for value in [1, 10, 11, 1000] { recorder.record(value) }
        recorder.record(Double.nan)
        let scrape = try scrape(registry)
        #expect(scrape.value("size_bucket", ["le": "10"]) == "2")
        #expect(scrape.value("size_bucket", ["le": "100"]) == "3")
        #expect(scrape.value("size_bucket", ["le": "+Inf"]) == "4")
        #expect(scrape.value("size_sum") == "1022")
        #expect(scrape["size"]?.samples.count == 5)
    }

    @Test func `a timer is a histogram in seconds`() throws {
        let timer = Timer(label: "db.query", dimensions: [("table", "t")], factory: registry)
        timer.recordMilliseconds(20)
        timer.recordNanoseconds(-5)
        timer.recordSeconds(100)
        Timer(label: "wait.seconds", factory: registry).recordSeconds(1)
        let scrape = try scrape()
        #expect(scrape.value("db_query_seconds_bucket", ["table": "t", "le": "0.0001"]) == "1")
        #expect(scrape.value("db_query_seconds_bucket", ["table": "t", "le": "0.025"]) == "2")
        #expect(scrape.value("db_query_seconds_count", ["table": "t"]) == "3")
        #expect(scrape.value("db_query_seconds_sum", ["table": "t"]) == "100.02")
        #expect(scrape.value("wait_seconds_count") == "1")
    }

    @Test func `the same label and dimensions in any order are one series`() throws {
        Counter(label: "a", dimensions: [("x", "1"), ("y", "2")], factory: registry).increment()
        Counter(label: "a", dimensions: [("y", "2"), ("x", "1"), ("z", "")], factory: registry).increment()
        FloatingPointCounter(label: "a", dimensions: [("x", "1"), ("y", "2")], factory: registry).increment(by: 1)
        #expect(try scrape().value("a_total", ["x": "1", "y": "2"]) == "3")
        #expect(try scrape()["a_total"]?.samples.count == 1)
    }

    @Test func `what is destroyed is not exported, and its name is free`() throws {
        let counter = Counter(label: "a", factory: registry)
        let other = Counter(label: "a", dimensions: [("x", "1")], factory: registry)
        let floating = FloatingPointCounter(label: "b", factory: registry)
        let meter = Meter(label: "c", factory: registry)
        let recorder = Recorder(label: "d", factory: registry)
        let timer = Timer(label: "e", factory: registry)
        counter.destroy()
        #expect(try scrape()["a_total"]?.samples.count == 1)
        other.destroy()
        floating.destroy()
        meter.destroy()
        recorder.destroy()
        timer.destroy()
        timer.destroy()
        #expect(try scrape().families.map(\.name) == ["apus_metrics_refused_total", "apus_metrics_series"])
        #expect(try scrape().value("apus_metrics_series") == "0")
        counter.increment()
        Meter(label: "a_total_", factory: registry).set(1)
        Counter(label: "a", factory: registry).increment(by: 5)
        #expect(try scrape().value("a_total") == "5")
    }

    @Test func `a handler that was destroyed does not take its successor along`() throws {
        let first = Counter(label: "a", factory: registry)
        first.destroy()
        Counter(label: "a", factory: registry).increment()
        first.destroy()
        #expect(try scrape().value("a_total") == "1")
    }

    @Test func `a name that another kind has is refused and counted`() throws {
        Timer(label: "a", factory: registry).recordSeconds(1)
        Meter(label: "a.seconds", factory: registry).set(1)
        Meter(label: "a.seconds.count", factory: registry).set(1)
        Meter(label: "b.sum", factory: registry).set(1)
        Recorder(label: "b", factory: registry).record(1)
        let scrape = try scrape()
        #expect(scrape["a_seconds"]?.kind == "histogram")
        #expect(scrape["a_seconds_count"] == nil)
        #expect(scrape["b"] == nil)
        #expect(scrape.value("apus_metrics_refused_total", ["reason": "name"]) == "3")
    }

    @Test func `series beyond the bound are folded into one of their family`() throws {
        let registry = MetricsRegistry(maxSeries: 10)
        for number in 0..<100_000 {
            Counter(label: "a", dimensions: [("id", "\(number)")], factory: registry).increment()
        }
        Meter(label: "b", factory: registry).set(1)
        let scrape = try scrape(registry)
        #expect(scrape["a_total"]?.samples.count == 11)
        #expect(scrape.value("a_total", ["overflow": "true"]) == "99990")
        #expect(scrape["b"] == nil)
        #expect(scrape.value("apus_metrics_series") == "11")
        #expect(scrape.value("apus_metrics_refused_total", ["reason": "folded"]) == "99990")
        #expect(scrape.value("apus_metrics_refused_total", ["reason": "max_series"]) == "1")
    }

    @Test func `room that is made is used, and an overflow stays`() throws {
        let registry = MetricsRegistry(maxSeries: 1)
        let first = Counter(label: "a", dimensions: [("id", "1")], factory: registry)
        let folded = Counter(label: "a", dimensions: [("id", "2")], factory: registry)
        folded.increment()
        first.destroy()
        folded.destroy()
        #expect(try scrape(registry).value("a_total", ["overflow": "true"]) == "1")
        #expect(registry.families.first { $0.name == "apus_metrics_series" }?.samples.first?.value == .integer(1))
    }

    @Test func `help is what was said, or names the label`() throws {
        registry.setHelp("Back\\slash and\nnewline, \"quotes\".", for: "a")
        Counter(label: "a", factory: registry).increment()
        Counter(label: "b.c", factory: registry).increment()
        #expect(try scrape()["a_total"]?.help == #"Back\\slash and\nnewline, "quotes"."#)
        #expect(try scrape()["b_c_total"]?.help == "The swift-metrics counter b.c.")
    }

    @Test func `a request is counted by method and status, and timed`() throws {
        let requests = RequestMetrics(registry: registry)
        requests.record(method: "GET", status: 200, took: .milliseconds(3))
        requests.record(method: "GET", status: 200, took: .milliseconds(4))
        for number in 0..<50 { requests.record(method: "X\(number)", status: 405, took: .zero) }
        let scrape = try scrape()
        #expect(scrape.value("apus_http_requests_total", ["method": "GET", "status": "200"]) == "2")
        #expect(scrape.value("apus_http_requests_total", ["method": "other", "status": "405"]) == "50")
        #expect(scrape["apus_http_requests_total"]?.samples.count == 2)
        #expect(scrape.value("apus_http_request_duration_seconds_count") == "52")
        #expect(scrape.value("apus_http_request_duration_seconds_sum") == "0.007")
    }
}
