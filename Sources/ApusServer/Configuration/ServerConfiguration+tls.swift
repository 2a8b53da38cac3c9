public import ApusTLS

extension ServerConfiguration {
    /// TLS at the server's own ports. `ApusMount` ignores it.
    public struct TLS: Sendable, Equatable {
        /// The most certificates of ``more``.
        public static let maximumCount = 100

        /// The file with the certificate and its chain, in PEM; empty means no TLS.
        public var certificate = ""
        /// The file with the certificate's key, in PEM.
        public var key = ""
        /// Further certificates, for clients that ask for one of their names (SNI, RFC 6066 section 3).
        public var more: [TLSFiles] = []
        /// A file with the certificates that clients' certificates must come from, in PEM; empty means that clients
        /// need none.
        public var clientCA = ""
        /// A file with the keys of session tickets, for several servers that share them; empty means keys of its own.
        public var ticketKeys = ""

        /// Whether the server speaks TLS.
        public var isOn: Bool { !certificate.isEmpty }

        /// All certificates; the first is for clients that ask for no name, or for one that no certificate has.
        var certificates: [TLSFiles] { [TLSFiles(certificate: certificate, key: key)] + more }

        /// The files that it names.
        var files: [String] {
            let single = [certificate, key, clientCA, ticketKeys].filter { !$0.isEmpty }
            return single + more.flatMap { [$0.certificate, $0.key] }
        }
    }
}
