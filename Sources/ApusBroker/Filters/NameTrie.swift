/// Values stored under the names of topics, one under each, found by a pattern.
///
/// The walk for a filter takes the one child of a literal, all children at `*`, and everything below at `>`. It costs
/// as much as there are names that match, and names that part from the filter only after a `*`: `*.*.x` passes by every
/// name of two tokens or more. It never passes by a node twice.
///
/// A value, without a lock: its owner guards it with its own.
public struct NameTrie<Value> {
    fileprivate struct Entry {
        let number: UInt64
        let value: Value
    }

    private var trie = TokenTrie<Entry>()
    private var nextNumber: UInt64 = 0

    /// How many names are stored.
    public private(set) var count = 0

    /// How many nodes are kept for them.
    var nodeCount: Int { trie.nodeCount }

    public init() {}

    /// Gives back what was reserved for more than is stored now.
    mutating func releaseRoom() { trie.releaseRoom() }

    /// Stores `value` under `name`, in the place of what was stored under it.
    ///
    /// - Returns: What was.
    @discardableResult
    public mutating func insert(_ name: String, _ value: Value) -> Value? {
        let number = nextNumber
        let old = trie.update(Self.path(of: name)) { entry in
            defer { entry = Entry(number: number, value: value) }
            return entry?.value
        }
        nextNumber += 1
        if old == nil { count += 1 }
        return old
    }

    /// Removes what is stored under `name`.
    @discardableResult
    public mutating func remove(_ name: String) -> Value? {
        let old = trie.update(Self.path(of: name)) { entry in
            defer { entry = nil }
            return entry?.value
        }
        if old != nil { count -= 1 }
        return old
    }

    /// The values whose name `filter` matches, the one stored longest first.
    ///
    /// - Parameter limit: The most to return. Whoever allows so many asks for one more and knows whether there are;
    ///   which of them are found is then left to chance.
    public func matches(of filter: TopicFilter, limit: Int = .max) -> [Value] {
        let tokens = filter.tokens
        var found: [Entry] = []
        var pending = [(node: TokenTrie<Entry>.root, depth: 0)]
        while found.count < limit, let (node, depth) = pending.popLast() {
            let token = depth < tokens.count ? tokens[depth] : nil
            if token == nil, let entry = trie.nodes[node].content { found.append(entry) }
            switch token {
            case .literal(let text):
                if let child = trie.nodes[node].literals[text] { pending.append((child, depth + 1)) }
            case .one, .tail:
                for child in trie.nodes[node].literals.values { pending.append((child, depth + 1)) }
            case nil where tokens.last == .tail:
                // Already behind the `>`, where the pattern has ended and names go on.
                for child in trie.nodes[node].literals.values { pending.append((child, depth)) }
            case nil:
                break
            }
        }
        // A dictionary's order is another in every process, and a run with the same seed must be the same run.
        found.sort { $0.number < $1.number }
        return found.map(\.value)
    }

    private static func path(of name: String) -> [TopicFilter.Token] {
        ExactText.tokens(of: name).map(TopicFilter.Token.literal)
    }
}

extension NameTrie: Sendable where Value: Sendable {}
extension NameTrie.Entry: Sendable where Value: Sendable {}
