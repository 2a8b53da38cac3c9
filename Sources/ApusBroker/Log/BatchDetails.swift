import BitCollections
import NIOConcurrencyHelpers

/// What a publication may have besides its message.
///
/// A batch has one for each publication as soon as one has any. So those of the others take one word, and no time.
struct PublicationDetail: Sendable {
    private final class Parts: Sendable {
        let key: [UInt8]?
        let expires: Int64
        let trace: [UInt8]?

        init(_ key: [UInt8]?, _ expires: Int64, _ trace: [UInt8]?) {
            (self.key, self.expires, self.trace) = (key, expires, trace)
        }
    }

    private var parts: Parts?

    init(key: [UInt8]? = nil, expires: Int64 = .max, trace: [UInt8]? = nil) {
        if key != nil || expires != .max || trace != nil { parts = Parts(key, expires, trace) }
    }

    static var none: PublicationDetail { PublicationDetail() }

    var isNone: Bool { parts == nil }

    /// As a quoted JSON string.
    var key: [UInt8]? {
        get { parts?.key }
        set { self = PublicationDetail(key: newValue, expires: expires, trace: trace) }
    }

    /// When it is no longer delivered, on the steady clock.
    var expires: Int64 {
        get { parts?.expires ?? .max }
        set { self = PublicationDetail(key: key, expires: newValue, trace: trace) }
    }

    /// The trace context, as ``TraceContext/json``.
    var trace: [UInt8]? {
        get { parts?.trace }
        set { self = PublicationDetail(key: key, expires: expires, trace: newValue) }
    }
}

/// The keys, lifetimes and traces of a batch's publications, and which of them a later one with the same key has
/// superseded.
///
/// Only this last part changes after the batch is sealed; it has a lock of its own, as readers do not hold the topic's.
final class BatchDetails: Sendable {
    /// One for each publication.
    let all: [PublicationDetail]
    let haveKeys: Bool
    let expire: Bool
    let haveTraces: Bool
    /// When the last of those has expired that ever do; `Int64.min` when none does.
    let lastExpiry: Int64
    /// When all of them have.
    let expiresBy: Int64
    private let superseded: NIOLockedValueBox<BitSet>

    init(_ all: [PublicationDetail], superseded: BitSet) {
        var (haveKeys, haveTraces, neverExpires) = (false, false, false)
        var lastExpiry = Int64.min
        // By index: an element that is taken out of the array is retained, with all that it has.
        for index in all.indices {
            guard !all[index].isNone else {
                neverExpires = true
                continue
            }
            if all[index].key != nil { haveKeys = true }
            if all[index].trace != nil { haveTraces = true }
            let expires = all[index].expires
            if expires == .max { neverExpires = true } else { lastExpiry = max(lastExpiry, expires) }
        }
        self.all = all
        self.haveKeys = haveKeys
        self.haveTraces = haveTraces
        expire = lastExpiry > .min
        self.lastExpiry = lastExpiry
        expiresBy = neverExpires ? .max : lastExpiry
        self.superseded = NIOLockedValueBox(superseded)
    }

    /// Whether not every subscription gets all of them.
    var isSelective: Bool { haveKeys || expire }

    func supersede(_ index: Int) {
        superseded.withLockedValue { _ = $0.insert(index) }
    }

    var supersededNow: BitSet { superseded.withLockedValue { $0 } }
}
