/// How much a hub does in one turn, so that its loop looks at its sockets in between. The next turn does the rest.
///
/// ```
/// sockets ──► turn: a part of a large fan-out ──► sockets ──► turn: the next part, and what came meanwhile ──► …
/// ```
/// Each kind of work has a limit of its own, so that none waits for another to end.
package struct TurnLimits: Sendable {
    /// What a delivery costs besides its bytes, in bytes: handing a few bytes to the kernel takes as long as copying
    /// so many.
    static let deliveryCost = 4096

    /// Bytes delivered, with ``deliveryCost`` for each delivery: of topics with news, of topics whose drain goes on,
    /// and of subscriptions that replay or resume, so many each.
    package var bytes: Int
    /// Presence news told, each to one subscription.
    package var notices: Int
    /// Subscriptions placed in new topics.
    package var claims: Int
    /// Subscriptions of subscribers that have closed taken out of their topics, and patterns out of the broker.
    package var endings: Int
    /// What is read back from the journal for subscriptions that are far behind: how much at a time, how many reads are
    /// under way, and how much they may have that they have not taken. Beyond that, those that do not take what they
    /// have lose it, and it is read again when they go on.
    package var archive = Archive()

    package struct Archive: Sendable {
        package var readBytes = 512 << 10
        package var reads = 4
        package var heldBytes = 16 << 20
        /// How often in a row a read may fail, each after some seconds, before the subscriber has to disconnect.
        package var tries = 6

        package init() {}
    }

    package init(bytes: Int = 512 << 10, notices: Int = 256, claims: Int = 256, endings: Int = 256) {
        self.bytes = bytes
        self.notices = notices
        self.claims = claims
        self.endings = endings
    }

    /// A turn does all that there is.
    package static let none = TurnLimits(bytes: .max, notices: .max, claims: .max, endings: .max)
}
