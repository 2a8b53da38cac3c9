import ApusProtocol
import BitCollections
import NIOCore

// What waits, when others have published to the topic before it.

extension Uncommitted {
    /// The place of the publication that has an offset now; `UInt64.max` if it does not wait.
    func place(of offset: Offset) -> UInt64 {
        if offset >= places.first, next != nil { return places.place(of: offset) }
        guard current != nil, let currentPlaces, offset >= currentPlaces.first else { return .max }
        return currentPlaces.place(of: offset)
    }

    /// What became of the offsets of the commit that the journal has; `nil` if they are what they were.
    var relocation: Relocation? {
        guard let currentPlaces, currentPlaces.isMoved || previousPlaces?.isMoved == true else { return nil }
        return Relocation(places: currentPlaces, previous: previousPlaces)
    }

    /// The message ids of all that waits, in the order of their offsets.
    var identified: [(offset: Offset, id: String)] { currentIDs + ids }

    /// Has all that waits come after what others have published.
    ///
    /// - Parameter head: the offset after theirs.
    mutating func move(to head: Offset) { move(to: head, without: []) }

    /// Leaves out of what the journal has taken what others have published already.
    ///
    /// - Parameter dropped: which of the publications, counted from 0, and the offsets of theirs.
    mutating func drop(_ dropped: [(index: Int, offset: Offset)]) {
        guard let first = currentPlaces?.first, !dropped.isEmpty else { return }
        move(to: first, without: dropped)
    }

    /// Drops what the journal has taken.
    ///
    /// - Returns: the commit that has failed with it.
    mutating func refuse(head: Offset) -> Commit? {
        guard let commit = takeCurrent() else { return nil }
        move(to: head, without: [])
        return commit
    }

    private mutating func move(to head: Offset, without dropped: [(index: Int, offset: Offset)]) {
        var first = head
        if current != nil, var places = currentPlaces {
            let old = places.first
            places.dropped = dropped.map { Places.Dropped(place: places.start + UInt64($0.index), offset: $0.offset) }
            let gone = Set(dropped.map { old + UInt64($0.index) })
            currentBatches = Self.move(currentBatches, to: first, without: gone, &currentIDs, &places)
            currentPlaces = places
            currentBytes = currentBatches.reduce(0) { $0 + $1.size }
            first = currentBatches.last?.end ?? first
        }
        let batches = Self.move(staging.takeAll(), to: first, without: [], &ids, &places)
        staging = TopicLog(template: staging.template, limits: staging.limits, head: first)
        for batch in batches { staging.adopt(batch) }
        nextFirst = first
    }

    private static func move(
        _ batches: [Batch],
        to first: Offset,
        without gone: Set<Offset>,
        _ ids: inout [(offset: Offset, id: String)],
        _ places: inout Places
    ) -> [Batch] {
        var moved: [Batch] = []
        for batch in batches {
            if let batch = batch.moved(to: moved.last?.end ?? first, without: gone) { moved.append(batch) }
        }
        let passed = gone.sorted()
        ids = ids.compactMap { offset, id in
            guard !gone.contains(offset) else { return nil }
            return (first + (offset - places.first) - UInt64(passed.count { $0 < offset }), id)
        }
        places.first = first
        places.isMoved = true
        return moved
    }
}

extension Batch {
    /// The same publications at other offsets, without some of them; `nil` if none is left. Nobody may have read it.
    ///
    /// - Parameters:
    ///   - first: the offset of the first one.
    ///   - dropped: offsets of now.
    func moved(to first: Offset, without dropped: Set<Offset>) -> Batch? {
        let kept = (self.first..<end).filter { !dropped.contains($0) }
        guard !kept.isEmpty else { return nil }
        var open = opened
        var details = details?.all
        if kept.count < count {
            open = TopicLog.OpenBatch(newestTime: newestTime, lead: lead)
            for offset in kept {
                if open.bytes.readableBytes > 0 {
                    open.marks.append(Mark(end: UInt32(open.bytes.readableBytes), origin: open.lastOrigin))
                }
                open.lastOrigin = origin(at: offset)
                open.bytes.writeImmutableBuffer(slice(offset..<offset + 1, of: base))
            }
            details = details.map { all in kept.map { all[Int($0 - self.first)] } }
        }
        // Which of them are superseded is found out again by the log that adopts the batch.
        let own = details.map { BatchDetails($0, superseded: BitSet()) }
        return Batch(first: first, open: open, details: own, template: template)
    }
}
