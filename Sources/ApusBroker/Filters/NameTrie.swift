package import ApusProtocol

/// Values stored under the names of topics, one for each name, found by a pattern.
///
/// The look-up of a filter follows the one child of a literal, all children at `*`, and everything below at `>`. Its
/// cost grows with the names that match, and with the names that differ from the filter only after a `*`: `*.*.x`
/// visits every name of two or more tokens. It never visits a node twice.
///
/// A value without a lock: its owner guards it.
package struct NameTrie<Value> {
    fileprivate struct Entry {
        let number: UInt64
        let value: Value
    }

    private var trie = TokenTrie<Entry>()
    private var nextNumber: UInt64 = 0

    /// The number of stored names.
    package private(set) var count = 0

    /// The number of nodes in use.
    var nodeCount: Int { trie.nodeCount }

    package init() {}

    /// Releases capacity that is no longer needed.
    mutating func releaseRoom() { trie.releaseRoom() }

    /// Stores `value` under `name`, and replaces a value stored under it before.
    ///
    /// - Returns: the replaced value.
    @discardableResult
    package mutating func insert(_ name: String, _ value: Value) -> Value? {
        let number = nextNumber
        let old = trie.update(Self.path(of: name)) { entry in
            defer { entry = Entry(number: number, value: value) }
            return entry?.value
        }
        nextNumber += 1
        if old == nil { count += 1 }
        return old
    }

    /// Removes the value stored under `name`, and returns it.
    @discardableResult
    package mutating func remove(_ name: String) -> Value? {
        let old = trie.update(Self.path(of: name)) { entry in
            defer { entry = nil }
            return entry?.value
        }
        if old != nil { count -= 1 }
        return old
    }

    /// The values whose names match `filter`, in the order in which they were stored.
    ///
    /// - Parameter limit: the most values to return. To find out whether there are more than n, pass n + 1. Which
    ///   values are found is then unspecified.
    package func matches(of filter: TopicFilter, limit: Int = .max) -> [Value] {
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
                // Below the `>`: the pattern has ended, and names continue.
                for child in trie.nodes[node].literals.values { pending.append((child, depth)) }
            case nil:
                break
            }
        }
        // A dictionary's order differs between processes, but a run with the same seed must repeat exactly.
        found.sort { $0.number < $1.number }
        return found.map(\.value)
    }

    private static func path(of name: String) -> [TopicFilter.Token] {
        ExactText.tokens(of: name).map(TopicFilter.Token.literal)
    }
}

extension NameTrie: Sendable where Value: Sendable {}
extension NameTrie.Entry: Sendable where Value: Sendable {}
