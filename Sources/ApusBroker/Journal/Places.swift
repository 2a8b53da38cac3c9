import ApusProtocol

/// The offsets of publications that wait for a journal which others publish through, too: they move up when others'
/// come first, and those that others have published already get none.
///
/// A place is how many publications had waited in the topic before: it never changes.
///
/// ```
/// places            7   8   9  10
/// first = 31       31  32   ✕  33      ✕: dropped, somebody else has published it at 28
/// ```
struct Places: Sendable, Equatable {
    /// A publication whose message id somebody else's has, with the offset of that one.
    struct Dropped: Sendable, Equatable {
        let place: UInt64
        let offset: Offset
    }

    let start: UInt64
    /// The offset of the first one that is not dropped.
    var first: Offset
    /// By place.
    var dropped: [Dropped] = []
    var isMoved = false

    init(start: UInt64, first: Offset) {
        self.start = start
        self.first = first
    }

    /// The offset of a publication, or of the one that it repeats.
    func offset(of place: UInt64) -> Offset {
        var before: UInt64 = 0
        for one in dropped where one.place <= place {
            if one.place == place { return one.offset }
            before += 1
        }
        return first + (place - start - before)
    }

    /// The place of the publication that has an offset now.
    func place(of offset: Offset) -> UInt64 {
        var place = start + (offset - first)
        for one in dropped where one.place <= place { place += 1 }
        return place
    }

    func droppedCount(in places: Range<UInt64>) -> Int { dropped.count { places.contains($0.place) } }
}

/// What became of the offsets in a commit's receipts, if others' publications came before.
package struct Relocation: Sendable, Equatable {
    let places: Places
    /// Those of the commit before it, which some of its publications may repeat.
    let previous: Places?

    private func offset(of place: UInt64) -> Offset {
        guard place < places.start, let previous, place >= previous.start else { return places.offset(of: place) }
        return previous.offset(of: place)
    }

    /// The receipt that was given when the publications began to wait, with what is true since they are kept.
    package func settled(_ receipt: PublishReceipt) -> PublishReceipt {
        guard receipt.place != .max, receipt.place >= (previous ?? places).start else { return receipt }
        var settled = receipt
        guard receipt.count > 0 else {
            settled.offset = offset(of: receipt.place)
            return settled
        }
        let own = receipt.place..<(receipt.place + UInt64(receipt.count))
        let dropped = places.droppedCount(in: own)
        settled.count -= dropped
        settled.duplicates += dropped
        let kept = own.first { place in !places.dropped.contains { $0.place == place } }
        settled.offset = offset(of: kept ?? receipt.place)
        return settled
    }
}
