extension Timestamp {
    /// Parses an RFC 3339 text (section 5.6); `nil` for anything else.
    ///
    /// Accepts any offset and any number of fraction digits. Digits beyond milliseconds are cut off.
    ///
    /// - Returns: milliseconds since 1970-01-01T00:00:00Z.
    package static func milliseconds(rfc3339 text: String) -> Int64? {
        var text = text
        return text.withUTF8 { milliseconds(rfc3339: UnsafeRawBufferPointer($0)) }
    }

    /// Parses the bytes of an RFC 3339 text; `nil` for anything else.
    ///
    /// - Returns: milliseconds since 1970-01-01T00:00:00Z.
    package static func milliseconds(rfc3339 text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 20, text.count <= 64,
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t") || text[10] == UInt8(ascii: " "),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let year = number(text[0..<4]), let month = number(text[5..<7]), let day = number(text[8..<10]),
            let hour = number(text[11..<13]), let minute = number(text[14..<16]), let second = number(text[17..<19]),
            (1...12).contains(month), (1...daysInMonth(month, of: year)).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if text[position] == UInt8(ascii: ".") {
            let start = position + 1
            position = start
            while position < text.count, 0x30...0x39 ~= text[position] { position += 1 }
            guard position > start else { return nil }
            for index in start..<start + 3 {
                fraction = fraction * 10 + (index < position ? Int64(text[index] - 0x30) : 0)
            }
        }
        guard let offset = offset(text[position...]) else { return nil }
        let days = days(year: year, month: month, day: day)
        // A leap second counts as the second before it, because it has no number of its own.
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + min(second, 59) - offset
        return seconds * 1000 + fraction
    }

    /// `Z` or `±hh:mm`, in seconds.
    private static func offset(_ text: Slice<UnsafeRawBufferPointer>) -> Int64? {
        guard let sign = text.first else { return nil }
        if text.count == 1 { return sign | 0x20 == UInt8(ascii: "z") ? 0 : nil }
        let start = text.startIndex
        guard text.count == 6, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"),
            text[start + 3] == UInt8(ascii: ":"),
            let hours = number(text[(start + 1)..<(start + 3)]), let minutes = number(text[(start + 4)...]),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
    }

    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard 0x30...0x39 ~= digit else { return nil }
            value = value * 10 + Int64(digit - 0x30)
        }
        return value
    }

    private static func daysInMonth(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01: the reverse of the calculation in ``init(milliseconds:)``.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let monthFromMarch = month <= 2 ? month + 9 : month - 3
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
