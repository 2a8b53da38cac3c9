/// How long a node waits for what, in milliseconds.
package struct ClusterTiming: Sendable, Equatable {
    /// Until a pack without an answer, or that was not taken, is sent again.
    package var retry: ClosedRange<Int64> = 50...300
    /// For one answer.
    package var attempt: Int64 = 1000
    /// Publishes and changes without an outcome have failed after this.
    package var answer: Int64 = 4500
    /// Without any ack of a stream the server is changed. It is sooner than ``answer``, so that what was sent to a
    /// leader that is cut off need not fail.
    package var changeServer: Int64 = 3000
    /// A server that gets acks of other streams is kept for so long. A stream without a leader has another one by then
    /// nearly always: NATS elects after 4 to 9 s. Each change of server costs all consumers, and new ones wait for the
    /// leader of JetStream itself, which may have to be elected, too.
    package var election: Int64 = 8000
    /// Without a sign of a consumer it is made again.
    package var heartbeat: Int64 = 3000
    /// A stream that has acked nothing for so long is asked for an ack.
    package var probe: Int64 = 2000
    /// Nodes tell each other so often what they have seen.
    package var comparison: Int64 = 5000
    /// Who finds that a stream has lost messages tells the others for so long.
    package var alarm: Int64 = 12_000
    /// A node is not ready when a stream has acked nothing for so long.
    package var ready: Int64 = 5000
    /// A deletion that nobody finished for so long is finished by who sees it.
    package var finish: Int64 = 6000

    package init() {}
}

/// What a node takes at most.
package struct ClusterLimits: Sendable, Equatable {
    /// The bytes of a pack's messages. Below the server's `max_payload`, which counts headers too.
    package var packBytes = 512 << 10
    /// The bytes that wait for a topic's pack in flight. Publishes beyond it fail.
    package var queuedBytes = 8 << 20
    /// The message ids that a topic's dedupe window remembers. It forgets the oldest beyond that.
    package var recentIDs = 100_000
    /// Deliveries that wait for the registry. Beyond it the stream is read again from there when the registry has come.
    package var heldDeliveries = 256
    /// Changes of one topic that wait for each other. Those beyond it fail.
    package var changes = 64
    /// Notes in the registry that are known. Further ones are not taken.
    package var notes = 200_000
    /// Notes that are written at once. Those beyond it fail.
    package var notesUnderWay = 256
    /// Places that a node knows of one topic's packs, to read them back. With more of them they get farther apart.
    package var archiveEntries = 16_384
    /// What is read back at once, and what waits to be read. More is refused.
    package var (archiveReads, archiveReadings) = (8, 1024)
    /// How long it may take to read something back, in milliseconds.
    package var archivePatience: Int64 = 5000
    /// The bytes of what was read back last, for others who read the same.
    package var archiveBytes = 8 << 20

    package init() {}
}
