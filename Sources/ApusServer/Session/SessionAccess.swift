import ApusAccess

/// What the client of a WebSocket may do. Used only on the connection's loop.
final class SessionAccess {
    let client: ClientAccess
    /// Whether the client was told that its credential ends soon.
    var isWarned = false

    init(_ client: ClientAccess) {
        self.client = client
    }
}
