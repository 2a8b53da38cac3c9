/// What a node has of one stream, besides its topics.
struct StreamState {
    var mirror: StreamMirror
    /// The barrier in flight.
    var barrier: Barrier?
    /// Counts barriers; each has a number.
    var barriers: UInt64 = 0
    /// The last one that was acked.
    var passed: (number: UInt64, sequence: UInt64) = (0, 0)
    var wantsBarrier = true
    /// Until then barriers tell the others that the stream has lost something. Whose consumer is beyond what took its
    /// place sees a later one.
    var alarmsUntil: Int64 = 0
    /// Counts what this node found.
    var alarms: UInt64 = 0
    /// The last alarm of each node that was heeded.
    var heeded: [UInt64: UInt64] = [:]
    /// When the last one was sent first.
    var lastBarrier: Int64 = 0
    /// When something was last acked; `nil` before the first time.
    var lastAck: Int64?
    /// Since when something is under way without an answer.
    var unansweredSince: Int64?
    var suspicion = Suspicion.none
    /// Deliveries that wait for the registry, and the barrier there that they wait for.
    var held: [Held] = []
    /// Topics whose pack in flight has to be looked for.
    var looking: [Int] = []
    /// Topics whose era begins beyond what has been read.
    var coming: [Int] = []

    struct Barrier {
        let id: PackID
        let number: UInt64
        /// What was known when it was published first.
        let floor: UInt64
        let alarm: UInt64?
        /// `nil` while it is sent.
        var pausedUntil: Int64?
    }

    struct Held {
        let delivery: Delivery
        let registryBarrier: UInt64
    }

    /// A server knows less than this node, although it is not the first one to be asked.
    enum Suspicion {
        case none
        /// A barrier will show whether the stream has a majority.
        case asked
        /// It has one.
        case hasMajority
    }
}

/// What an answer is for.
enum Attempt: Sendable {
    case pack(topic: Int, ClusterStream, id: PackID, number: Int)
    case barrier(ClusterStream, id: PackID)
    case change(topic: Int, id: PackID, ClusterStream)
    case note(Ticket, id: PackID)
}
