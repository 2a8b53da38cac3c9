/// Values stored under patterns, found by the name of a topic.
///
/// The walk for a name takes, at each node it is at, the child of the name's next token, the child at `*`, and what is
/// held at `>`. What a lookup costs is therefore bounded by the nodes whose path matches the beginning of the name, at
/// most 2^k of them at depth k, and does not depend on how many filters part from the name at some token. Only stored
/// nodes are walked: it takes a filter for every combination of literal and `*` to make a walk that long, so whoever
/// bounds the filters bounds the walk.
///
/// A value, without a lock: its owner guards it with its own.
public struct FilterTrie<Value> {
    /// What removes a stored value again.
    public struct Handle: Hashable, Sendable {
        public let filter: TopicFilter
        fileprivate let number: UInt64
    }

    private var trie = TokenTrie<[UInt64: Value]>()
    private var nextNumber: UInt64 = 0

    /// How many values are stored.
    public private(set) var count = 0

    /// How many nodes are kept for them.
    var nodeCount: Int { trie.nodeCount }

    public init() {}

    /// Gives back what was reserved for more than is stored now.
    mutating func releaseRoom() { trie.releaseRoom() }

    /// Stores `value` under `filter`, besides those already stored under it.
    public mutating func insert(_ filter: TopicFilter, _ value: Value) -> Handle {
        let handle = Handle(filter: filter, number: nextNumber)
        trie.update(filter.tokens) { values in
            if values == nil { values = [:] }
            values?[handle.number] = value
        }
        nextNumber += 1
        count += 1
        return handle
    }

    /// Removes the value that ``insert(_:_:)`` of this trie gave the handle for; `nil` when it is gone already.
    @discardableResult
    public mutating func remove(_ handle: Handle) -> Value? {
        let value = trie.update(handle.filter.tokens) { values in
            let value = values?.removeValue(forKey: handle.number)
            if values?.isEmpty == true { values = nil }
            return value
        }
        if value != nil { count -= 1 }
        return value
    }

    /// The values whose filter matches `name`, the one stored longest first.
    public func matches(of name: String) -> [Value] {
        guard count > 0 else { return [] }
        let tokens = ExactText.tokens(of: name)
        var found: [(number: UInt64, value: Value)] = []
        var pending = [(node: TokenTrie<[UInt64: Value]>.root, depth: 0)]
        while let (node, depth) = pending.popLast() {
            guard depth < tokens.count else {
                collect(node, into: &found)
                continue
            }
            if let tail = trie.nodes[node].tail { collect(tail, into: &found) }
            if let one = trie.nodes[node].one { pending.append((one, depth + 1)) }
            if let child = trie.nodes[node].literals[tokens[depth]] { pending.append((child, depth + 1)) }
        }
        // A dictionary's order is another in every process, and a run with the same seed must be the same run.
        found.sort { $0.number < $1.number }
        return found.map(\.value)
    }

    private func collect(_ node: Int, into found: inout [(number: UInt64, value: Value)]) {
        guard let values = trie.nodes[node].content else { return }
        for (number, value) in values { found.append((number, value)) }
    }
}

extension FilterTrie: Sendable where Value: Sendable {}
