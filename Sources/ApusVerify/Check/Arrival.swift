import ApusProtocol

/// A position in a topic's log.
struct LogPosition: Equatable, Sendable {
    let epoch: String
    /// The last handled offset; 0 before the first.
    var offset: Int
}

/// What a transport delivers to a subscriber.
enum Arrival: Equatable, Sendable {
    /// The answer to a subscription.
    case started(Start)
    case event(SeenEvent)
    /// The server reports that it skipped messages.
    case dropped(count: Int, from: Int?, to: Int?)
    /// The topic is gone.
    case topicDeleted
    /// The server refused or ended the connection. `code` is its error code or the close code.
    case ended(code: String)
    /// A message that violates the specification.
    case fault(String)

    struct Start: Equatable, Sendable {
        /// The position before the first event to come.
        let position: LogPosition
        /// Whether everything after the requested position follows; `nil` if the server does not say.
        var recovered: Bool?
        /// The offsets that are lost.
        var missed: ClosedRange<Int>?
    }
}

/// An event as a subscriber saw it.
struct SeenEvent: Equatable, Sendable {
    let offset: Int
    /// The label of the message; `nil` if the message is not from this run, or is damaged.
    let label: MessageLabel?
}

/// Identifies a message: the number of its stream, and its place in the stream, from 0.
///
/// A stream is what one publisher sent to one topic over one connection. The server executes a connection's commands in
/// order. So the order alone shows what happened to a message whose ack never came.
struct MessageLabel: Hashable, Sendable {
    let stream: UInt32
    let sequence: UInt32

    /// A number that hardly any other message, or this one at another offset, has.
    func digest(at offset: Int) -> UInt64 {
        var random = SplitMix64(seed: UInt64(stream) << 32 | UInt64(sequence))
        var mixed = SplitMix64(seed: random.next() ^ UInt64(offset))
        return mixed.next()
    }
}
