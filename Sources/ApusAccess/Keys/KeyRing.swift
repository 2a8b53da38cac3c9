package import ApusProtocol

/// All API keys that a server accepts. Immutable: a reload makes another one.
package struct KeyRing: Sendable {
    /// The most keys. With more, the file is refused.
    package static let maximumKeys = 10_000
    /// The longest text that is looked up, in bytes.
    package static let maximumKeySize = 4096

    /// In the order of the file.
    package let keys: [APIKey]
    /// What is wrong with the rights of keys: one sentence each.
    package let warnings: [String]
    private let byDigest: [KeyDigest: Int]
    private let byID: [String: Int]

    /// No keys.
    package static let empty = KeyRing()

    private init() {
        keys = []
        warnings = []
        byDigest = [:]
        byID = [:]
    }

    /// - Throws: if there are too many keys, or if two have the same id or are the same key.
    package init(_ keys: [APIKey]) throws(AccessError) {
        guard keys.count <= Self.maximumKeys else {
            throw AccessError(.full, "there are more than \(Self.maximumKeys) keys")
        }
        var byDigest: [KeyDigest: Int] = [:]
        var byID: [String: Int] = [:]
        for (index, key) in keys.enumerated() {
            guard byID.updateValue(index, forKey: key.id) == nil else {
                throw AccessError(.file, "the id '\(key.id)' is given a second time")
            }
            guard byDigest.updateValue(index, forKey: key.digest) == nil else {
                throw AccessError(.file, "'\(key.id)' is the same key as another one")
            }
        }
        self.keys = keys
        self.byDigest = byDigest
        self.byID = byID
        warnings = Array(
            keys.lazy.flatMap { key in key.rules.warnings.map { "key '\(key.id)': \($0)" } }
                .prefix(RuleList.maximumWarnings)
        )
    }

    /// The same keys, where those that have not changed share their memory with the keys of another ring.
    ///
    /// So a client's rights are compared with its key's in no time, which counts with 100,000 clients at a reload.
    package func sharing(with other: KeyRing) -> KeyRing {
        let shared = keys.map { key in
            other.key(id: key.id).flatMap { $0 == key ? $0 : nil } ?? key
        }
        return KeyRing(shared, like: self)
    }

    private init(_ keys: [APIKey], like ring: KeyRing) {
        self.keys = keys
        warnings = ring.warnings
        byDigest = ring.byDigest
        byID = ring.byID
    }

    /// Reads a list of entries, the value of `keys`. Null, as in a file of comments, is an empty list.
    package static func keys(in value: JSONValue) throws(AccessError) -> [APIKey] {
        let entries: [JSONValue]
        switch value {
        case .null: return []
        case .array(let values): entries = values
        default: throw AccessError(.file, "keys is not a list")
        }
        guard entries.count <= maximumKeys else {
            throw AccessError(.full, "there are more than \(maximumKeys) keys")
        }
        var keys: [APIKey] = []
        for (index, entry) in entries.enumerated() {
            do throws(AccessError) {
                keys.append(try APIKey(entry))
            } catch {
                throw AccessError(error.code, "key \(index + 1): \(error.reason)")
            }
        }
        return keys
    }

    package func key(id: String) -> APIKey? {
        byID[id].map { keys[$0] }
    }

    /// The key that a client presents.
    ///
    /// What is looked up is the digest of the presented text, which nobody can steer toward the digest of a key. So how
    /// long the look-up takes says nothing about a key, and the last comparison takes the same time for all digests.
    package func key(presented text: String, at now: Int64) throws(AccessError) -> APIKey {
        guard !text.isEmpty, text.utf8.count <= Self.maximumKeySize else {
            throw AccessError(.malformed, "the API key is empty or too long")
        }
        guard KeyForm.read(text) != .mistyped else {
            throw AccessError(.mistyped, "the API key is mistyped or cut: its checksum is wrong")
        }
        guard let index = byDigest[KeyDigest(of: text)] else {
            throw AccessError(.unknownKey, "there is no such API key")
        }
        guard !keys[index].isExpired(at: now) else {
            throw AccessError(.expired, "the API key has expired", expired: keys[index].expires)
        }
        return keys[index]
    }

    /// The key that a client certificate names; `nil` if there is none of that id.
    package func key(certified name: String, at now: Int64) throws(AccessError) -> APIKey? {
        guard let key = key(id: name) else { return nil }
        guard !key.isExpired(at: now) else {
            throw AccessError(.expired, "the API key that the certificate names has expired", expired: key.expires)
        }
        return key
    }
}

// MARK: - What changed

extension KeyRing {
    /// What became of a key at a reload.
    package enum Change: Hashable, Sendable {
        /// There is no such key any more: the same as revoked.
        case gone
        /// It may do less, or expires earlier: what is open has to be checked again.
        case narrowed
        /// It may do more, or lasts longer: nothing that is open ends.
        case widened
        case unchanged
    }

    /// What became of each key, by id. New keys are not in it.
    ///
    /// An id whose secret is another one now is gone: who came with the old secret has to leave.
    package func changes(to next: KeyRing) -> [String: Change] {
        var changes: [String: Change] = [:]
        for key in keys {
            guard let now = next.key(id: key.id), now.digest == key.digest else {
                changes[key.id] = .gone
                continue
            }
            if now.rights == key.rights, now.expires == key.expires {
                changes[key.id] = .unchanged
            } else {
                let isShorter = (now.expires ?? .max) < (key.expires ?? .max)
                changes[key.id] = isShorter || !now.rights.covers(key.rights) ? .narrowed : .widened
            }
        }
        return changes
    }
}
