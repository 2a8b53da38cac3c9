/// Counts how many commands of a connection were done and how many a limit refused, in windows of ten seconds.
struct RefusalTally: Equatable {
    /// In milliseconds.
    static let window: Int64 = 10_000
    /// How many times as many commands must be refused as done before the connection is closed.
    static let tolerance = 10

    private var start: Int64 = .min
    private var done = 0
    private var refused = 0

    mutating func noteDone(now: Int64) {
        begin(now)
        done += 1
    }

    /// The command that was noted as done last was refused after all.
    mutating func takeBack() {
        done = max(done - 1, 0)
    }

    /// - Parameter worth: what the limit allows in ten seconds; as many count as done at least.
    /// - Returns: whether so many were refused that the client does not heed it.
    mutating func noteRefused(now: Int64, worth: Int) -> Bool {
        begin(now)
        refused += 1
        return refused / Self.tolerance >= max(done, worth, 1)
    }

    private mutating func begin(_ now: Int64) {
        guard start == .min || now < start || now - start >= Self.window else { return }
        (start, done, refused) = (now, 0, 0)
    }
}
