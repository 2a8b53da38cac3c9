/// Ends the subscription beyond its bound, after a warning at 80 % of it.
struct Disconnect: Equatable {
    var queue: UInt64

    /// The warning, once until the subscription catches up.
    func warning(of backlog: Overflow.Backlog) -> Overflow.Action? {
        guard backlog.mayWarn, backlog.lag >= queue - queue / 5 else { return nil }
        return .warn(lag: backlog.lag, queue: queue)
    }

    func excess(of backlog: Overflow.Backlog) -> Overflow.Action? {
        backlog.lag > queue ? .disconnect : nil
    }
}
