/// What a rule allows or denies: one action, or several at once.
package struct Actions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Live messages, over WebSocket and event streams.
    package static let subscribe = Actions(rawValue: 1 << 0)
    /// Pages of history; together with `subscribe`, everything that replays.
    package static let history = Actions(rawValue: 1 << 1)
    package static let publish = Actions(rawValue: 1 << 2)
    /// News of who joins and leaves.
    package static let presence = Actions(rawValue: 1 << 3)
    /// Create, change and delete topics.
    package static let manage = Actions(rawValue: 1 << 4)
    /// Statistics and listings of subscribers. Those of the whole server need it on `>`.
    package static let stats = Actions(rawValue: 1 << 5)
    /// Revocations and keys. It is not about topics, so it counts only on `>`.
    package static let admin = Actions(rawValue: 1 << 6)

    package static let all: Actions = [.subscribe, .history, .publish, .presence, .manage, .stats, .admin]
    /// Those that are about a topic.
    package static let onTopics = all.subtracting(.admin)

    /// Every single action with its name in a rule, in the order of the documentation.
    package static let named: [(name: String, action: Actions)] = [
        ("subscribe", .subscribe), ("history", .history), ("publish", .publish), ("presence", .presence),
        ("manage", .manage), ("stats", .stats), ("admin", .admin),
    ]

    /// The names that a rule may have, for messages.
    static let allNames = named.map(\.name).joined(separator: ", ") + " and * for all"

    /// The action of that name, or all of them for `*`; `nil` when there is none.
    package init?(name: String) {
        guard name != "*" else {
            self = .all
            return
        }
        guard let named = Self.named.first(where: { $0.name == name }) else { return nil }
        self = named.action
    }

    /// The single actions in the set.
    package var elements: [Actions] { Self.named.map(\.action).filter(contains) }

    /// The names as a rule has them: `["*"]` for all.
    package var names: [String] {
        self == .all ? ["*"] : Self.named.filter { contains($0.action) }.map(\.name)
    }
}
