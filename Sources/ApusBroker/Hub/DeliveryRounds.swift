/// How long messages take from a publisher to the sockets of their subscribers.
///
/// One value for each turn that delivers, from the oldest message in it on. So a message costs nothing here, however
/// many subscribers it has; a turn reads the clock twice.
///
/// ```
/// publish ──► taken ──► next turn: a topic is drained ──► finished ──► all is flushed: one value
///        └──► others ──► mailboxes of other hubs ──► their taken
/// ```
/// All times are those of ``HubMailbox/now()``, or ``none``.
struct DeliveryRounds {
    static let none = UInt64.max

    /// When the oldest message was taken that this hub has yet to look at.
    private(set) var taken = none
    /// When the oldest message was taken that other hubs have yet to be told of.
    private var others = none
    /// When the oldest message was taken of those that the turn has delivered.
    private var finished = none

    /// A message was published for subscribers of this hub.
    @inline(__always)
    mutating func noteNews() {
        if taken == Self.none { taken = HubMailbox.now() }
    }

    /// A message was published for subscribers of other hubs.
    mutating func noteNewsForOthers() {
        if others == Self.none { others = HubMailbox.now() }
    }

    /// Messages have to wait for the next turn.
    @inline(__always)
    mutating func postpone(_ time: UInt64) { taken = min(taken, time) }

    /// Takes the age of the news that this turn looks at. What comes from now on is the next turn's.
    @inline(__always)
    mutating func takeNews() -> UInt64 {
        let time = taken
        taken = Self.none
        return time
    }

    /// Takes the age of the news that other hubs are told of now.
    mutating func takeNewsForOthers() -> UInt64 {
        defer { others = Self.none }
        return others
    }

    /// The subscribers of a topic have got what was news at that time.
    @inline(__always)
    mutating func finish(_ time: UInt64) { finished = min(finished, time) }

    /// Ends the turn: everything is handed to the sockets.
    @inline(__always)
    mutating func end(in times: inout LatencyHistogram) {
        guard finished != Self.none else { return }
        // A hub on another thread may have read the clock a little later.
        let now = HubMailbox.now()
        times.add(now &- min(finished, now))
        finished = Self.none
    }
}
