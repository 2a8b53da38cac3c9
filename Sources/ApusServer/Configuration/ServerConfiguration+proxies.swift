extension ServerConfiguration {
    /// The proxies in front of the server.
    public struct Proxies: Sendable, Equatable {
        /// The proxies whose word about a client's address counts.
        public var trusted = TrustedProxies()
        /// Whether each connection of these proxies begins with a header of the PROXY protocol. `ApusMount` ignores it.
        public var speakProxyProtocol = false
    }
}
