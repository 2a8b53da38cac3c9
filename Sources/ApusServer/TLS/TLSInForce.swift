import ApusSockets
import ApusTLS
import NIOConcurrencyHelpers

/// The certificates for new connections. A reload, or a change of their files, replaces them; connections keep those
/// that they were made with.
///
/// The lock is a leaf: it is held for a look-up or a change, never while files are read.
final class TLSInForce: Sendable {
    /// Certificates that were read from their files.
    struct Certificates: Sendable {
        let settings: ServerConfiguration.TLS
        /// What the files were like before they were read.
        let stamps: [FileStamp?]
        let context: TLSContext
    }

    private let state: NIOLockedValueBox<Certificates>

    init(_ certificates: Certificates) {
        state = NIOLockedValueBox(certificates)
    }

    var certificates: Certificates { state.withLockedValue { $0 } }

    /// What a new connection is made with.
    var current: TLSContext { state.withLockedValue { $0.context } }

    func replace(with next: Certificates) {
        state.withLockedValue { $0 = next }
    }

    /// Puts certificates in force that were read again, unless a reload has named other files meanwhile.
    func renew(with next: Certificates) -> Bool {
        state.withLockedValue { current in
            guard current.settings == next.settings else { return false }
            current = next
            return true
        }
    }

    var families: [MetricFamily] {
        [
            MetricFamily(
                name: "apus_tls_certificate_expires_seconds",
                help: "When the first certificate in force ends, in seconds since the Unix epoch.",
                kind: .gauge,
                value: .integer(Int(current.expires / 1000))
            )
        ]
    }
}
