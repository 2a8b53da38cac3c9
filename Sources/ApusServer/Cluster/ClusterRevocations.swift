import ApusAccess
import ApusBroker
import ApusCluster
import ApusJournal
import ApusProtocol
import Logging
import NIOConcurrencyHelpers

/// The revocations of a cluster: notes in its registry, so that all nodes have them, and one that starts later, too.
///
/// ```
/// POST /revocations ──► ClusterJournal.write ──► registry ──► each node: AccessControl, then its connections
/// ```
/// A node has read the registry before it listens, so it never admits what was revoked before.
final class ClusterRevocations: Sendable {
    /// How long a deletion is remembered for nodes that were away, in milliseconds.
    private static let remembersDeletion: Int64 = 24 * 3600 * 1000
    /// How many notes are removed at once: each takes JetStream some milliseconds.
    private static let mostForgotten = 100

    private let journal: ClusterJournal
    private let contexts: LoopContexts
    private let logger: Logger
    /// Whether connections will be looked at soon.
    private let isChecking = NIOLockedValueBox(false)
    /// Whether the log says that the registry has more notes than a node takes.
    private let hasWarned = NIOLockedValueBox(false)

    private var access: AccessControl { contexts.access }

    private init(_ journal: ClusterJournal, _ contexts: LoopContexts, logger: Logger) {
        (self.journal, self.contexts, self.logger) = (journal, contexts, logger)
    }

    /// Puts in force what the registry has, and from then on what comes. `nil` without a journal of a cluster.
    static func followed(
        _ journal: ClusterJournal?,
        _ contexts: LoopContexts,
        logger: Logger
    ) async -> ClusterRevocations? {
        guard let journal else { return nil }
        let revocations = ClusterRevocations(journal, contexts, logger: logger)
        await journal.watchNotes { [weak revocations] note in revocations?.take(note) }
        return revocations
    }

    private func take(_ note: RegistryNote) {
        guard let target = Revocation.Target(noteKey: note.key), let value = RevocationNote(note.value) else { return }
        let isTaken = access.withRevocations { revocations in
            guard !value.isGone else {
                if let entry = revocations[target] { revocations.remove(id: entry.id) }
                return true
            }
            let id = value.id ?? note.sequence
            return revocations.adopt(Revocation(id: id, target: target, issuedBefore: value.issuedBefore))
        }
        if !isTaken { logger.error("a revocation of another node is not in force: there are too many") }
        if !value.isGone { checkSoon() }
    }

    /// Ends connections whose credential is revoked. They look each second, too.
    private func checkSoon() {
        let isFirst = isChecking.withLockedValue { isChecking in
            defer { isChecking = true }
            return !isChecking
        }
        guard isFirst else { return }
        Task { [self] in
            isChecking.withLockedValue { $0 = false }
            await contexts.forEach { $0.checkAccess() }
        }
    }

    /// - Throws: ``Problem`` if there are too many, or the cluster does not answer: then it is not known whether other
    ///   nodes have it.
    func revoke(_ target: Revocation.Target, issuedBefore: Int64?) async throws(Problem) -> Revocation {
        let now = ServerClock.now.wall
        let isFull = access.withRevocations { $0[target] == nil && $0.count >= Revocations.maximum }
        guard !isFull else { throw .tooManyRevocations }
        try await write(target) { old in
            let live = old.flatMap { $0.isGone ? nil : $0 }
            let time = max(issuedBefore ?? now, live?.issuedBefore ?? .min)
            return RevocationNote(id: live?.id, issuedBefore: time, changed: now)
        }
        guard let entry = access.withRevocations({ $0[target] }) else {
            throw .unavailable("The revocation was deleted at once, on another node")
        }
        return entry
    }

    /// - Returns: the entry; `nil` if there is none of that id.
    func remove(id: UInt64) async throws(Problem) -> Revocation? {
        let now = ServerClock.now.wall
        // Another node may have made it just now.
        if entry(id) == nil { try? await journal.catchUp(on: []) }
        guard let entry = entry(id) else { return nil }
        try await write(entry.target) { old in
            guard let old, !old.isGone else { return nil }
            return RevocationNote(id: nil, issuedBefore: old.issuedBefore, isGone: true, changed: now)
        }
        return entry
    }

    private func entry(_ id: UInt64) -> Revocation? {
        let next = access.withRevocations { $0.page(after: id &- 1, limit: 1).entries.first }
        return next?.id == id ? next : nil
    }

    private func write(
        _ target: Revocation.Target,
        _ change: @escaping @Sendable (RevocationNote?) -> RevocationNote?
    ) async throws(Problem) {
        do throws(BrokerError) {
            try await journal.write(under: target.noteKey) { note in
                let old = note.flatMap { note in
                    RevocationNote(note.value).map { value in
                        var value = value
                        if !value.isGone, note.sequence > 0 { value.id = value.id ?? note.sequence }
                        return value
                    }
                }
                return change(old)?.text
            }
        } catch {
            throw .unavailable("\(error.message). Not all nodes may know of it: try again")
        }
    }

    /// Says once in the log that the registry has more than this node takes, if so.
    func warnIfLeftOut() {
        let count = journal.status.notesLeftOut
        guard count > 0 else { return }
        let isFirst = hasWarned.withLockedValue { hasWarned in
            defer { hasWarned = true }
            return !hasWarned
        }
        guard isFirst else { return }
        logger.error(
            "the registry has more notes than a node takes: some revocations may not be in force here",
            metadata: ["limit": "\(ClusterLimits().notes)", "left_out": "\(count)"]
        )
    }

    /// Takes out of the registry what no token can need any more.
    func forgetExpired() {
        let now = ServerClock.now.wall
        let lifetime = access.withRevocations { $0.lifetime }
        let expired = journal.allNotes.lazy.filter { note in
            guard let target = Revocation.Target(noteKey: note.key), let value = RevocationNote(note.value) else {
                return false
            }
            if value.isGone { return now - value.changed > Self.remembersDeletion }
            guard let lifetime, target.isOfTokens else { return false }
            return now >= value.issuedBefore && now - value.issuedBefore > lifetime
        }
        let some = Array(expired.prefix(Self.mostForgotten))
        if !some.isEmpty { journal.forget(some) }
    }
}

/// What a revocation's note says: `{"id":7,"issued_before":1764000000000,"gone":false,"changed":1764000000000}`.
struct RevocationNote: Equatable {
    private static let times: ClosedRange<Int64> = 0...1 << 53

    /// `nil` if the note's sequence is the id.
    var id: UInt64?
    /// In milliseconds since 1970.
    var issuedBefore: Int64
    /// Whether it was deleted.
    var isGone = false
    /// When the note was written, in milliseconds since 1970.
    var changed: Int64

    init(id: UInt64?, issuedBefore: Int64, isGone: Bool = false, changed: Int64) {
        (self.id, self.isGone) = (id, isGone)
        self.issuedBefore = min(max(issuedBefore, Self.times.lowerBound), Self.times.upperBound)
        self.changed = min(max(changed, Self.times.lowerBound), Self.times.upperBound)
    }

    var text: String {
        JSONWriter.object { writer in
            if let id { writer.member("id", id) }
            writer.member("issued_before", issuedBefore)
            writer.member("gone", isGone)
            writer.member("changed", changed)
        }
    }

    /// Reads what a stranger may have written.
    init?(_ text: String) {
        guard case .object(let members)? = JSONValue(text, maxDepth: 4) else { return nil }
        func number(_ name: String) -> Int64? {
            guard case .number(let text)? = members.first(where: { $0.name == name })?.value, let number = Int64(text),
                Self.times.contains(number)
            else { return nil }
            return number
        }
        guard let issuedBefore = number("issued_before"), let changed = number("changed") else { return nil }
        id = number("id").map { UInt64($0) }
        (self.issuedBefore, self.changed) = (issuedBefore, changed)
        if case .boolean(let gone)? = members.first(where: { $0.name == "gone" })?.value { isGone = gone }
    }
}

extension Revocation.Target {
    /// Each target has one note.
    fileprivate var noteKey: String {
        switch self {
        case .tokenID(let id): "revocation:jti:\(id)"
        case .subject(let subject): "revocation:sub:\(subject)"
        case .key(let id): "revocation:key:\(id)"
        }
    }

    fileprivate init?(noteKey key: String) {
        // By bytes: what follows a colon may be one character with it.
        let parts = key.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        guard parts.count == 3, parts[0] == "revocation", !parts[2].isEmpty else { return nil }
        switch parts[1] {
        case "jti": self = .tokenID(parts[2])
        case "sub": self = .subject(parts[2])
        case "key": self = .key(id: parts[2])
        default: return nil
        }
    }

    fileprivate var isOfTokens: Bool { if case .key = self { false } else { true } }
}
