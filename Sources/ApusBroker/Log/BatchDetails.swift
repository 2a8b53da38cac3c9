import BitCollections
import NIOConcurrencyHelpers

/// What a publication may have besides its message.
struct PublicationDetail: Sendable {
    /// As a quoted JSON string.
    var key: [UInt8]?
    /// When it is no longer delivered, on the steady clock.
    var expires = Int64.max

    static let none = PublicationDetail()
}

/// The keys and lifetimes of a batch's publications, and which of them a later one with the same key has superseded.
///
/// Only this last part changes after the batch is sealed; it has a lock of its own, as readers do not hold the topic's.
final class BatchDetails: Sendable {
    /// One for each publication.
    let all: [PublicationDetail]
    let haveKeys: Bool
    let expire: Bool
    /// When the last of those has expired that ever do; `Int64.min` when none does.
    let lastExpiry: Int64
    /// When all of them have.
    let expiresBy: Int64
    private let superseded: NIOLockedValueBox<BitSet>

    init(_ all: [PublicationDetail], superseded: BitSet) {
        self.all = all
        haveKeys = all.contains { $0.key != nil }
        expire = all.contains { $0.expires != .max }
        lastExpiry = all.reduce(.min) { $1.expires == .max ? $0 : max($0, $1.expires) }
        expiresBy = all.contains { $0.expires == .max } ? .max : lastExpiry
        self.superseded = NIOLockedValueBox(superseded)
    }

    func supersede(_ index: Int) {
        superseded.withLockedValue { _ = $0.insert(index) }
    }

    var supersededNow: BitSet { superseded.withLockedValue { $0 } }
}
