/// What a subscription is to be told of others' subscriptions, in order.
struct ModelNews: CustomStringConvertible {
    private struct Item {
        let clientID: String
        let hasJoined: Bool
        var isOwed: Bool
        /// What happened at once comes in any order.
        let moment: Int
    }

    private var items: [Item] = []

    mutating func expect(_ clientID: String, hasJoined: Bool, isOwed: Bool, moment: Int) {
        items.append(Item(clientID: clientID, hasJoined: hasJoined, isOwed: isOwed, moment: moment))
    }

    /// It is no longer sure that any of it comes.
    mutating func makeOptional() {
        for index in items.indices { items[index].isOwed = false }
    }

    /// Whether that is what comes next.
    mutating func take(_ clientID: String, hasJoined: Bool) -> Bool {
        // Of two that it may be, one that need not come and one that must, it is the one that must.
        let index = items.indices.last { index in
            items[index].clientID == clientID && items[index].hasJoined == hasJoined
                && items[..<index].allSatisfy { !$0.isOwed || $0.moment == items[index].moment }
        }
        guard let index else { return false }
        items.remove(at: index)
        return true
    }

    var isComplete: Bool { items.allSatisfy { !$0.isOwed } }

    var description: String {
        items.filter(\.isOwed).map { ($0.hasJoined ? "+" : "-") + $0.clientID }.joined(separator: " ")
    }
}
