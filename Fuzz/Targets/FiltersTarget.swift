@testable import ApusAccess
@testable import ApusBroker
@testable import ApusProtocol

extension FuzzTarget {
    /// Lines: each is a name of a topic, a filter, or neither.
    static let filters = FuzzTarget(name: "Filters") {
        { bytes in
            let lines = FuzzInput(bytes).texts(separatedBy: "\n").prefix(16)
            try FiltersCheck(lines: Array(lines)).run()
        }
    }
}

private struct FiltersCheck {
    let lines: [String]
    let filters: [TopicFilter]
    let names: [String]

    init(lines: [String]) {
        self.lines = lines
        filters = lines.compactMap { TopicFilter($0) }
        names = lines.filter { TopicName.isAllowed($0) }
    }

    func run() throws {
        for line in lines { try checkGrammar(line) }
        for filter in filters {
            for name in names { try checkMatch(filter, name) }
            for other in filters { try checkPair(filter, other) }
        }
        try checkFilterTrie()
        try checkNameTrie()
    }

    private func checkGrammar(_ line: String) throws {
        let filter = TopicFilter(line)
        try require((filter != nil) == PlainRules.isFilter(line), "a filter is what the rules say")
        try require(TopicName.isAllowed(line) == PlainRules.isName(line), "a name is what the rules say")
        let pattern = TopicPattern(line)
        try require(
            (pattern != nil) == (filter != nil || TopicName.isAllowed(line)),
            "a pattern is a name or a filter"
        )
        if let filter {
            try require(filter.text.utf8.elementsEqual(line.utf8), "a filter keeps its text")
            try require(TopicFilter(filter.text) == filter, "a filter is read again as itself")
        }
        if let pattern {
            try require(pattern.isName == (filter == nil), "a pattern knows whether it is a name")
            try require(pattern.covers(pattern) && pattern.overlaps(pattern), "a pattern covers itself")
            try require(TopicPattern.everything.covers(pattern), "> covers every pattern")
        }
        try require(TopicSelection(line).isPattern == PlainRules.hasWildcard(line), "a wildcard makes a pattern")
    }

    private func checkMatch(_ filter: TopicFilter, _ name: String) throws {
        let expected = PlainRules.matches(filter.text, name)
        try require(filter.matches(name) == expected, "a filter matches what the rules say")
        try require(TopicPattern(filter.text)?.matches(name) == expected, "a pattern matches as a filter does")
        try require(TopicSelection(filter.text).matches(name) == expected, "a selection matches as a filter does")
    }

    private func checkPair(_ one: TopicFilter, _ other: TopicFilter) throws {
        let witness = PlainRules.witness(one.text, other.text)
        if let witness {
            try require(one.matches(witness) && other.matches(witness), "a witness is matched by both")
        }
        try require(one.overlaps(other) == (witness != nil), "filters overlap if there is a name that both match")
        guard let mine = TopicPattern(one.text), let others = TopicPattern(other.text) else { return }
        try require(mine.overlaps(others) == (witness != nil), "patterns overlap as filters do")
        guard mine.covers(others) else { return }
        try require(mine.overlaps(others), "what covers a pattern overlaps it")
        for name in names where others.matches(name) {
            try require(mine.matches(name), "a pattern matches what a pattern does that it covers")
        }
    }

    private func checkFilterTrie() throws {
        var trie = FilterTrie<Int>()
        var handles: [FilterTrie<Int>.Handle] = []
        for (index, filter) in filters.enumerated() { handles.append(trie.insert(filter, index)) }
        var kept = Array(filters.indices)
        // All of them, then every other one, then none.
        for round in 0..<3 {
            for name in names {
                let expected = kept.filter { PlainRules.matches(filters[$0].text, name) }
                try require(trie.matches(of: name) == expected, "a trie finds the filters that match, in order")
            }
            try require(trie.count == kept.count, "a trie counts its filters")
            let gone = round == 0 ? kept.filter { $0 % 2 == 0 } : kept
            for index in gone { try require(trie.remove(handles[index]) == index, "a stored filter is found") }
            kept.removeAll(where: gone.contains)
            trie.releaseRoom()
        }
        try require(trie.nodeCount == 0, "an empty trie has no nodes")
    }

    private func checkNameTrie() throws {
        var trie = NameTrie<[UInt8]>()
        var stored: [[UInt8]] = []
        for name in names {
            let bytes = Array(name.utf8)
            let old = trie.insert(name, bytes)
            try require((old != nil) == stored.contains(bytes), "a name is stored once")
            // A name that is stored again goes to the end.
            stored.removeAll { $0 == bytes }
            stored.append(bytes)
        }
        for filter in filters {
            let expected = stored.filter { PlainRules.matches(filter.text, String(decoding: $0, as: UTF8.self)) }
            try require(trie.matches(of: filter) == expected, "a trie finds the names that match, in order")
        }
        for name in stored {
            try require(trie.remove(String(decoding: name, as: UTF8.self)) == name, "a stored name is found")
        }
        try require(trie.nodeCount == 0 && trie.count == 0, "an empty trie has no nodes")
    }
}
