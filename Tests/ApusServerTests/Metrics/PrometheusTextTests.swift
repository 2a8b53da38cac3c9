import ApusTesting
import NIOCore
import Testing

@testable import ApusServer

/// Every line of a scrape is one that Prometheus takes, whatever is in it.
@Suite struct PrometheusTextTests {
    private func gauge(_ name: String, _ samples: [MetricFamily.Sample]) -> MetricFamily {
        MetricFamily(name: name, help: "Help.", kind: .gauge, samples: samples)
    }

    private func text(_ families: [MetricFamily]) -> String {
        String(buffer: PrometheusText.write(families))
    }

    @Test func `a scrape is sorted by name and by labels`() {
        let families = [
            MetricFamily(name: "b_total", help: "B.", kind: .counter, value: .integer(1)),
            gauge(
                "a",
                [
                    .init(["y": "1", "x": "2"], .integer(2)),
                    .init([:], .floating(0.5)),
                    .init(["x": "1"], .integer(1)),
                ]
            ),
        ]
        #expect(
            text(families) == """
                # HELP a Help.
                # TYPE a gauge
                a 0.5
                a{x="1"} 1
                a{x="2",y="1"} 2
                # HELP b_total B.
                # TYPE b_total counter
                b_total 1

                """
        )
    }

    @Test func `a histogram has cumulative buckets, a sum and a count for each series`() {
        var value = HistogramValue(bounds: [0.5, 2])
        for observed in [0.25, 0.5, 1.5, 2.25] { value.observe(observed) }
        let families = [
            MetricFamily(
                name: "h",
                help: "H.",
                kind: .histogram,
                samples: [.init(["a": "b"], .histogram(value)), .init([:], .histogram(HistogramValue(bounds: [])))]
            )
        ]
        #expect(
            text(families) == """
                # HELP h H.
                # TYPE h histogram
                h_bucket{le="+Inf"} 0
                h_sum 0
                h_count 0
                h_bucket{a="b",le="0.5"} 2
                h_bucket{a="b",le="2"} 3
                h_bucket{a="b",le="+Inf"} 4
                h_sum{a="b"} 4.5
                h_count{a="b"} 4

                """
        )
    }

    @Test(arguments: [
        "plain", "\"", "\\", "\n", "\r\n", "\\n", "\\\"", "a\nb 1\n# TYPE b counter", "\"} 1\nevil 2", "{}", ",", "=",
        " ", "\t",
        "\u{0}", "\u{1}\u{7f}", "é", "e\u{301}", "日本語", "👩‍👩‍👧‍👦", "\u{2028}", "\u{feff}", "\u{202e}", "NaN",
    ])
    func `a hostile label value comes out as it went in`(_ value: String) throws {
        let scrape = try Exposition(text([gauge("a", [.init(["b": value], .integer(1))])]))
        #expect(scrape.families.count == 1)
        let read = try #require(scrape["a"]?.samples.first?.labels["b"])
        #expect(Array(read.utf8) == Array(value.utf8))
    }

    @Test(arguments: ["plain", "\"", "\\", "\n", "\r\n", "a\n# TYPE b counter\nb 1"])
    func `a hostile help stays on its line`(_ help: String) throws {
        let family = MetricFamily(name: "a", help: help, kind: .gauge, value: .integer(1))
        #expect(try Exposition(text([family])).families.map(\.name) == ["a"])
    }

    @Test(arguments: [
        ("", "_"), ("a.b-c", "a_b_c"), ("9a", "_9a"), ("é日", "__"), ("a:b", "a_b"), ("a\nb{c} 1", "a_b_c__1"),
        ("Name_1", "Name_1"),
    ])
    func `a name is made one that Prometheus takes`(_ label: String, _ name: String) throws {
        #expect(MetricName.exported(label, .gauge) == name)
        #expect(MetricName.exported(label, .counter) == name + "_total")
        _ = try Exposition(text([gauge(label, [.init([:], .integer(1))])]))
    }

    @Test(arguments: [("__name__", "_name__"), ("___", "_"), ("le", "le_"), ("http.method", "http_method"), ("", "_")])
    func `a label's name is none of the reserved ones`(_ dimension: String, _ name: String) throws {
        #expect(MetricName.label(dimension) == name)
        _ = try Exposition(text([gauge("a", [.init([dimension: "b"], .integer(1))])]))
    }

    @Test func `labels are bounded in number and length`() throws {
        let many = MetricLabels((0..<100).map { ("l\($0)", "v") })
        #expect(many.sorted.count == MetricLabels.maxCount)
        let long = MetricLabels([("a", "x" + String(repeating: "é", count: 1000))])
        #expect(long.sorted.first?.value == "x" + String(repeating: "é", count: 127))
        let name = MetricName.label(String(repeating: "n", count: 1_000_000))
        #expect(name.utf8.count == MetricName.maxLength)
    }

    @Test func `the first of labels with one name counts, and an empty one not at all`() {
        #expect(MetricLabels([("a.b", "1"), ("a_b", "2"), ("c", "")]) == ["a_b": "1"])
    }

    @Test(arguments: [
        (0, "0"), (-0.0, "0"), (1e15, "1000000000000000"), (-2.5, "-2.5"), (1e300, "1e+300"),
        (.leastNonzeroMagnitude, "5e-324"),
        (0.1, "0.1"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
    ])
    func `a number is written so that the same one is read`(_ value: Double, _ written: String) throws {
        let scrape = try Exposition(text([gauge("a", [.init([:], .floating(value))])]))
        #expect(scrape.value("a") == written)
    }

    @Test func `families of one name become one, and equal series are added up`() throws {
        var histogram = HistogramValue(bounds: [1])
        histogram.observe(0.5)
        let loops = [1, 2, 3].flatMap { loop in
            [
                MetricFamily(
                    name: "a_total",
                    help: "A.",
                    kind: .counter,
                    samples: [.init(["x": "1"], .integer(loop)), .init(["loop": "\(loop)"], .floating(0.5))]
                ),
                MetricFamily(name: "h", help: "H.", kind: .histogram, value: .histogram(histogram)),
            ]
        }
        let scrape = try Exposition(text(loops))
        #expect(scrape.value("a_total", ["x": "1"]) == "6")
        #expect(scrape["a_total"]?.samples.count == 4)
        #expect(scrape.value("h_count") == "3")
        #expect(scrape.value("h_sum") == "1.5")
    }

    @Test func `a sum too large for an integer is a floating one`() throws {
        let families = [gauge("a", [.init([:], .integer(.max))]), gauge("a", [.init([:], .integer(1))])]
        #expect(try Exposition(text(families)).value("a") == "9.223372036854776e+18")
    }

    @Test func `a family that would use another's name is left out, as is one without samples`() throws {
        let histogram = HistogramValue(bounds: [1])
        let families = [
            MetricFamily(name: "h", help: "H.", kind: .histogram, value: .histogram(histogram)),
            gauge("h_count", [.init([:], .integer(1))]),
            gauge("h", [.init([:], .integer(1))]),
            gauge("i_sum", [.init([:], .integer(1))]),
            MetricFamily(name: "i", help: "I.", kind: .histogram, value: .histogram(histogram)),
            gauge("empty", []),
        ]
        let scrape = try Exposition(text(families))
        #expect(scrape.families.map(\.name) == ["h", "i_sum"])
        #expect(scrape["h"]?.kind == "histogram")
    }
}
