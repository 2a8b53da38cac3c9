/// Skips the oldest pending messages, and keeps as many of the newest as the queue holds.
struct DropOldest: Equatable {
    var queue: UInt64

    func excess(of backlog: Overflow.Backlog) -> Overflow.Action? {
        backlog.lag > queue ? .skip(to: backlog.head - queue, cause: .queue) : nil
    }
}
