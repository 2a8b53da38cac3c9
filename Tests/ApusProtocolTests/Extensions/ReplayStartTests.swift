import ApusProtocol
import Testing

@Suite struct ReplayStartTests {
    @Test(
        arguments: [
            ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("1h", 3_600_000), ("2d", 172_800_000),
            ("1.5h", 5_400_000),
            ("0s", 0), ("0ms", 0), ("007m", 420_000), ("36500d", 3_153_600_000_000),
        ] as [(String, Int64)]
    )
    func `a duration with its unit is an age`(text: String, age: Int64) {
        #expect(ReplayStart(text) == .age(age))
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2025-08-25T10:00:00.123Z", 1_756_116_000_123),
            ("2025-08-25T12:00:00+02:00", 1_756_116_000_000), ("1969-12-31T23:59:59Z", -1000),
        ] as [(String, Int64)]
    )
    func `an RFC 3339 time is a moment`(text: String, time: Int64) {
        #expect(ReplayStart(text) == .time(time))
    }

    @Test func `all is all`() {
        #expect(ReplayStart("all") == .all)
    }

    @Test(arguments: [
        "", "10", "0", "1.5", "ALL", "all ", " all", "al", "alls", "10 m", "-10m", "+10m", "10mm", "10M", "10S", "1w",
        "1y", "ms", "10m\u{0}", "1e3s", "0.0001s", "1756116000", "2025-08-25", "2025-08-25T10:00:00",
        "2025-08-25T10:00Z", "9223372036854775807d", "٣m", "now", "null", "{}",
    ])
    func `anything else is nothing`(text: String) {
        #expect(ReplayStart(text) == nil)
    }
}
