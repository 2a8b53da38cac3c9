extension ServerConfiguration {
    /// Which spans are made, and who gets them.
    public struct Tracing: Sendable, Equatable {
        /// The address of an OpenTelemetry collector (OTLP/HTTP); empty means that no spans are made.
        public var endpoint = ""
        /// Header fields of each request to it, as `name=value`.
        public var headers: [String] = []
        /// How many of the requests get a trace that bring none: from 0 to 1.
        public var sample = 0.0
        /// How the server is called there.
        public var serviceName = "apus"
        /// How many spans may wait for the collector.
        public var queue = 2048

        var isOn: Bool { !endpoint.isEmpty }
    }
}
