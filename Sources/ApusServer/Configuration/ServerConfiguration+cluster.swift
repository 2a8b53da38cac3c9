extension ServerConfiguration {
    /// The cluster that the server is a node of.
    public struct Cluster: Sendable, Equatable {
        /// The NATS servers to begin with; none means that the server is alone.
        public var urls: [String] = []
        /// A file with a user's JWT and seed; empty means none.
        public var credentials = ""
        /// A file with the certificates that vouch for the servers, in PEM; empty means none.
        public var authorities = ""
        /// What the names of streams and subjects begin with.
        public var prefix = "apus"
        /// What this node is called among the others; empty means by its host and port.
        public var node = ""
        /// How many NATS servers keep a copy of each stream.
        public var replicas = 3
        /// Whether servers are accepted that acknowledge before they have written to their disks.
        public var acceptsUnsynced = false
        /// Whether somebody vouches that all servers write to their disks before they acknowledge.
        public var isSynced = false
        public var mirror = Mirror.all

        /// Which topics' messages a node has in memory.
        public enum Mirror: String, Sendable, CaseIterable {
            /// The newest of every topic.
            case all
            /// Of topics that somebody here reads. Of others they are read back when somebody comes.
            case interest
        }
    }
}
