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
        guard let index = items.firstIndex(where: { $0.clientID == clientID && $0.hasJoined == hasJoined }),
            items[..<index].allSatisfy({ !$0.isOwed || $0.moment == items[index].moment })
        else { return false }
        let moment = items.remove(at: index).moment
        items.removeAll { !$0.isOwed && $0.moment < moment }
        return true
    }

    var isComplete: Bool { items.allSatisfy { !$0.isOwed } }

    var description: String {
        items.filter(\.isOwed).map { ($0.hasJoined ? "+" : "-") + $0.clientID }.joined(separator: " ")
    }
}
