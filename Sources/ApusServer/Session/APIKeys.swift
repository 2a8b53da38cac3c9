import Crypto

/// The keys that open the server; without any it is open to everybody.
struct APIKeys: Sendable {
    /// Compared in place of the keys: how long that takes says nothing of a key, not even its length.
    private let digests: [SHA256.Digest]

    init(_ keys: [String]) {
        digests = keys.map(Self.digest)
    }

    private static func digest(_ key: String) -> SHA256.Digest { SHA256.hash(data: Array(key.utf8)) }

    var areRequired: Bool { !digests.isEmpty }

    /// Whether `candidate` is one of the keys.
    func contains(_ candidate: String) -> Bool {
        let candidate = Self.digest(candidate)
        // All of them are looked at, and digests are compared in constant time.
        return digests.reduce(false) { $1 == candidate || $0 }
    }
}
