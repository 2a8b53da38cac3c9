import NIOConcurrencyHelpers

/// The key and the lifetime of a publication.
struct PublicationDetail: Sendable {
    /// The key as a quoted JSON string.
    var key: [UInt8]?
    /// When delivery stops, in milliseconds on the steady clock.
    var expires = Int64.max

    static let none = PublicationDetail()
}

/// The keys and lifetimes of a batch's publications, and which of them are superseded.
///
/// A later publication with the same key supersedes an earlier one. Only this set changes after the batch is sealed. It
/// has its own lock, because readers do not hold the topic's lock.
final class BatchDetails: Sendable {
    /// One entry for each publication.
    let all: [PublicationDetail]
    let haveKeys: Bool
    let expire: Bool
    /// The latest expiry among publications that expire; `Int64.min` when none does.
    let lastExpiry: Int64
    /// When all publications have expired; `Int64.max` when one of them never expires.
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
        superseded.withLockedValue { $0.insert(index) }
    }

    var supersededNow: BitSet { superseded.withLockedValue { $0 } }
}

/// A set of small integers, one bit each.
struct BitSet: Sendable {
    private var words: [UInt64] = []
    private(set) var count = 0

    func contains(_ index: Int) -> Bool {
        index / 64 < words.count && words[index / 64] & (1 << UInt64(index % 64)) != 0
    }

    mutating func insert(_ index: Int) {
        while words.count <= index / 64 { words.append(0) }
        guard !contains(index) else { return }
        words[index / 64] |= 1 << UInt64(index % 64)
        count += 1
    }
}
