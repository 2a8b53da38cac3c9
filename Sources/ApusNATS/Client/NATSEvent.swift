#if NATS
/// What happens to a connection. Told on a thread of the connection or of libnats: go elsewhere at once.
package enum NATSEvent: Sendable {
    case connected(NATSServer)
    /// Everything that waited was told `disconnected` before. The connection looks for a server from now on.
    case disconnected(reason: String)
    /// The server asks its clients to leave, since it will stop. The connection does so by itself.
    case leaving(server: String)
    /// The server refused a subject, or complains about something else.
    case complaint(String)
    /// No attempt has worked; the next one follows.
    case unreachable(NATSFailure)
    /// A server acknowledges before it has written to its disk. It did not when the node started, or was not there.
    case unsynced(server: String)
    /// It does not any more.
    case synced(server: String)
    case closed
}

/// A server that a connection has.
package struct NATSServer: Sendable, Equatable {
    package let url: String
    package let id: String
    /// The most bytes that it takes as headers and body of one message.
    package let maxPayload: Int
    /// Counts the connections to servers, from 1.
    package let generation: UInt64
}
#endif
