/// What a node tells the others.
///
/// ```
///  state ─► counts 1 ─► counts 2 ─► state ─► whole 3, 4, 5 ─► counts 6 ─► … ─► leave
///           only what has changed            all there is, since somebody has asked
/// ```
package struct PeerMessage: Sendable, Equatable {
    /// Drawn at random for each process.
    package let node: UInt64
    package let content: Content

    package enum Content: Sendable, Equatable {
        /// How it is, and the number of the last counts that it sent.
        case state(NodeState, counts: UInt64)
        case counts(CountsPart)
        /// Somebody has missed some of a node's counts, and asks it for all.
        case ask(UInt64)
        /// It asks all for their subscribers.
        case list(ListingRequest)
        case listed(ListingPart)
        /// It ends.
        case leave
    }

    package init(node: UInt64, _ content: Content) {
        self.node = node
        self.content = content
    }
}

/// How a node is.
package struct NodeState: Sendable, Equatable {
    package var name = ""
    package var version = ""
    package var address = ""
    /// In milliseconds since 1970.
    package var started: Int64 = 0
    package var isReady = false
    /// How many messages of the streams it has not read yet, as far as it knows.
    package var lag: UInt64 = 0
    /// The NATS server that it is connected to.
    package var server = ""
    package var figures = Figures()

    package struct Figures: Sendable, Equatable {
        package var connections = 0
        package var subscriptions = 0
        /// Messages per second, rounded.
        package var publishes = 0
        package var deliveries = 0

        package init() {}
    }

    package init() {}
}

/// Some of a node's numbers of subscribers.
package struct CountsPart: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// What has changed since the number before.
        case change
        /// All there is: the first part, one between, the last one, or everything in one.
        case first, middle, last, only
    }

    /// Counts the parts of a node, from 1.
    package let number: UInt64
    package let kind: Kind
    package let counts: [TopicCount]

    package init(number: UInt64, kind: Kind, counts: [TopicCount]) {
        self.number = number
        self.kind = kind
        self.counts = counts
    }
}

/// How many subscribers a topic has on a node.
package struct TopicCount: Sendable, Equatable {
    package let topic: String
    package let subscribers: Int

    package init(_ topic: String, _ subscribers: Int) {
        self.topic = topic
        self.subscribers = subscribers
    }
}
