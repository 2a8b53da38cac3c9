package import ApusProtocol

extension ServerConfiguration {
    /// What topics keep, and how they come and go.
    public struct Topics: Sendable, Equatable {
        /// The response to `POST /topics` when the topic already exists.
        public enum CreateExisting: String, Sendable, CaseIterable {
            /// Status 409.
            case conflict
            /// Status 200.
            case ok
            /// Status 201, as if the topic were new.
            case created
        }

        /// What happens to a deleted topic's subscribers.
        public enum OnDelete: String, Sendable, CaseIterable {
            /// The server notifies and unsubscribes them.
            case info
            /// The server notifies them and closes their sockets.
            case disconnect
        }

        /// The commands that create missing topics, besides `POST` and `PUT`.
        public enum CreateOn: String, Sendable, CaseIterable {
            case publish
            case subscribe
        }

        /// How many messages a topic keeps for replay.
        public var history = 100
        /// How many bytes of messages a topic keeps.
        public var bytes = 256 << 20
        public var createExisting = CreateExisting.conflict
        public var onDelete = OnDelete.info
        /// Which commands create missing topics. If empty, only `POST` and `PUT` do.
        public var createOn: Set<CreateOn> = []
        /// Topics that the server creates at startup if they do not exist, and their settings. A program that embeds
        /// the server calls ``PubSub/putTopic(_:_:)``.
        package var declared: [TopicDeclaration] = []
    }
}
