/// Makes publishers wait at the bound. What holds them up too long is ended: see ``Stall``.
struct Throttle: Equatable {
    var queue: UInt64

    /// Whether publishers wait for it.
    ///
    /// - Parameter isFull: whether the topic's log is over its bound in bytes.
    func holdsPublishers(_ backlog: Overflow.Backlog, isFull: @autoclosure () -> Bool) -> Bool {
        backlog.lag >= queue || backlog.cursor < backlog.head && isFull()
    }
}

/// How long a subscription has held up publishers, and whether it takes nothing meanwhile.
///
/// It goes on when the subscription has another policy for a while: what takes nothing gains no time by that. All times
/// are in milliseconds of a monotonic clock.
struct Stall {
    private struct Place {
        let cursor: Offset
        let since: Int64
    }

    /// Where it is stuck at its bound, and since when.
    private var place: Place?
    /// When publishers were last seen to wait for it.
    private var heldAt: Int64?

    /// Publishers do not wait for it.
    mutating func released() {
        (place, heldAt) = (nil, nil)
    }

    /// Publishers wait for it.
    ///
    /// - Returns: how long they have waited since the last call.
    mutating func held(at now: Int64) -> Int64 {
        defer { heldAt = now }
        return now - (heldAt ?? now)
    }

    /// Publishers wait for it: is it to be ended, because it has taken nothing for `timeout`?
    ///
    /// - Parameter taken: when its client was last seen to accept data.
    mutating func check(at cursor: Offset, taken: Int64, now: Int64, timeout: Int64) -> Overflow.Action? {
        guard let place, place.cursor == cursor, place.since >= taken else {
            place = Place(cursor: cursor, since: now)
            return nil
        }
        return now - place.since >= timeout ? .disconnect : nil
    }
}
