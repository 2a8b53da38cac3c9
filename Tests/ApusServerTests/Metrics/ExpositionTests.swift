import ApusTesting
import Testing

/// The parser that the other tests rely on finds what is wrong.
@Suite struct ExpositionTests {
    private static let head = "# HELP a_total A.\n# TYPE a_total counter\n"

    @Test func `what is right is read`() throws {
        let text = Self.head + #"a_total{b="c\"\\\n",d="é"} 1"# + "\na_total 2.5\n"
        let scrape = try Exposition(text)
        #expect(scrape.value("a_total", ["b": "c\"\\\n", "d": "é"]) == "1")
        #expect(scrape.value("a_total") == "2.5")
        #expect(scrape["a_total"]?.help == "A.")
        #expect(try Exposition("").families.isEmpty)
    }

    @Test(arguments: [
        "a_total 1",
        "\n",
        "a_total  1\n",
        "a_total 1 \n",
        "a_total 1.0\n",
        "a_total 0x1\n",
        "a_total inf\n",
        "a_total -1\n",
        "a_total{} 1\n",
        "a_total{b=\"\"} 1\n",
        "a_total{b=\"c} 1\n",
        "a_total{b=\"c\\d\"} 1\n",
        "a_total{b=\"c\",} 1\n",
        "a_total{b=\"c\",b=\"d\"} 1\n",
        "a_total{__b=\"c\"} 1\n",
        "a_total{0=\"c\"} 1\n",
        "a_total{b=\"c\"}1\n",
        "a_total 1\na_total 1\n",
        "a_total{b=\"c\",d=\"e\"} 1\na_total{d=\"e\",b=\"c\"} 1\n",
        "b_total 1\n",
        "a:total 1\n",
        "",
        "a_total 1\n# HELP a_total A.\n# TYPE a_total counter\na_total 1\n",
        "a_total 1\n# HELP b B.\nb 1\n",
        "a_total 1\n# HELP b B.\n# TYPE b counter\nb 1\n",
        "a_total 1\n# HELP b B.\n# TYPE b summary\nb 1\n",
        "a_total 1\n# TYPE b gauge\nb 1\n",
    ])
    func `what is wrong is a fault`(_ text: String) {
        #expect(throws: Exposition.Fault.self) { try Exposition(Self.head + text) }
    }

    @Test(arguments: [
        "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
        "h_bucket{le=\"+Inf\"} 1\nh_sum 1\n",
        "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
        "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
        "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        "h_bucket 1\nh_sum 1\nh_count 1\n",
        "h 1\n",
    ])
    func `a histogram that is none is a fault`(_ text: String) {
        #expect(throws: Exposition.Fault.self) { try Exposition("# HELP h H.\n# TYPE h histogram\n" + text) }
    }
}
