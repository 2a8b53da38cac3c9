import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

@Suite struct NameTrieTests {
    private func filter(_ text: String) throws -> TopicFilter {
        try #require(TopicFilter(text))
    }

    @Test func `an empty trie has nothing`() throws {
        let trie = NameTrie<Int>()
        #expect(trie.count == 0 && trie.nodeCount == 0)
        #expect(try trie.matches(of: filter(">")) == [])
        #expect(try trie.matches(of: filter("*")) == [])
    }

    @Test func `a filter finds names, the one stored longest first`() throws {
        var trie = NameTrie<String>()
        for name in ["orders.eu", "orders", "orders.eu.created", "users.eu", "orders.", "orders.us.created", "."] {
            trie.insert(name, name)
        }
        #expect(try trie.matches(of: filter("*")) == ["orders"])
        #expect(try trie.matches(of: filter("*.*")) == ["orders.eu", "users.eu", "orders.", "."])
        #expect(try trie.matches(of: filter("orders.*")) == ["orders.eu", "orders."])
        #expect(try trie.matches(of: filter("*.eu")) == ["orders.eu", "users.eu"])
        #expect(try trie.matches(of: filter("*.")) == ["orders.", "."])
        #expect(
            try trie.matches(of: filter("orders.>"))
                == ["orders.eu", "orders.eu.created", "orders.", "orders.us.created"]
        )
        #expect(try trie.matches(of: filter("orders.*.created")) == ["orders.eu.created", "orders.us.created"])
        #expect(try trie.matches(of: filter("*.*.>")) == ["orders.eu.created", "orders.us.created"])
        #expect(try trie.matches(of: filter(">")).count == 7)
        #expect(try trie.matches(of: filter("*.*.*.*")) == [])
    }

    @Test func `a name holds one value, the last`() throws {
        var trie = NameTrie<Int>()
        let replaced = [trie.insert("a.b", 1), trie.insert("a.b", 2)]
        #expect(replaced == [nil, 1])
        #expect(trie.count == 1 && trie.nodeCount == 2)
        #expect(try trie.matches(of: filter("a.*")) == [2])
        let removed = [trie.remove("a.b"), trie.remove("a.b"), trie.remove("a")]
        #expect(removed == [2, nil, nil])
        #expect(trie.count == 0 && trie.nodeCount == 0)
    }

    @Test func `a removed name leaves the nodes that others need`() throws {
        var trie = NameTrie<Int>()
        trie.insert("a.b.c", 1)
        trie.insert("a.b", 2)
        trie.insert("a.d", 3)
        trie.remove("a.b")
        #expect(try trie.nodeCount == 4 && trie.matches(of: filter("a.>")) == [1, 3])
        trie.remove("a.b.c")
        #expect(try trie.nodeCount == 2 && trie.matches(of: filter(">")) == [3])
        let removed = trie.remove("a.x.y.z")
        #expect(removed == nil && trie.nodeCount == 2)
    }

    @Test func `a removed value is released`() {
        final class Value {}
        var trie = NameTrie<Value>()
        weak var released: Value?
        do {
            let value = Value()
            released = value
            trie.insert("a.b", value)
        }
        #expect(released != nil)
        trie.remove("a.b")
        #expect(released == nil)
    }

    @Test func `spellings that look the same are other names`() throws {
        var trie = NameTrie<Int>()
        trie.insert("caf\u{E9}.x", 1)
        trie.insert("cafe\u{301}.x", 2)
        #expect(trie.count == 2)
        #expect(try trie.matches(of: filter("caf\u{E9}.*")) == [1])
        #expect(try trie.matches(of: filter("cafe\u{301}.*")) == [2])
        let removed = trie.remove("caf\u{E9}.x")
        #expect(removed == 1)
        #expect(try trie.matches(of: filter(">")) == [2])
    }

    @Test(arguments: ["*", ">"])
    func `no more are returned than the limit`(pattern: String) throws {
        var trie = NameTrie<Int>()
        for number in 0..<100 { trie.insert("topic\(number)", number) }
        let filter = try filter(pattern)
        for limit in [0, 1, 99] {
            let found = trie.matches(of: filter, limit: limit)
            #expect(found.count == limit && Set(found).count == limit && found == found.sorted())
        }
        #expect(trie.matches(of: filter, limit: 100) == Array(0..<100))
        #expect(trie.matches(of: filter, limit: 101) == Array(0..<100))
    }

    @Test func `the longest names and filters are walked without trouble`() throws {
        var trie = NameTrie<Int>()
        let dots = String(repeating: ".", count: 255)
        let letters = String(repeating: "a.", count: 127) + "a"
        trie.insert(dots, 1)
        trie.insert(letters, 2)
        #expect(try trie.matches(of: filter(">")) == [1, 2])
        #expect(try trie.matches(of: filter(String(repeating: "*.", count: 127) + "*")) == [2])
        #expect(try trie.matches(of: filter(String(repeating: ".", count: 254) + ">")) == [1])
        trie.remove(dots)
        trie.remove(letters)
        #expect(trie.nodeCount == 0)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `a trie finds what trying every name finds`(seed: UInt64) throws {
        var random = RandomNames(seed: seed)
        var trie = NameTrie<Int>()
        var stored: [(name: ExactText, value: Int)] = []
        for step in 0..<450 {
            let name = ExactText(random.name())
            let index = stored.firstIndex { $0.name == name }
            let expected = index.map { stored.remove(at: $0).value }
            let old: Int?
            // The trie grows, shrinks to nothing, and grows again.
            if random.generator.chance(step / 150 == 1 ? 2 : 60) {
                old = trie.insert(name.text, step)
                stored.append((name, step))
            } else {
                old = trie.remove(name.text)
            }
            #expect(old == expected, "seed \(seed), step \(step)")
            let made = random.filter()
            let filter = try #require(made)
            let matching = stored.filter { filter.matches($0.name.text) }.map(\.value)
            try #require(trie.matches(of: filter) == matching, "seed \(seed), step \(step), \(filter)")
            let others = stored.filter { RandomNames.matches(filter, $0.name.text) }.map(\.value)
            try #require(matching == others, "seed \(seed), step \(step), \(filter)")
            #expect(trie.count == stored.count)
            #expect(stored.isEmpty == (trie.nodeCount == 0))
        }
        for entry in stored { trie.remove(entry.name.text) }
        #expect(trie.count == 0 && trie.nodeCount == 0, "seed \(seed)")
    }
}
