import ApusProtocol
import Testing

@Suite struct DurationTextTests {
    @Test(
        arguments: [
            ("0", 0), ("25", 25_000), ("25s", 25_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000),
            ("1.5s", 1500),
            ("0.25", 250), ("1.50m", 90_000), ("0.001", 1), ("007s", 7000), ("1.000", 1000), ("1d", 86_400_000),
            ("0.5d", 43_200_000), ("0.000000001d", nil), ("0.00005m", 3), ("1.0ms", 1), ("9223372036854775807ms", .max),
            ("9223372036854775.807s", .max), ("9223372036854775.808s", nil), ("0.0000000000s", 0),
            ("106751991168d", nil),
            ("106751991166d", 9_223_372_036_742_400_000),
        ] as [(String, Int64?)]
    )
    func `a duration is read in its unit`(text: String, milliseconds: Int64?) {
        #expect(DurationText.milliseconds(text) == milliseconds)
    }

    @Test(arguments: [
        "", "s", "-1", "-1s", "+1", "1 s", "1S", "1D", "1us", ".5", "5.", "1.2.3", "1e3", "0.0001", "0.5ms",
        "infinity", "9223372036854775807", "9223372036854775807h", "0.33333333333s", "٣s", "1sm", "1mss", "ms", "m",
        "1\u{0}s", "1s\u{301}", "0x1s", "1_000s", " 1s", "1s ",
    ])
    func `what is no duration is refused`(text: String) {
        #expect(DurationText.milliseconds(text) == nil)
        #expect(DurationText.milliseconds(withUnit: text) == nil)
    }

    @Test(arguments: [("25", nil), ("0", nil), ("1.5", nil), ("25s", 25_000), ("0ms", 0)] as [(String, Int64?)])
    func `where a unit is asked for a bare number is none`(text: String, milliseconds: Int64?) {
        #expect(DurationText.milliseconds(withUnit: text) == milliseconds)
    }

    @Test(
        arguments: [
            (0, "0s", "0s"), (1, "1ms", "1ms"), (999, "999ms", "999ms"), (1000, "1s", "1s"), (1500, "1500ms", "1500ms"),
            (60_000, "60s", "1m"), (90_000, "90s", "90s"), (3_600_000, "3600s", "1h"), (7_200_000, "7200s", "2h"),
            (86_400_000, "86400s", "1d"), (129_600_000, "129600s", "36h"), (604_800_000, "604800s", "7d"),
        ] as [(Int64, String, String)]
    )
    func `a duration is shown in seconds, or as short as can be`(milliseconds: Int64, text: String, shortest: String) {
        #expect(DurationText.text(milliseconds) == text)
        #expect(DurationText.shortest(milliseconds) == shortest)
    }

    @Test func `what is shown is read as the same`() {
        var generator = SplitMix64(seed: 11)
        for _ in 0..<5_000 {
            let unit: Int64 = [1, 10, 1000, 60_000, 3_600_000, 86_400_000].randomElement(using: &generator) ?? 1
            let milliseconds = Int64.random(in: 0...100_000, using: &generator) * unit
            for text in [DurationText.text(milliseconds), DurationText.shortest(milliseconds)] {
                #expect(DurationText.milliseconds(withUnit: text) == milliseconds, "\(text)")
            }
        }
    }
}
