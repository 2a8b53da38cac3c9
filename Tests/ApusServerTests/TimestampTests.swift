import ApusProtocol
import ApusTesting
import Foundation
import Testing

@Suite struct TimestampTests {
    private static func format(_ milliseconds: Int64) -> String {
        // Whole seconds for Foundation, which would round; the fraction is ours to add.
        let seconds = Int64((Double(milliseconds) / 1000).rounded(.down))
        let date = Date(timeIntervalSince1970: TimeInterval(seconds))
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(secondsFromGMT: 0) ?? .current
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
        func padded(_ value: Int?, _ digits: Int) -> String {
            let text = String(value ?? -1)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
        return padded(parts.year, 4) + "-" + padded(parts.month, 2) + "-" + padded(parts.day, 2) + "T"
            + padded(parts.hour, 2) + ":" + padded(parts.minute, 2) + ":" + padded(parts.second, 2) + "."
            + padded(Int(milliseconds - seconds * 1000), 3) + "Z"
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_756_116_000_123, "2025-08-25T10:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
            (.max, "9999-12-31T23:59:59.999Z"), (.min, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func `a moment's text is RFC 3339 in UTC with milliseconds`(milliseconds: Int64, text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
        #expect(text.utf8.count == Timestamp.textSize)
    }

    @Test func `ten thousand random moments are written as Foundation has them`() {
        var generator = SeededGenerator(seed: 42)
        // From 1583, where Foundation's calendar is the Gregorian one as well.
        let range = Int64(-12_212_553_600_000)...253_402_300_799_999
        for _ in 0..<10_000 {
            let milliseconds = Int64.random(in: range, using: &generator)
            let text = Timestamp(milliseconds: milliseconds).description
            #expect(text == Self.format(milliseconds))
        }
    }

    @Test func `every day of 800 years follows the one before`() {
        var expected = (year: 1600, month: 1, day: 1)
        let first: Int64 = -11_676_096_000_000
        for day in 0..<Int64(292_194) {
            let text = Timestamp(milliseconds: first + day * 86_400_000).description
            let parts = text.prefix(10).split(separator: "-").compactMap { Int($0) }
            guard parts == [expected.year, expected.month, expected.day] else {
                Issue.record("\(text) is not \(expected)")
                return
            }
            let isLeap = expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            expected.day += 1
            guard expected.day > lengths[expected.month - 1] else { continue }
            expected = expected.month == 12 ? (expected.year + 1, 1, 1) : (expected.year, expected.month + 1, 1)
        }
    }
}
