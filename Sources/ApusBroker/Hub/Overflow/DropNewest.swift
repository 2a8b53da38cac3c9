/// Keeps what is pending, and skips the newest messages, for which the queue has no room.
struct DropNewest: Equatable {
    var queue: UInt64

    func excess(of backlog: Overflow.Backlog) -> Overflow.Action? {
        backlog.lag > queue ? .skipNewest(backlog.lag - queue) : nil
    }
}
