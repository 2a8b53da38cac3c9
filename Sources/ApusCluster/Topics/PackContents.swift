package import NIOCore

/// The messages of a pack, as a node has to know them: how many, and the ids to be recognized.
package protocol PackContents: Sendable {
    /// Of messages.
    var count: Int { get }
    /// Of the body.
    var bytes: Int { get }
    /// The newest message's, in milliseconds since 1970.
    var time: Int64 { get }
    /// Message ids, where the topic removes duplicates, with the messages' indices in ascending order.
    var ids: [(index: Int, id: String)] { get }
    var body: ByteBuffer { get }

    mutating func append(_ other: Self)

    /// - Parameter indices: in ascending order.
    mutating func remove(_ indices: [Int])

    /// Reads what a stranger may have written.
    ///
    /// - Returns: `nil` unless these are so many messages.
    init?(body: ByteBuffer, count: Int, time: Int64)
}

/// Names what a node is asked to do; its outcome says it.
package typealias Ticket = UInt64

/// What became of a publish.
package struct PackReceipt: Sendable, Equatable {
    /// Of the first new message. If all are duplicates, the offset where the first one was published before.
    package var first: UInt64
    /// Of new messages.
    package var count: Int
    /// The messages that were not published again, in the order of their indices.
    package var dropped: [Dropped]

    /// A message whose id was published before.
    package struct Dropped: Sendable, Equatable {
        /// Among the messages of the publish.
        package var index: Int
        /// Where it was published.
        package var offset: UInt64

        package init(index: Int, offset: UInt64) {
            self.index = index
            self.offset = offset
        }
    }

    package var duplicates: Int { dropped.count }

    package init(first: UInt64, count: Int, dropped: [Dropped] = []) {
        self.first = first
        self.count = count
        self.dropped = dropped
    }
}

/// Why something was not done, or is not known to be done.
package enum ClusterFailure: Error, Sendable, Equatable {
    /// There was no answer in time. It may be done or not, but not twice.
    case unavailable
    /// The topic was deleted.
    case deleted
    /// It can never be done.
    case refused(String)
    /// Too much waits already.
    case overloaded
}
