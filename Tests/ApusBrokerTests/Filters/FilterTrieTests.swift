import ApusProtocol
import ApusTesting
import Testing

@testable import ApusBroker

@Suite struct FilterTrieTests {
    /// What a test of a trie compares with: every filter in a list, each tried.
    private struct Stored {
        let filter: TopicFilter
        let handle: FilterTrie<Int>.Handle
        let value: Int
    }

    @Test func `an empty trie has nothing`() {
        let trie = FilterTrie<Int>()
        #expect(trie.count == 0 && trie.nodeCount == 0)
        #expect(trie.matches(of: "a") == [])
        #expect(trie.matches(of: "") == [])
    }

    @Test func `a name finds literals, stars and tails, the one stored longest first`() throws {
        var trie = FilterTrie<String>()
        for text in ["orders.>", ">", "orders.*.created", "*", "*.eu.*", "orders.eu.>", "orders.*", "*.*.*.*"] {
            _ = trie.insert(try #require(TopicFilter(text)), text)
        }
        #expect(trie.matches(of: "orders") == [">", "*"])
        #expect(trie.matches(of: "orders.eu") == ["orders.>", ">", "orders.*"])
        #expect(
            trie.matches(of: "orders.eu.created") == ["orders.>", ">", "orders.*.created", "*.eu.*", "orders.eu.>"]
        )
        #expect(trie.matches(of: "orders.us.deleted") == ["orders.>", ">"])
        #expect(trie.matches(of: "a.b.c.d") == [">", "*.*.*.*"])
        #expect(trie.matches(of: "..") == [">"])
    }

    @Test func `values under one filter are each their own`() throws {
        var trie = FilterTrie<String>()
        let filter = try #require(TopicFilter("a.*"))
        let first = trie.insert(filter, "x")
        let second = trie.insert(filter, "x")
        #expect(first != second && first.filter == filter)
        #expect(trie.count == 2 && trie.nodeCount == 2)
        #expect(trie.matches(of: "a.b") == ["x", "x"])
        let removals = [trie.remove(first), trie.remove(first)]
        #expect(removals == ["x", nil])
        #expect(trie.count == 1 && trie.matches(of: "a.b") == ["x"])
        let moreRemovals = [trie.remove(second), trie.remove(second)]
        #expect(moreRemovals == ["x", nil])
        #expect(trie.count == 0 && trie.nodeCount == 0)
    }

    @Test func `a removed filter leaves the nodes that others need`() throws {
        var trie = FilterTrie<Int>()
        let long = trie.insert(try #require(TopicFilter("a.b.*.c")), 1)
        let short = trie.insert(try #require(TopicFilter("a.b.*")), 2)
        let side = trie.insert(try #require(TopicFilter("a.>")), 3)
        #expect(trie.nodeCount == 5)
        trie.remove(short)
        #expect(trie.nodeCount == 5 && trie.matches(of: "a.b.x") == [3])
        trie.remove(long)
        #expect(trie.nodeCount == 2 && trie.matches(of: "a.b.x.c") == [3])
        let again = trie.insert(try #require(TopicFilter("z.*")), 4)
        #expect(trie.nodeCount == 4 && trie.matches(of: "z.z") == [4])
        trie.remove(side)
        trie.remove(again)
        #expect(trie.nodeCount == 0)
    }

    @Test func `a removed value is released`() throws {
        final class Value {}
        var trie = FilterTrie<Value>()
        weak var released: Value?
        let handle: FilterTrie<Value>.Handle
        do {
            let value = Value()
            released = value
            handle = trie.insert(try #require(TopicFilter("a.b.>")), value)
        }
        #expect(released != nil)
        trie.remove(handle)
        #expect(released == nil)
    }

    @Test func `a copy is another trie`() throws {
        var trie = FilterTrie<Int>()
        let handle = trie.insert(try #require(TopicFilter("a.>")), 1)
        let copy = trie
        trie.remove(handle)
        #expect(trie.matches(of: "a.b") == [] && copy.matches(of: "a.b") == [1])
    }

    @Test func `the longest names and filters are walked without trouble`() throws {
        var trie = FilterTrie<Int>()
        let stars = trie.insert(try #require(TopicFilter(String(repeating: "*.", count: 127) + "*")), 1)
        let dots = trie.insert(try #require(TopicFilter(String(repeating: ".", count: 254) + "*")), 2)
        let tail = trie.insert(try #require(TopicFilter(String(repeating: ".", count: 254) + ">")), 3)
        #expect(trie.matches(of: String(repeating: "a.", count: 127) + "a") == [1])
        #expect(trie.matches(of: String(repeating: ".", count: 254) + "a") == [2, 3])
        #expect(trie.matches(of: String(repeating: ".", count: 255)) == [3])
        // No topic has such a name, but a lookup of it must end all the same.
        #expect(trie.matches(of: String(repeating: ".", count: 100_000)) == [3])
        for handle in [stars, dots, tail] { trie.remove(handle) }
        #expect(trie.nodeCount == 0)
    }

    @Test func `all filters of literals and stars are each found once`() throws {
        var trie = FilterTrie<Int>()
        let depth = 12
        for bits in 0..<(1 << depth) {
            let tokens = (0..<depth).map { bits >> $0 & 1 == 1 ? "*" : "a" }
            _ = trie.insert(try #require(TopicFilter(tokens.joined(separator: ".") + ".>")), bits)
        }
        let name = Array(repeating: "a", count: depth).joined(separator: ".")
        #expect(trie.matches(of: name) == [])
        #expect(trie.matches(of: name + ".b") == Array(0..<(1 << depth)))
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func `a trie finds what trying every filter finds`(seed: UInt64) throws {
        var random = RandomNames(seed: seed)
        var trie = FilterTrie<Int>()
        var stored: [Stored] = []
        for step in 0..<450 {
            // The trie grows, shrinks to nothing, and grows again.
            if random.generator.chance(step / 150 == 1 ? 15 : 60) {
                let made = random.filter()
                let filter = try #require(made)
                stored.append(Stored(filter: filter, handle: trie.insert(filter, step), value: step))
            } else if let index = stored.indices.randomElement(using: &random.generator) {
                let entry = stored.remove(at: index)
                let removed = trie.remove(entry.handle)
                #expect(removed == entry.value, "seed \(seed), step \(step)")
            }
            let name = random.name()
            let matching = stored.filter { $0.filter.matches(name) }
            try #require(trie.matches(of: name) == matching.map(\.value), "seed \(seed), step \(step), \(name)")
            let others = stored.filter { RandomNames.matches($0.filter, name) }
            try #require(matching.map(\.value) == others.map(\.value), "seed \(seed), step \(step), \(name)")
            #expect(trie.count == stored.count)
            #expect(stored.isEmpty == (trie.nodeCount == 0))
        }
        for entry in stored { trie.remove(entry.handle) }
        #expect(trie.count == 0 && trie.nodeCount == 0, "seed \(seed)")
    }
}
