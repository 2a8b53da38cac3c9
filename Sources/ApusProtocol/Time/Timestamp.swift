/// A moment in UTC with millisecond precision and its RFC 3339 text: `2025-08-25T10:00:00.123Z`.
///
/// The text is formatted once per moment and copied into every message of that moment. A burst of publishes thus
/// formats the time once.
public struct Timestamp: Sendable {
    /// The size of the text in bytes.
    public static let textSize = 24

    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let milliseconds: Int64
    /// The same moment on the steady clock, in milliseconds: see ``Moment``.
    public let steady: Int64
    let text: InlineArray<24, UInt8>

    /// Makes a moment whose two clocks are equal, for uses that measure no elapsed time.
    public init(milliseconds: Int64) {
        self.init(Moment(wall: milliseconds, steady: milliseconds))
    }

    /// Formats the moment. Times outside the years 0–9999 do not fit RFC 3339 and are clamped.
    public init(_ moment: Moment) {
        let clamped = min(max(moment.wall, Self.earliest), Self.latest)
        self.milliseconds = clamped
        self.steady = moment.steady
        let days = (clamped - Self.floorMod(clamped, 86_400_000)) / 86_400_000
        var rest = Int(Self.floorMod(clamped, 86_400_000))
        let (year, month, day) = Self.civil(fromDays: days)
        var text = InlineArray<24, UInt8>(repeating: UInt8(ascii: "0"))
        func put(_ value: Int, at index: Int, digits: Int) {
            var value = value
            for position in stride(from: index + digits - 1, through: index, by: -1) {
                text[position] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value % 10)
                value /= 10
            }
        }
        put(year, at: 0, digits: 4)
        text[4] = UInt8(ascii: "-")
        put(month, at: 5, digits: 2)
        text[7] = UInt8(ascii: "-")
        put(day, at: 8, digits: 2)
        text[10] = UInt8(ascii: "T")
        put(rest / 3_600_000, at: 11, digits: 2)
        rest %= 3_600_000
        text[13] = UInt8(ascii: ":")
        put(rest / 60_000, at: 14, digits: 2)
        rest %= 60_000
        text[16] = UInt8(ascii: ":")
        put(rest / 1000, at: 17, digits: 2)
        text[19] = UInt8(ascii: ".")
        put(rest % 1000, at: 20, digits: 3)
        text[23] = UInt8(ascii: "Z")
        self.text = text
    }

    private static let earliest: Int64 = -62_167_219_200_000
    private static let latest: Int64 = 253_402_300_799_999

    private static func floorMod(_ value: Int64, _ modulus: Int64) -> Int64 {
        let rest = value % modulus
        return rest < 0 ? rest + modulus : rest
    }

    /// The proleptic Gregorian date of a number of days since 1970-01-01.
    ///
    /// Computed in 400-year eras that start in March, so that the leap day is the last day of its year.
    private static func civil(fromDays days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        )
    }
}

extension Timestamp {
    /// How far the wall clock is ahead of the steady clock, in milliseconds. It changes when the wall clock is set.
    public var lead: Int64 { milliseconds &- steady }
}

extension Timestamp: Equatable, CustomStringConvertible {
    public static func == (lhs: Timestamp, rhs: Timestamp) -> Bool {
        lhs.milliseconds == rhs.milliseconds
    }

    public var description: String {
        String(decoding: (0..<Self.textSize).map { text[$0] }, as: UTF8.self)
    }
}
