/// A place in a topic's log.
struct LogPosition: Equatable, Sendable {
    let epoch: String
    /// The last offset that was handled; 0 before the first.
    var offset: Int
}

/// What a transport hands to a subscriber.
enum Arrival: Equatable, Sendable {
    /// The answer to a subscription.
    case started(Start)
    case event(SeenEvent)
    /// The server skipped messages, and says so.
    case dropped(count: Int, from: Int?, to: Int?)
    /// The topic is gone.
    case topicDeleted
    /// The server refused or broke off; `code` is its machine code or the close code.
    case ended(code: String)
    /// Something that the specification does not allow.
    case fault(String)

    struct Start: Equatable, Sendable {
        /// Before the first event to come.
        let position: LogPosition
        /// Whether everything after the position asked for follows; nil where the server does not say.
        var recovered: Bool?
        /// The offsets that are gone.
        var missed: ClosedRange<Int>?
    }
}

/// An event as a subscriber saw it.
struct SeenEvent: Equatable, Sendable {
    let offset: Int
    /// Whose message it is; nil when it is none of ours, or not as we published it.
    let label: MessageLabel?
}

/// Who published a message, and as which one: the number of its stream and its place there, from 0.
///
/// A stream is what one publisher sent to one topic over one connection. So what became of a message whose ack never
/// came is known from the order alone: the connection's commands are done one after the other.
struct MessageLabel: Hashable, Sendable {
    let stream: UInt32
    let sequence: UInt32
}
