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

    private struct State {
        var certificates: Certificates
        /// How often files were read that cannot be used.
        var failures = 0
    }

    private let state: NIOLockedValueBox<State>

    init(_ certificates: Certificates) {
        state = NIOLockedValueBox(State(certificates: certificates))
    }

    var certificates: Certificates { state.withLockedValue { $0.certificates } }

    /// What a new connection is made with.
    var current: TLSContext { state.withLockedValue { $0.certificates.context } }

    func replace(with next: Certificates) {
        state.withLockedValue { $0.certificates = next }
    }

    /// Puts certificates in force that were read again, unless a reload has named other files meanwhile.
    func renew(with next: Certificates) -> Bool {
        state.withLockedValue { state in
            guard state.certificates.settings == next.settings else { return false }
            state.certificates = next
            return true
        }
    }

    /// Files were to come into force, and cannot be used.
    func noteFailure() {
        state.withLockedValue { $0.failures += 1 }
    }

    var families: [MetricFamily] {
        [
            MetricFamily(
                name: "apus_tls_certificate_expires_seconds",
                help: "When the first certificate in force ends, in seconds since the Unix epoch.",
                kind: .gauge,
                value: .integer(Int(current.expires / 1000))
            ),
            .counter(
                "apus_tls_certificate_failures_total",
                "Certificates and keys that could not be loaded while the server ran.",
                UInt64(state.withLockedValue { $0.failures })
            ),
        ]
    }
}
