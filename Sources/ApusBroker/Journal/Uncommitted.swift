import ApusProtocol

/// What was published to a topic and is not committed yet: nobody can read it.
///
/// ```
/// log (committed)     current: the journal has it     next: published meanwhile
/// ┌──────┬──────┐   ┌──────┬──────┐                 ┌──────┬───────┐
/// │ 1…64 │ 65…9 │   │10…12 │      │                 │13…20 │ 21…   │ ← append
/// └──────┴──────┘   └──────┴──────┘                 └──────┴───────┘
/// ```
struct Uncommitted {
    /// The offsets here are provisional: if a commit fails, later publishes get them.
    private var staging: TopicLog
    private(set) var next: Commit?
    private(set) var current: Commit?
    private var currentBatches: [Batch] = []
    /// What everybody can read already, and is to be kept from now on. It goes first.
    private var readable: [Batch] = []
    private var currentBytes = 0
    /// The offset of the first publication of `next`.
    private var nextFirst: Offset
    /// The message ids of `next`.
    private var ids: [(offset: Offset, id: String)] = []
    var isEmpty: Bool { next == nil && current == nil }

    init(template: EventTemplate, limits: TopicLog.Limits, head: Offset) {
        staging = TopicLog(template: template, limits: limits, head: head)
        nextFirst = head
    }

    /// The offset that the next publication gets.
    var head: Offset { staging.head }

    /// The bytes that wait, those that the journal has included.
    var bytes: Int { staging.bytes + currentBytes }

    /// Appends a publication.
    ///
    /// - Returns: its offset, unless it fails. ``commit(of:)`` says with what.
    mutating func append(
        _ message: UnsafeRawBufferPointer,
        time: Timestamp,
        origin: UInt32,
        detail: PublicationDetail? = nil,
        id: String? = nil
    ) -> Offset {
        if next == nil { next = Commit() }
        let offset = staging.append(message, time: time, origin: origin, detail: detail)
        if let id { ids.append((offset, id)) }
        return offset
    }

    /// The commit of a publication; `nil` if it is committed.
    func commit(of offset: Offset) -> Commit? {
        if offset >= nextFirst { return next }
        return offset >= (currentBatches.first?.first ?? nextFirst) ? current : nil
    }

    /// Has the journal keep what is readable already.
    mutating func begin(with readable: [Batch], ids: [(offset: Offset, id: String)]) {
        self.readable = readable
        self.ids = ids
        next = Commit()
    }

    /// Takes what waits, for the journal.
    ///
    /// - Returns: `nil` if nothing waits, or the journal has not settled what it took before.
    mutating func take() -> (batches: [Batch], ids: [(offset: Offset, id: String)])? {
        guard current == nil, let commit = next.take() else { return nil }
        currentBytes = staging.bytes
        currentBatches = staging.takeAll()
        current = commit
        nextFirst = staging.head
        defer { (ids, readable) = ([], []) }
        return (readable + currentBatches, ids)
    }

    /// Ends the commit that the journal has taken, and hands its batches out.
    mutating func finish() -> (commit: Commit, batches: [Batch])? {
        guard let commit = current.take() else { return nil }
        defer { (currentBatches, currentBytes) = ([], 0) }
        return (commit, currentBatches)
    }

    /// Drops everything. Later publishes get the offsets from `head` on.
    ///
    /// - Returns: the commits that have failed with it.
    mutating func dropAll(head: Offset) -> [Commit] {
        defer { (current, next, currentBatches, currentBytes, ids) = (nil, nil, [], 0, []) }
        staging = TopicLog(template: staging.template, limits: staging.limits, head: head)
        nextFirst = head
        return [current, next].compactMap { $0 }
    }
}
