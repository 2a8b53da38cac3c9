import ApusProtocol
import Foundation

extension Timestamp {
    /// The wall clock's time.
    static var now: Timestamp {
        Timestamp(milliseconds: Self.nowInMilliseconds)
    }

    /// The wall clock's time in milliseconds since 1970, for who has a timestamp of that moment already.
    static var nowInMilliseconds: Int64 {
        Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))
    }
}
