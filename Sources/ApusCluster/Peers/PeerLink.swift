package import NIOCore

/// What nodes tell each other without keeping it: core NATS, where a message may be lost, come late or come twice.
package protocol PeerLink: Sendable {
    /// The NATS server that it is connected to; `nil` while there is none.
    var server: String? { get }

    /// Receives what is sent to a subject, on any thread, also after the connection was another one meanwhile.
    func listen(to subject: String, _ receive: @escaping @Sendable (ByteBuffer) -> Void)

    /// Sends a message, or not: without a connection it is gone.
    func send(_ body: ByteBuffer, to subject: String)

    /// What JetStream says of a stream; `nil` if it does not answer.
    func standing(of stream: ClusterStream) async -> StreamStanding?
}

/// What JetStream says of one of the cluster's streams.
package struct StreamStanding: Sendable, Equatable {
    /// The NATS server that orders its messages; `nil` if there is none now, or it has no copies.
    package let leader: String?
    package let messages: UInt64
    package let bytes: UInt64
    /// How many other servers keep copies, and how many of those are behind.
    package let replicas: Int
    package let behind: Int

    package init(leader: String?, messages: UInt64, bytes: UInt64, replicas: Int, behind: Int) {
        self.leader = leader
        self.messages = messages
        self.bytes = bytes
        self.replicas = replicas
        self.behind = behind
    }
}
