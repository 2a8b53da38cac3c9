import ApusBroker

extension LoopContext {
    /// What the loop's connections hold, in bytes.
    struct MemoryShare: Sendable {
        /// Data that sockets have not taken.
        var outboxes = 0
        /// Incomplete and postponed messages.
        var inputs = 0
    }

    /// A connection for which messages are kept, or whose socket takes nothing.
    struct Laggard: Sendable, Equatable {
        let connection: UInt64
        let address: String
        let bytes: Int
    }

    /// With fewer bytes than this, closing a connection frees nothing worth it.
    private static let leastLaggard = 16 * 1024

    var memoryShare: MemoryShare {
        var share = MemoryShare()
        for connection in connections {
            share.outboxes += connection.outbox.pendingBytes
            share.inputs += connection.inputBytes
        }
        for stream in streams { share.outboxes += stream.pendingBytes }
        return share
    }

    /// The `limit` connections for which most is kept in memory, which may be none.
    func laggards(limit: Int) -> [Laggard] {
        let all = subscribers().filter { $0.bytes >= Self.leastLaggard }.sorted { $0.bytes > $1.bytes }
        return all.prefix(limit).map { subscriber, bytes in
            let peer = subscriber.peer
            return Laggard(connection: peer.connection, address: peer.address, bytes: bytes)
        }
    }

    /// Closes those of the connections that are on this loop.
    func cutForMemory(_ connections: Set<UInt64>) {
        for (subscriber, _) in subscribers() where connections.contains(subscriber.peer.connection) {
            subscriber.notify(.overloaded)
        }
    }

    private func subscribers() -> [(subscriber: any Subscriber, bytes: Int)] {
        let held = hub.heldBytes()
        var all: [(subscriber: any Subscriber, bytes: Int)] = []
        for connection in connections {
            guard let session = connection.session as? any Subscriber else { continue }
            all.append((session, connection.outbox.pendingBytes + held[ObjectIdentifier(session), default: 0]))
        }
        for stream in streams { all.append((stream, stream.pendingBytes + held[ObjectIdentifier(stream), default: 0])) }
        return all
    }
}
