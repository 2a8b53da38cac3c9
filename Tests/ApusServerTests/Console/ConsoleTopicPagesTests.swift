import ApusAccess
import ApusBroker
import ApusProtocol
import ApusTesting
import Foundation
import NIOCore
import Testing

@testable import ApusServer

@Suite struct ConsoleTopicPagesTests {
    private let loop = ManualLoop()
    private var broker: MemoryBroker { loop.broker }

    private func make(_ names: String...) throws {
        for name in names { try broker.createTopic(named: name) }
    }

    private func publish(_ count: Int, to name: String) {
        for _ in 0..<count {
            Array("{}".utf8).withUnsafeBytes { message in
                Array(name.utf8).withUnsafeBytes { name in
                    _ = loop.hubs[0].publish(
                        message,
                        toTopicNamed: name,
                        time: Timestamp(loop.clock.moment),
                        origin: 0
                    )
                }
            }
        }
        loop.runUntilIdle()
    }

    private func table(after before: TopicTable? = nil, seconds: Double = 0) -> TopicTable {
        TopicTable(broker.topics, after: before, taken: Int64(seconds * 1e9), now: Int64(seconds * 1000))
    }

    private func query(_ text: String) throws -> TopicQuery {
        try TopicQuery(try QueryParameters(text), ServerConfiguration.Limits())
    }

    private func names(_ text: String, _ rights: Rights = .all, of table: TopicTable? = nil) throws -> [String] {
        let table = table ?? self.table()
        var pages = ConsoleTopicPages(try query(text))
        return pages.page(of: table, rights).rows.map { table.directory.topics[$0].name }
    }

    // MARK: Which topics

    @Test func `topics come in the order of their names' bytes, in pages`() throws {
        try make("b", "a", "ä", "B", "a.b", "a-b")
        #expect(try names("") == ["B", "a", "a-b", "a.b", "b", "ä"])
        #expect(try names("order=desc") == ["ä", "b", "a.b", "a-b", "a", "B"])
        #expect(try names("limit=2&offset=1") == ["a", "a-b"])
        #expect(try names("order=desc&limit=2&offset=4") == ["a", "B"])
        #expect(try names("offset=6").isEmpty)
        #expect(try names("offset=10000000").isEmpty)
    }

    @Test func `names come in the order of their bytes, whatever these are`() throws {
        var generator = SeededGenerator(seed: 7)
        let letters = ["a", "b", ".", "ä", "€", "Z"]
        var made: Set<String> = []
        while made.count < 500 {
            let size = Int.random(in: 1...7, using: &generator)
            made.insert((0..<size).map { _ in letters.randomElement(using: &generator) ?? "" }.joined())
        }
        for name in made { try broker.createTopic(named: name) }
        let sorted = made.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        #expect(try names("limit=1000") == sorted)
        for prefix in ["a", "a.", "ä", "Z€"] {
            let encoded = try #require(prefix.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
            #expect(try names("limit=1000&prefix=\(encoded)") == sorted.filter { $0.hasPrefix(prefix) })
        }
    }

    @Test func `a search finds parts of names, whatever the case of their letters`() throws {
        try make("Orders.EU", "orders.us", "ÄPFEL", "äpfel", "x")
        #expect(try names("search=ORDERS.") == ["Orders.EU", "orders.us"])
        #expect(try names("search=eu") == ["Orders.EU"])
        #expect(try names("search=pfel") == ["ÄPFEL", "äpfel"])
        #expect(try names("search=%C3%A4") == ["äpfel"])
        #expect(try names("search=x") == ["x"])
        #expect(try names("search=xx").isEmpty)
        #expect(try names("search=").count == 5)
        #expect(try names("prefix=orders.&search=S") == ["orders.us"])
        #expect(try names("prefix=Orders.&search=rd") == ["Orders.EU"])
        #expect(try names("prefix=ord&search=zz").isEmpty)
    }

    @Test func `a client sees the topics with the right to their figures`() throws {
        try make("a.1", "a.2", "b.1")
        let rule = Rule(number: 1, actions: .stats, topics: ["a.*"])
        let other = Rule(number: 2, actions: .subscribe, topics: [">"])
        let rights = Rights(RuleList(rules: [rule, other]), subject: nil)
        #expect(try names("", rights) == ["a.1", "a.2"])
        var pages = ConsoleTopicPages(try query("search=1"))
        let table = table()
        let page = pages.page(of: table, rights)
        #expect(page.total == 2 && page.matching == 1)
        // The same pages with other rights.
        #expect(pages.page(of: table, .all).total == 3)
        #expect(pages.page(of: table, Rights.none).total == 0)
    }

    @Test func `a table knows new topics and forgets deleted ones`() throws {
        try make("a", "b")
        let first = table()
        try make("c")
        try broker.deleteTopic(named: "a")
        let second = table(after: first, seconds: 1)
        #expect(second.directory !== first.directory)
        #expect(try names("", of: second) == ["b", "c"])
        #expect(table(after: second, seconds: 2).directory === second.directory)
    }

    // MARK: Figures

    @Test func `rates are the difference to the table before`() throws {
        try make("a", "b", "c")
        publish(100, to: "b")
        let first = table(seconds: 10)
        publish(30, to: "a")
        publish(10, to: "b")
        try make("new")
        publish(4, to: "new")
        let second = table(after: first, seconds: 12)
        #expect(second.rows.map(\.messageRate) == [15, 5, 0, 2])
        #expect(second.rows.map(\.messages) == [30, 110, 0, 4])
        #expect(second.rows[0].byteRate == 30)
        #expect(second.rows.allSatisfy { $0.keptBytes > 0 || $0.messages == 0 })
        #expect(try names("sort=rate", of: second) == ["a", "b", "new", "c"])
        #expect(try names("sort=rate&order=asc&limit=2", of: second) == ["c", "new"])
        #expect(try names("sort=messages", of: second) == ["b", "a", "new", "c"])
        #expect(try names("sort=bytes&limit=1", of: second) == ["b"])
    }

    @Test func `after a long pause rates are averages again`() throws {
        try make("a")
        let first = table(seconds: 1)
        publish(100, to: "a")
        let later = table(after: first, seconds: 100)
        #expect(later.rows[0].messageRate != 100 / 99.0)
    }

    @Test func `equal figures come in the order of names`() throws {
        try make("c", "a", "b")
        #expect(try names("sort=subscribers") == ["a", "b", "c"])
        #expect(try names("sort=subscribers&order=asc") == ["a", "b", "c"])
    }

    // MARK: Trees

    private func tree(_ text: String) throws -> (tokens: [ConsoleTopicPages.Token], more: Int, leaves: Int) {
        var pages = ConsoleTopicPages(try query("tree=1&" + text))
        return try #require(pages.page(of: table(), .all).tree)
    }

    @Test func `a tree has the next tokens, and the topics that end with theirs`() throws {
        try make("a", "a.b", "a.b.c", "a.b-x.y", "a.c.d", "a.c.e", "x", ".y", "a.", "a..z")
        let root = try tree("")
        #expect(root.tokens.map(\.token) == ["", "a"])
        #expect(root.tokens.map(\.topics) == [1, 7])
        #expect(root.leaves == 2)
        #expect(try names("tree=1") == ["a", "x"])
        #expect(try tree("prefix=a.").tokens.map(\.token) == ["", "b-x", "b", "c"])
        #expect(try tree("prefix=a.").tokens.map(\.topics) == [1, 1, 1, 2])
        #expect(try names("tree=1&prefix=a.") == ["a.", "a.b"])
        #expect(try names("tree=1&prefix=a.c.") == ["a.c.d", "a.c.e"])
        #expect(try tree("prefix=a.&search=E").tokens.map(\.token) == ["c"])
        #expect(try tree("prefix=nothing.").tokens.isEmpty)
    }

    @Test func `tokens add up what is below them, and have a bound`() throws {
        for number in 0..<1500 { try make("t\(number).a", "t\(number).b") }
        publish(5, to: "t7.a")
        publish(3, to: "t7.b")
        publish(7, to: "t1499.b")
        let tree = try tree("sort=messages&limit=1")
        #expect(tree.tokens.count == 1000 && tree.more == 500)
        #expect(tree.tokens.prefix(2).map(\.token) == ["t7", "t1499"])
        #expect(tree.tokens.prefix(2).map(\.messages) == [8, 7])
    }

    @Test func `a page is written as JSON`() throws {
        try make("a\"b.c", "d")
        publish(2, to: "d")
        let table = table()
        var pages = ConsoleTopicPages(try query("tree=true"))
        var body = ByteBuffer()
        pages.page(of: table, .all).write(to: &body, table, now: 0)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any]
        )
        #expect(object["total"] as? Int == 2 && object["matching"] as? Int == 2 && object["leaves"] as? Int == 1)
        let row = try #require((object["rows"] as? [[String: Any]])?.first)
        #expect(row["name"] as? String == "d" && row["messages"] as? Int == 2 && row["history"] as? Int == 2)
        #expect(row["durability"] as? String == "memory")
        let token = try #require((object["tokens"] as? [[String: Any]])?.first)
        #expect(token["token"] as? String == "a\"b" && token["topics"] as? Int == 1)
    }

    // MARK: Queries

    @Test(arguments: [
        "sort=nope", "sort=lag", "order=up", "limit=0", "limit=1001", "limit=x", "offset=-1", "tree=maybe",
        "search=%FF", "search=" + String(repeating: "x", count: 256), "prefix=" + String(repeating: "x", count: 256),
    ])
    func `a wrong query is refused, with the name of what is wrong`(text: String) {
        #expect(throws: Problem.self) { try query(text) }
        do { _ = try query(text) } catch {
            let problem = error as? Problem
            #expect(problem?.code == .badRequest)
            #expect(text.contains("%") || problem?.detail.contains("'\(text.prefix { $0 != "=" })'") == true)
        }
    }
}
