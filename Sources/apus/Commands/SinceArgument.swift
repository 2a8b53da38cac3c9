import ApusClient
import ApusProtocol
import ArgumentParser

/// Where a subscription starts, as a command-line argument: a position, a time, a duration, or `all`.
struct SinceArgument: ExpressibleByArgument {
    let start: ApusClient.Start

    init?(argument: String) {
        if argument == "all" {
            start = .all
        } else if Self.isTime(argument) {
            // Check for a time before a position, because a time with a zone ends like a position.
            start = .time(argument)
        } else if let age = Self.age(argument) {
            start = .age(age)
        } else if let position = ApusClient.Position(argument) {
            start = .after(position)
        } else {
            return nil
        }
    }

    /// Whether the text starts like an RFC 3339 time. The server checks the rest.
    private static func isTime(_ text: String) -> Bool {
        let date = Array(text.utf8.prefix(11))
        guard date.count == 11 else { return false }
        return date.enumerated().allSatisfy { index, byte in
            switch index {
            case 4, 7: byte == UInt8(ascii: "-")
            case 10: byte == UInt8(ascii: "T") || byte == UInt8(ascii: "t") || byte == UInt8(ascii: " ")
            default: (48...57).contains(byte)
            }
        }
    }

    /// A duration needs its unit here, as in the protocol.
    private static func age(_ text: String) -> Duration? {
        guard DurationText.milliseconds(withUnit: text) != nil else { return nil }
        return DurationArgument(argument: text)?.duration
    }
}
