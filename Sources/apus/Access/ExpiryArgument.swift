import ApusProtocol
import ArgumentParser

/// When a key ends, as an argument: a duration from now, such as `90d`, or a time of RFC 3339.
enum ExpiryArgument: ExpressibleByArgument, Hashable {
    /// Milliseconds.
    case after(Int64)
    /// Milliseconds since 1970.
    case at(Int64)

    /// A hundred years, so that the sum is a time that RFC 3339 can write.
    private static let longest: Int64 = 36_525 * 86_400_000

    init?(argument: String) {
        if let moment = Timestamp.milliseconds(rfc3339: argument) {
            self = .at(moment)
        } else if let duration = DurationText.milliseconds(withUnit: argument), (1...Self.longest).contains(duration) {
            self = .after(duration)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .after(let duration): DurationText.shortest(duration)
        case .at(let moment): "\(Timestamp(milliseconds: moment))"
        }
    }

    /// - Parameter now: milliseconds since 1970.
    func moment(from now: Int64) -> Int64 {
        switch self {
        case .after(let duration): now + duration
        case .at(let moment): moment
        }
    }
}
