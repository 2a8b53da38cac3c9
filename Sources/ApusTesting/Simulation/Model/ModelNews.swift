/// The presence news that a subscription must be told, in order.
struct ModelNews: CustomStringConvertible {
    private struct Item {
        let clientID: String
        let hasJoined: Bool
        var isOwed: Bool
        /// News of the same moment may come in any order.
        let moment: Int
    }

    private var items: [Item] = []

    mutating func expect(_ clientID: String, hasJoined: Bool, isOwed: Bool, moment: Int) {
        items.append(Item(clientID: clientID, hasJoined: hasJoined, isOwed: isOwed, moment: moment))
    }

    /// From now on, none of the news is certain to come.
    mutating func makeOptional() {
        for index in items.indices { items[index].isOwed = false }
    }

    /// Whether this news is acceptable next. Removes it if so.
    mutating func take(_ clientID: String, hasJoined: Bool) -> Bool {
        // If the news can be an optional or an owed item, it is the owed item.
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
