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
    var staging: TopicLog
    private(set) var next: Commit?
    private(set) var current: Commit?
    var currentBatches: [Batch] = []
    /// What everybody can read already, and is to be kept from now on. It goes first.
    private var readable: (batches: [Batch], ids: [(offset: Offset, id: String)])?
    /// Whether the journal has taken it.
    private var isReadableTaken = false
    var currentBytes = 0
    /// The offset of the first publication of `next`.
    var nextFirst: Offset
    /// The message ids of `next`, and of `current`.
    var ids: [(offset: Offset, id: String)] = []
    var currentIDs: [(offset: Offset, id: String)] = []
    /// The places of `next`, and of `current`.
    var places: Places
    var currentPlaces: Places?
    /// The places of the commit before `current`.
    private(set) var previousPlaces: Places?
    /// How many publications have waited.
    private var appended: UInt64 = 0
    var isEmpty: Bool { next == nil && current == nil }

    init(template: EventTemplate, limits: TopicLog.Limits, head: Offset) {
        staging = TopicLog(template: template, limits: limits, head: head)
        nextFirst = head
        places = Places(start: 0, first: head)
    }

    /// The offset that the next publication gets.
    var head: Offset { staging.head }

    /// The bytes that wait, those that the journal has included.
    var bytes: Int { staging.bytes + currentBytes }

    /// The bytes that `next` is as records, with what they have besides the frames.
    private(set) var nextBytes = 0

    /// The bytes that a publication adds to ``nextBytes``, at most.
    func recordSize(message: Int, key: Int = 0, id: Int = 0, trace: Int = 0) -> Int {
        staging.template.frameSize(message: message) + key + id + trace + 32
    }

    func recordSize(_ publications: [Publication]) -> Int {
        publications.reduce(0) { size, one in
            let (key, trace) = (one.keyJSON?.count ?? 0, one.trace?.sizeBound ?? 0)
            return size + recordSize(message: one.message.count, key: key, id: one.id.utf8.count, trace: trace)
        }
    }

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
        appended += 1
        let (key, trace) = (detail?.key?.count ?? 0, detail?.trace?.count ?? 0)
        nextBytes += recordSize(message: message.count, key: key, id: id?.utf8.count ?? 0, trace: trace)
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
        self.readable = (readable, ids)
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
        (previousPlaces, currentPlaces, places) = (currentPlaces, places, Places(start: appended, first: nextFirst))
        currentIDs = ids
        defer { (ids, nextBytes) = ([], 0) }
        guard let readable else { return (currentBatches, ids) }
        isReadableTaken = true
        return (readable.batches + currentBatches, readable.ids + ids)
    }

    /// Ends the commit that the journal has taken, and hands its batches out.
    mutating func finish() -> (commit: Commit, batches: [Batch])? {
        guard let commit = current.take() else { return nil }
        defer { (currentBatches, currentBytes, currentIDs) = ([], 0, []) }
        if isReadableTaken { (readable, isReadableTaken) = (nil, false) }
        return (commit, currentBatches)
    }

    /// Takes out what the journal has, as if it had never been published.
    mutating func takeCurrent() -> Commit? {
        guard let commit = current.take() else { return nil }
        (currentBatches, currentBytes, currentIDs) = ([], 0, [])
        isReadableTaken = false
        return commit
    }

    /// Drops everything that nobody could read. Later publishes get the offsets from `head` on.
    ///
    /// - Parameter keepsReadable: whether what everybody can read is to be part of the next commit.
    /// - Returns: the commits that have failed with it.
    mutating func dropAll(head: Offset, keepsReadable: Bool) -> [Commit] {
        let failed = [current, next].compactMap { $0 }
        (current, currentBatches, currentBytes, ids, currentIDs) = (nil, [], 0, [], [])
        (previousPlaces, currentPlaces, places) = (nil, nil, Places(start: appended, first: head))
        isReadableTaken = false
        nextBytes = 0
        if !keepsReadable { readable = nil }
        next = readable == nil ? nil : Commit()
        staging = TopicLog(template: staging.template, limits: staging.limits, head: head)
        nextFirst = head
        return failed
    }

    /// What everybody can read is not to be kept any more, as far as it is before an offset.
    mutating func forgetReadable(before end: Offset) {
        guard !isReadableTaken, let (batches, ids) = readable else { return }
        let rest = batches.filter { $0.end > end }
        guard !rest.isEmpty else { return forgetReadable() }
        readable = (rest, ids.filter { $0.offset >= end })
    }

    /// What everybody can read is not to be kept any more.
    mutating func forgetReadable() {
        guard readable != nil, !isReadableTaken else { return }
        readable = nil
        if staging.bytes == 0 { next = nil }
    }
}
