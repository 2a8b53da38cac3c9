import ApusProtocol

extension ServerConfiguration {
    /// How long things may take, and how often they happen.
    public struct Timeouts: Sendable, Equatable {
        /// The time between pings; 0 means no pings.
        public var pingInterval = Duration.seconds(25)
        /// How long to wait for a pong; 0 means that a missing pong does not close the connection.
        public var pong = Duration.seconds(20)
        /// The time between heartbeats; 0 means no heartbeats.
        public var heartbeat = Duration.seconds(30)
        /// How long a subscriber may hold publishers back; 0 means forever.
        public var throttle = Duration.seconds(30)
        /// How long a new connection may take to send its first request.
        public var handshake = Duration.seconds(10)
        public var auth = Duration.seconds(10)
        /// How long an HTTP connection may be idle; 0 means forever.
        ///
        /// The default is longer than the 60 s for which proxies keep a connection. If the server closed first, a
        /// request could already be on its way.
        public var idle = Duration.seconds(75)
        /// How long a closing handshake may take.
        public var close = Duration.seconds(30)
        /// How long delivery may continue after the signal to stop.
        public var drain = Duration.seconds(10)
        /// How long an event loop may be silent before `/livez` fails.
        public var live = Duration.seconds(10)
        /// How long the server must be quiet before it frees memory; 0 means never.
        public var releaseMemoryAfter = Duration.seconds(10)

        /// How often a loop checks deadlines, in milliseconds: an eighth of the shortest timeout, between 10 and 1000.
        var tickInterval: Int64 {
            let shortest = [throttle, pingInterval, pong, heartbeat, auth, close].filter { $0 > .zero }.min()
            return min(max((shortest ?? .seconds(1)).wholeMilliseconds / 8, 10), 1000)
        }
    }
}
