package import ApusProtocol

/// Values stored under patterns, found by the name of a topic.
///
/// At each node, the look-up of a name follows the child of the name's next token and the child at `*`, and collects
/// the values at `>`. Its cost is therefore bounded by the nodes whose path matches the beginning of the name: at most
/// 2^k nodes at depth k. It does not depend on the number of filters that differ from the name at some token. The
/// look-up visits only stored nodes. A long look-up requires a filter for every combination of literal and `*`, so a
/// bound on the filters bounds the look-up.
///
/// A value without a lock: its owner guards it.
package struct FilterTrie<Value> {
    /// Removes a stored value again.
    package struct Handle: Hashable, Sendable {
        package let filter: TopicFilter
        fileprivate let number: UInt64
    }

    private var trie = TokenTrie<[UInt64: Value]>()
    private var nextNumber: UInt64 = 0

    /// The number of stored values.
    package private(set) var count = 0

    /// The number of nodes in use.
    var nodeCount: Int { trie.nodeCount }

    package init() {}

    /// Releases capacity that is no longer needed.
    mutating func releaseRoom() { trie.releaseRoom() }

    /// Stores `value` under `filter`, in addition to the values already stored under it.
    package mutating func insert(_ filter: TopicFilter, _ value: Value) -> Handle {
        let handle = Handle(filter: filter, number: nextNumber)
        trie.update(filter.tokens) { values in
            if values == nil { values = [:] }
            values?[handle.number] = value
        }
        nextNumber += 1
        count += 1
        return handle
    }

    /// Removes the value for which ``insert(_:_:)`` returned the handle; `nil` when it is removed already.
    @discardableResult
    package mutating func remove(_ handle: Handle) -> Value? {
        let value = trie.update(handle.filter.tokens) { values in
            let value = values?.removeValue(forKey: handle.number)
            if values?.isEmpty == true { values = nil }
            return value
        }
        if value != nil { count -= 1 }
        return value
    }

    /// The values whose filter matches `name`, in the order in which they were stored.
    package func matches(of name: String) -> [Value] {
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
        // A dictionary's order differs between processes, but a run with the same seed must repeat exactly.
        found.sort { $0.number < $1.number }
        return found.map(\.value)
    }

    private func collect(_ node: Int, into found: inout [(number: UInt64, value: Value)]) {
        guard let values = trie.nodes[node].content else { return }
        for (number, value) in values { found.append((number, value)) }
    }
}

extension FilterTrie: Sendable where Value: Sendable {}
