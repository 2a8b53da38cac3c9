extension ServerConfiguration {
    /// What outlives the process.
    public struct Storage: Sendable, Equatable {
        /// The folder that topics are kept in; empty means that nothing is kept.
        public var data = ""
        /// How many bytes of a topic may wait for the disk before publishers wait.
        public var commitBacklog = 16 << 20
    }
}
