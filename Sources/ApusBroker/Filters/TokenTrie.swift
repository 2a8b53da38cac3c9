import ApusProtocol

/// A tree whose edges are tokens and whose nodes may hold content. ``FilterTrie`` and ``NameTrie`` are made of it.
///
/// ```
/// orders.eu.*            root ── orders ─┬─ eu ── *  ●
/// orders.>                               └─ >  ●
/// ```
///
/// The nodes are in one array and refer to each other by index. The trie is therefore a value, and `Sendable` if its
/// content is. A node without content and children is freed, and its index is reused. When the last node is freed, the
/// array is freed too. There are at most as many nodes as tokens in the stored paths. No method recurses.
struct TokenTrie<Content> {
    struct Node {
        var literals: [ExactText: Int] = [:]
        /// The child at `*`.
        var one: Int?
        /// The child at `>`.
        var tail: Int?
        var content: Content?

        fileprivate var isEmpty: Bool {
            content == nil && literals.isEmpty && one == nil && tail == nil
        }

        fileprivate subscript(token: TopicFilter.Token) -> Int? {
            get {
                switch token {
                case .literal(let text): literals[text]
                case .one: one
                case .tail: tail
                }
            }
            set {
                switch token {
                case .literal(let text): literals[text] = newValue
                case .one: one = newValue
                case .tail: tail = newValue
                }
            }
        }
    }

    /// The node of the empty path, where every look-up begins. It always exists and never has content.
    static var root: Int { 0 }

    private(set) var nodes = [Node()]
    private var free: [Int] = []

    /// The number of nodes besides the root.
    var nodeCount: Int { nodes.count - free.count - 1 }

    /// Changes the content at the end of `path`. If the content becomes `nil`, frees the nodes that only led there.
    mutating func update<Result>(_ path: [TopicFilter.Token], _ change: (inout Content?) -> Result) -> Result {
        precondition(!path.isEmpty, "the root holds nothing")
        var visited = [Self.root]
        visited.reserveCapacity(path.count + 1)
        var last = Self.root
        for token in path {
            last = child(of: last, at: token)
            visited.append(last)
        }
        let result = change(&nodes[last].content)
        for depth in path.indices.reversed() {
            let index = visited[depth + 1]
            guard nodes[index].isEmpty else { break }
            nodes[visited[depth]][path[depth]] = nil
            // A fresh node releases the capacity of the old node's dictionary.
            nodes[index] = Node()
            free.append(index)
        }
        if nodeCount == 0 {
            nodes = [Node()]
            free = []
        }
        return result
    }

    /// Compacts the nodes if the capacity is many times the count.
    ///
    /// Also shrinks the dictionaries of nodes that once had many children.
    mutating func releaseRoom() {
        for index in nodes.indices { nodes[index].literals.releaseRoom() }
        guard free.count > 3 * nodes.count / 4, free.count > 64 else { return }
        var isFree = Array(repeating: false, count: nodes.count)
        for index in free { isFree[index] = true }
        let kept = nodes.indices.filter { !isFree[$0] }
        var places = Array(repeating: 0, count: nodes.count)
        for (place, index) in kept.enumerated() { places[index] = place }
        nodes = kept.map { index in
            var node = nodes[index]
            node.literals = node.literals.mapValues { places[$0] }
            node.one = node.one.map { places[$0] }
            node.tail = node.tail.map { places[$0] }
            return node
        }
        free = []
    }

    private mutating func child(of parent: Int, at token: TopicFilter.Token) -> Int {
        if let index = nodes[parent][token] { return index }
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = nodes.count
            nodes.append(Node())
        }
        nodes[parent][token] = index
        return index
    }
}

extension TokenTrie: Sendable where Content: Sendable {}
extension TokenTrie.Node: Sendable where Content: Sendable {}
