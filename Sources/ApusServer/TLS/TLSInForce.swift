import ApusTLS
import Synchronization

/// The certificates that new connections get.
final class TLSInForce: Sendable {
    private let context: Mutex<TLSContext>

    init(_ context: TLSContext) {
        self.context = Mutex(context)
    }

    var current: TLSContext { context.withLock { $0 } }

    /// Connections that are open keep the certificates that they have.
    func replace(with next: TLSContext) {
        context.withLock { $0 = next }
    }
}
