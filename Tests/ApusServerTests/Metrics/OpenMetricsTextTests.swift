import NIOCore
import Testing

@testable import ApusServer

@Suite struct OpenMetricsTextTests {
    private func text(_ families: [MetricFamily], _ exemplars: [Exemplar.Place: Exemplar] = [:]) -> String {
        String(buffer: OpenMetricsText.write(families, exemplars))
    }

    @Test func `a counter has its suffix on its lines only, and the text its end`() {
        let family = MetricFamily.counter("a_total", "What \"it\" is.", 3)
        #expect(text([family]) == "# TYPE a counter\n# HELP a What \\\"it\\\" is.\na_total 3\n# EOF\n")
        #expect(text([]) == "# EOF\n")
    }

    @Test func `the bounds of buckets are floating point numbers`() {
        var histogram = HistogramValue(bounds: [0.5, 1])
        histogram.observe(0.7)
        let family = MetricFamily(name: "h", help: "H.", kind: .histogram, value: .histogram(histogram))
        #expect(
            text([family])
                == """
                # TYPE h histogram
                # HELP h H.
                h_bucket{le="0.5"} 0
                h_bucket{le="1.0"} 1
                h_bucket{le="+Inf"} 1
                h_count 1
                h_sum 0.7
                # EOF

                """
        )
    }

    @Test func `an exemplar stands behind its value`() {
        var histogram = HistogramValue(bounds: [1])
        histogram.observe(0.7)
        let families = [
            MetricFamily.counter("a_total", "A.", ["x": 1, "y": 2], label: "r"),
            MetricFamily(name: "h", help: "H.", kind: .histogram, value: .histogram(histogram)),
        ]
        let example = Exemplar([("trace_id", "7")], value: 0.7, time: 1_764_520_000_123)
        let lines = text(
            families,
            [
                Exemplar.Place(family: "a_total", labels: ["r": "y"]): example,
                Exemplar.Place(family: "h", bucket: 0): example,
                // Without a value in its bucket there is no example either.
                Exemplar.Place(family: "h", bucket: 1): example,
            ]
        ).split(separator: "\n")
        #expect(lines.contains("a_total{r=\"x\"} 1"))
        #expect(lines.contains("a_total{r=\"y\"} 2 # {trace_id=\"7\"} 0.7 1764520000.123"))
        #expect(lines.contains("h_bucket{le=\"1.0\"} 1 # {trace_id=\"7\"} 0.7 1764520000.123"))
        #expect(lines.contains("h_bucket{le=\"+Inf\"} 1"))
    }

    @Test func `an exemplar's labels have at most 128 characters`() {
        let long = String(repeating: "é", count: 300)
        let example = Exemplar([("connection", "7"), ("topic", long), ("client_id", long)], value: 1, time: 0)
        let size = example.labels.sorted.reduce(0) { $0 + $1.name.unicodeScalars.count + $1.value.unicodeScalars.count }
        #expect(size <= Exemplar.maxLabels && size > 120)
        #expect(example.labels.sorted.contains { $0.name == "connection" && $0.value == "7" })
    }

    @Test(arguments: [
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
        ("application/openmetrics-text", true), ("text/plain", false), ("*/*", false), ("", false),
        ("application/openmetrics-text;q=0.2,text/plain", false), ("application/openmetrics-text;q=0", false),
    ])
    func `who asks for OpenMetrics by name gets it`(accept: String, isOpenMetrics: Bool) {
        #expect(AcceptedTypes([accept]).prefersOpenMetrics == isOpenMetrics)
    }
}
