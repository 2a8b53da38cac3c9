import ApusProtocol
import Foundation
import Testing

@Suite struct TimestampParsingTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2025-08-25T10:00:00.123Z", 1_756_116_000_123),
            // Case and separator: section 5.6 allows lower case and a space.
            ("2025-08-25t10:00:00.123z", 1_756_116_000_123), ("2025-08-25 10:00:00.123Z", 1_756_116_000_123),
            // Fractions: any number of digits, cut off.
            ("1970-01-01T00:00:00.1Z", 100), ("1970-01-01T00:00:00.12Z", 120), ("1970-01-01T00:00:00.0009Z", 0),
            ("1970-01-01T00:00:00.999999999Z", 999), ("1970-01-01T00:00:01.0000000000000000000000000000000Z", 1000),
            ("1969-12-31T23:59:59.9Z", -100), ("1969-12-31T23:59:59.9999Z", -1),
            // Offsets.
            ("2025-08-25T12:00:00+02:00", 1_756_116_000_000), ("2025-08-25T04:30:00-05:30", 1_756_116_000_000),
            ("1970-01-01T00:00:00-00:00", 0), ("1970-01-01T23:59:00+23:59", 0), ("1969-12-31T00:01:00-23:59", 0),
            ("2000-03-01T01:00:00.5+02:00", 951_865_200_500),
            // Leap days and turns of years.
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
            ("2100-02-28T23:59:59.999Z", 4_107_542_399_999), ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("0000-02-29T00:00:00Z", -62_162_121_600_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("1999-12-31T23:59:59Z", 946_684_799_000),
            // A leap second has no number of its own.
            ("2016-12-31T23:59:60Z", 1_483_228_799_000), ("2016-12-31T23:59:60.5Z", 1_483_228_799_500),
            // Beyond the range of timestamps, but a moment.
            ("0000-01-01T00:00:00+01:00", -62_167_222_800_000), ("9999-12-31T23:59:59-01:00", 253_402_304_399_000),
        ] as [(String, Int64)]
    )
    func `a time is read to the millisecond`(text: String, milliseconds: Int64) {
        #expect(Timestamp.milliseconds(rfc3339: text) == milliseconds)
    }

    @Test(arguments: [
        "", "Z", "now", "1756116000", "2025-08-25", "2025-08-25T10:00:00", "2025-08-25T10:00Z", "20250825T100000Z",
        "2025-08-25T10:00:00.Z", "2025-08-25T10:00:00,5Z", "2025-08-25T10:00:00.5", "2025-08-25T10:00:00 Z",
        "2025-08-25T10:00:00ZZ", "2025-08-25T10:00:00Z ", " 2025-08-25T10:00:00Z", "2025-08-25T10:00:00z0",
        "2025-8-25T10:00:00.0Z", "+025-08-25T10:00:00Z", "-025-08-25T10:00:00Z", "12025-08-25T10:00:00Z",
        "2025/08/25T10:00:00Z", "2025-08-25T10.00.00Z", "2025-08-25_10:00:00Z", "2025-08-25T1a:00:00Z",
        "2025-00-25T10:00:00Z", "2025-13-25T10:00:00Z", "2025-08-00T10:00:00Z", "2025-08-32T10:00:00Z",
        "2025-02-29T10:00:00Z", "2100-02-29T10:00:00Z", "1900-02-29T10:00:00Z", "2025-04-31T10:00:00Z",
        "2025-06-31T10:00:00Z", "2025-09-31T10:00:00Z", "2025-11-31T10:00:00Z", "2024-02-30T10:00:00Z",
        "2025-08-25T24:00:00Z", "2025-08-25T10:60:00Z", "2025-08-25T10:00:61Z", "2025-08-25T-1:00:00Z",
        "2025-08-25T10:00:00+2:00", "2025-08-25T10:00:00+0200", "2025-08-25T10:00:00+02", "2025-08-25T10:00:00+24:00",
        "2025-08-25T10:00:00+02:60", "2025-08-25T10:00:00+02:000", "2025-08-25T10:00:00~02:00",
        "2025-08-25T10:00:00+a2:00", "2025-08-25T10:00:00Z+02:00", "2025-08-25T10:00:00\u{0}", "٢٠٢٥-08-25T10:00:00Z",
        "2025-08-25T10:00:00.٥Z", "2025-08-25T10:00:00.-1Z", "2025-08-25T10:00:00Z\u{301}",
    ])
    func `what is no time is refused`(text: String) {
        #expect(Timestamp.milliseconds(rfc3339: text) == nil)
    }

    @Test func `a fraction without end is refused`() {
        let zeros = String(repeating: "0", count: 64)
        #expect(Timestamp.milliseconds(rfc3339: "2025-08-25T10:00:00.\(zeros)Z") == nil)
        #expect(Timestamp.milliseconds(rfc3339: "2025-08-25T10:00:00.\(zeros.prefix(43))Z") != nil)
    }

    @Test func `every day of every month has its place, and the day after the last has none`() {
        for year in [0, 1, 4, 100, 400, 1600, 1700, 1900, 1970, 1999, 2000, 2001, 2004, 2100, 2400, 9999] {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            var previous: Int64?
            for month in 1...12 {
                for day in 1...32 {
                    let text = Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2)
                    let time = Timestamp.milliseconds(rfc3339: text + "T00:00:00Z")
                    #expect((time != nil) == (day <= lengths[month - 1]), "\(text)")
                    guard let time else { continue }
                    if let previous { #expect(time == previous + 86_400_000, "\(text)") }
                    previous = time
                }
            }
        }
    }

    private static func padded(_ value: Int, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(digits - text.count, 0)) + text
    }

    @Test func `what a timestamp writes is read as the same, at any offset`() {
        var generator = SplitMix64(seed: 2025)
        for round in 0..<20_000 {
            let time = Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &generator)
            let text = Timestamp(milliseconds: time).description
            #expect(Timestamp.milliseconds(rfc3339: text) == time, "round \(round): \(text)")
            // The same digits at an offset name a moment as much earlier.
            let hours = Int.random(in: 0...23, using: &generator)
            let minutes = Int.random(in: 0...59, using: &generator)
            let isEast = Bool.random(using: &generator)
            let shifted = text.dropLast() + (isEast ? "+" : "-") + Self.padded(hours, 2) + ":" + Self.padded(minutes, 2)
            let offset = Int64(hours * 60 + minutes) * 60_000 * (isEast ? 1 : -1)
            #expect(Timestamp.milliseconds(rfc3339: String(shifted)) == time - offset, "round \(round): \(shifted)")
        }
    }

    @Test func `Foundation reads the same`() throws {
        var generator = SplitMix64(seed: 7)
        for _ in 0..<500 {
            // Whole seconds: Foundation's are doubles. From 1583, where its calendar is the Gregorian one as well.
            let seconds = Int64.random(in: -12_212_553_600...253_402_300_799, using: &generator)
            let text = Timestamp(milliseconds: seconds * 1000).description.replacing(".000", with: "")
            let date = try Date(text, strategy: .iso8601)
            #expect(
                Int64(date.timeIntervalSince1970) == seconds && Timestamp.milliseconds(rfc3339: text) == seconds * 1000
            )
        }
    }

    @Test func `damaged times never bring it down`() {
        var generator = SplitMix64(seed: 3)
        let bytes = Array("0123456789-:.+TZtz \u{0}é".utf8)
        var taken = 0
        for _ in 0..<20_000 {
            var text = Array("2024-02-29T23:59:59.125+01:30".utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !text.isEmpty {
                let index = Int.random(in: text.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: text[index] = bytes.randomElement(using: &generator) ?? 0
                case 1: text.remove(at: index)
                default: text.insert(bytes.randomElement(using: &generator) ?? 0, at: index)
                }
            }
            let time = text.withUnsafeBytes { Timestamp.milliseconds(rfc3339: $0) }
            taken += time == nil ? 0 : 1
        }
        #expect(taken > 1000 && taken < 19_000)
    }
}
