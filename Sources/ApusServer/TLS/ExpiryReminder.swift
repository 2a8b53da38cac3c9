import ApusProtocol

/// Says when to warn of a certificate that ends soon.
struct ExpiryReminder {
    /// How long before the end of a certificate the warnings begin, in milliseconds: 14 days.
    static let notice: Int64 = 14 * 86_400_000
    /// How long a warning is not repeated, in milliseconds: a day.
    static let interval: Int64 = 86_400_000

    /// By the steady clock.
    private var last: Int64?

    /// - Parameter expires: when the certificate ends, in milliseconds since 1970.
    mutating func isDue(expires: Int64, now: Moment) -> Bool {
        guard expires - now.wall < Self.notice, last.map({ now.steady - $0 >= Self.interval }) ?? true else {
            return false
        }
        last = now.steady
        return true
    }

    /// Begins anew, for another certificate.
    mutating func reset() { last = nil }
}
