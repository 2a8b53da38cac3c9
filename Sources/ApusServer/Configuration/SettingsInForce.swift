import NIOConcurrencyHelpers

/// The settings in force, for all threads. A reload replaces them as a whole.
///
/// A loop has a copy of its own, ``LoopContext/settings``, which changes between two of its turns. The lock is a leaf:
/// it is held for a look-up or a change.
final class SettingsInForce: Sendable {
    /// One allocation, so that a reader copies a reference and not every list of the configuration.
    private final class Snapshot: Sendable {
        let configuration: ServerConfiguration
        let sites: SitePolicy

        init(_ configuration: ServerConfiguration, isLocal: Bool) {
            self.configuration = configuration
            sites = SitePolicy(configuration.access, isLocal: isLocal, isSecure: configuration.tls.isOn)
        }
    }

    private let snapshot: NIOLockedValueBox<Snapshot>
    /// Whether the server listens only on loopback addresses.
    private let isLocal: Bool

    init(_ configuration: ServerConfiguration, isLocal: Bool) {
        snapshot = NIOLockedValueBox(Snapshot(configuration, isLocal: isLocal))
        self.isLocal = isLocal
    }

    var configuration: ServerConfiguration { snapshot.withLockedValue { $0 }.configuration }

    /// Which web pages may use the server, and under which names it answers.
    var sites: SitePolicy { snapshot.withLockedValue { $0 }.sites }

    func replace(with configuration: ServerConfiguration) {
        let next = Snapshot(configuration, isLocal: isLocal)
        snapshot.withLockedValue { $0 = next }
    }
}
