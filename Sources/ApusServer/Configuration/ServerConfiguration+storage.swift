extension ServerConfiguration {
    /// What outlives the process.
    public struct Storage: Sendable, Equatable {
        /// The folder that topics are kept in; empty means that nothing is kept.
        public var data = ""
        /// The most bytes of messages in it; 0 for as many as there is room for.
        public var dataBytes = 0
        /// How many bytes of a topic may wait for the disk before publishers wait.
        public var commitBacklog = 16 << 20
        /// How many bytes of a topic's history stay in memory though the disk has them, too.
        public var historyMemory = 1 << 20
    }
}
