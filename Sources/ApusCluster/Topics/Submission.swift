import ApusProtocol

/// What one caller wants to be in a topic: messages, or a mark.
package struct Submission<Contents: PackContents>: Sendable {
    package enum Item: Sendable {
        case messages(Contents)
        /// History begins where it lands.
        case purge
        /// The topic goes on under another epoch.
        case renewal(from: String, to: String)
    }

    package let ticket: Ticket
    package let item: Item
    /// Without an outcome by then, it has failed; `nil` if it is tried for ever.
    package let deadline: Int64?

    package init(ticket: Ticket, item: Item, deadline: Int64?) {
        self.ticket = ticket
        self.item = item
        self.deadline = deadline
    }

    var bytes: Int {
        if case .messages(let contents) = item { contents.bytes } else { 0 }
    }

    var isMessages: Bool {
        if case .messages = item { true } else { false }
    }
}

/// Submissions put together: what is new of them, and where the rest was published before.
struct Assembly<Contents: PackContents>: Sendable {
    private enum Original {
        case offset(UInt64)
        /// In the same pack.
        case index(Int)
    }

    private struct Share {
        let ticket: Ticket
        let firstIndex: Int
        let count: Int
        let dropped: [(index: Int, original: Original)]
    }

    /// `nil` if all are duplicates.
    private(set) var contents: Contents?
    private var shares: [Share] = []
    private var indexOfID = ExactTable<Int>()

    var count: Int { contents?.count ?? 0 }
    var bytes: Int { contents?.bytes ?? 0 }

    init() {}

    /// Adds all of a submission but the messages whose ids are known.
    mutating func append(_ ticket: Ticket, _ contents: Contents, known: inout RecentIDs, now: Int64) {
        var rest = contents
        let (firstIndex, isDeduped) = (count, known.window != nil)
        var dropped: [(index: Int, original: Original)] = []
        for (index, id) in isDeduped ? contents.ids : [] {
            if let offset = known.offset(of: id, now: now) {
                dropped.append((index, .offset(offset)))
            } else if let place = indexOfID[id] {
                dropped.append((index, .index(place)))
            } else {
                indexOfID[id] = firstIndex + index - dropped.count
            }
        }
        rest.remove(dropped.map(\.index))
        let share = Share(
            ticket: ticket,
            firstIndex: firstIndex,
            count: rest.count,
            dropped: dropped
        )
        shares.append(share)
        guard rest.count > 0 else { return }
        if self.contents == nil { self.contents = rest } else { self.contents?.append(rest) }
    }

    /// What the submitters are told when the pack is at an offset.
    func receipts(first: UInt64) -> [(ticket: Ticket, receipt: PackReceipt)] {
        shares.map { share in
            let dropped = share.dropped.map { index, original in
                let offset =
                    switch original {
                    case .offset(let offset): offset
                    case .index(let index): first + UInt64(index)
                    }
                return PackReceipt.Dropped(index: index, offset: offset)
            }
            let place = share.count == 0 ? dropped.first?.offset : nil
            let receipt = PackReceipt(
                first: place ?? first + UInt64(share.firstIndex),
                count: share.count,
                dropped: dropped
            )
            return (share.ticket, receipt)
        }
    }
}
