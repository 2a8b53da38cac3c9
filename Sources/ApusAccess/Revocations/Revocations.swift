/// Which credentials are no longer accepted although they are valid.
///
/// There is one entry for each target: to revoke the same again moves `issuedBefore` forward. So a look-up is three
/// searches in a dictionary, however long the list is.
package struct Revocations: Sendable {
    /// The most entries. Beyond, nothing more can be revoked until entries are deleted or have expired.
    package static let maximum = 100_000
    /// The most entries of a page.
    package static let maximumPage = 1000

    /// How long an entry about tokens is kept after `issuedBefore`, in milliseconds; `nil` for ever.
    ///
    /// It is `token_max_age` and the leeway: after that, every token that the entry was about has expired. Entries
    /// about keys stay, because a key may live for ever.
    package private(set) var lifetime: Int64?
    private var ids: [Revocation.Target: UInt64] = [:]
    private var entries: [UInt64: Revocation] = [:]
    /// The ids in ascending order, which is that of pages.
    private var order: [UInt64] = []
    private var lastID: UInt64 = 0

    /// - Parameter entries: entries that were stored, in any order. Of two with the same target or id, the first
    ///   counts.
    package init(lifetime: Int64? = nil, restoring entries: [Revocation] = []) {
        self.lifetime = lifetime
        for entry in entries.prefix(Self.maximum) where ids[entry.target] == nil && self.entries[entry.id] == nil {
            ids[entry.target] = entry.id
            self.entries[entry.id] = entry
            lastID = max(lastID, entry.id)
        }
        order = self.entries.keys.sorted()
    }

    /// Keeps entries at least for another lifetime, too. Never for a shorter one than before: a token that was too long
    /// for the new `token_max_age` when its entry was made may have become short enough.
    package mutating func keepAlso(for lifetime: Int64?) {
        self.lifetime = self.lifetime.flatMap { old in lifetime.map { max(old, $0) } }
    }

    package var count: Int { entries.count }

    /// Revokes credentials.
    ///
    /// - Parameters:
    ///   - issuedBefore: milliseconds since 1970; now, if it is `nil`.
    ///   - now: milliseconds since 1970, by the wall clock.
    /// - Returns: the entry, which is an older one if the target was revoked before.
    @discardableResult
    package mutating func revoke(
        _ target: Revocation.Target,
        issuedBefore: Int64? = nil,
        at now: Int64
    ) throws(AccessError) -> Revocation {
        let issuedBefore = issuedBefore ?? now
        if let id = ids[target], var entry = entries[id] {
            entry.issuedBefore = max(entry.issuedBefore, issuedBefore)
            entries[id] = entry
            return entry
        }
        if entries.count >= Self.maximum { removeExpired(at: now) }
        guard entries.count < Self.maximum else {
            throw AccessError(.full, "there are \(Self.maximum) revocations already")
        }
        lastID += 1
        let entry = Revocation(id: lastID, target: target, issuedBefore: issuedBefore)
        ids[target] = entry.id
        entries[entry.id] = entry
        order.append(entry.id)
        return entry
    }

    /// The entry about a target.
    package subscript(target: Revocation.Target) -> Revocation? { ids[target].flatMap { entries[$0] } }

    /// Takes over an entry that others have made, in the place of one about the same target. It counts beyond
    /// ``maximum``, too, up to twice as many.
    ///
    /// - Returns: whether it was taken.
    package mutating func adopt(_ entry: Revocation) -> Bool {
        guard ids[entry.target] != nil || entries.count < 2 * Self.maximum else { return false }
        if let id = ids[entry.target] { remove(id: id) }
        // Two of one id come from two lists. Both count.
        let id = entries[entry.id] == nil ? entry.id : lastID + 1
        order.insert(id, at: place(behind: id))
        ids[entry.target] = id
        entries[id] = Revocation(id: id, target: entry.target, issuedBefore: entry.issuedBefore)
        lastID = max(lastID, id)
        return true
    }

    /// Takes an entry out; `nil` if there is none of that id.
    @discardableResult
    package mutating func remove(id: UInt64) -> Revocation? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        ids[entry.target] = nil
        order.remove(at: place(behind: id) - 1)
        return entry
    }

    /// Takes out what no token can need any more. Goes through all entries, so it is for housekeeping.
    package mutating func removeExpired(at now: Int64) {
        guard let lifetime else { return }
        let expired = entries.values.filter { entry in
            if case .key = entry.target { return false }
            return now >= entry.issuedBefore && now - entry.issuedBefore > lifetime
        }
        guard !expired.isEmpty else { return }
        for entry in expired {
            entries[entry.id] = nil
            ids[entry.target] = nil
        }
        order.removeAll { entries[$0] == nil }
    }

    /// Whether the credential of a client is revoked.
    package func isRevoked(_ principal: Principal) -> Bool {
        guard !entries.isEmpty else { return false }
        return targets(of: principal).contains { target in
            ids[target].flatMap { entries[$0] }?.applies(to: principal) ?? false
        }
    }

    private func targets(of principal: Principal) -> [Revocation.Target] {
        switch principal.source {
        case .key(let id): [.key(id: id)]
        case .token: [principal.tokenID.map { .tokenID($0) }, principal.id.map { .subject($0) }].compactMap(\.self)
        }
    }
}

// MARK: - Pages

extension Revocations {
    /// Some of the entries, in the order in which they were made.
    package struct Page: Hashable, Sendable {
        package let entries: [Revocation]
        /// What to ask the next page for; `nil` after the last.
        package let next: UInt64?
    }

    /// The entries behind that of id `after`, which need not exist any more.
    package func page(after id: UInt64 = 0, limit: Int = 100) -> Page {
        let start = place(behind: id)
        let end = min(start + max(1, min(limit, Self.maximumPage)), order.count)
        let page = order[start..<end].compactMap { entries[$0] }
        return Page(entries: page, next: end < order.count ? page.last?.id : nil)
    }

    /// How many entries have an id up to this one.
    private func place(behind id: UInt64) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if order[middle] <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
