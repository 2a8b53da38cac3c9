import ApusCluster
import Testing

@Suite struct PackHeaderTests {
    private let id = PackID(node: 0x0123_4567_89AB_CDEF, number: 7)

    private var header: PackHeader {
        PackHeader(
            kind: .messages,
            era: TopicEra(generation: 2, epoch: "k3j9x1"),
            first: 41,
            count: 7,
            time: 1_764_519_000_123,
            previous: PackPlace(sequence: 90210, id: id)
        )
    }

    @Test func `a header is one line`() {
        #expect(header.text == "m 2 k3j9x1 41 7 1764519000123 90210 0123456789abcdef0000000000000007")
    }

    @Test func `a header that was written is read again`() {
        var tombstone = header
        (tombstone.kind, tombstone.count, tombstone.previous) = (.tombstone, 0, nil)
        var first = header
        first.previous = PackPlace.none
        for header in [header, tombstone, first] { #expect(PackHeader(header.text) == header) }
    }

    @Test(arguments: [
        "", "m", "m 2 e 41 7 0 9", "x 2 e 41 7 0 0 -", "m 0 e 41 7 0 0 -", "m 02 e 41 7 0 0 -", "m +2 e 41 7 0 0 -",
        "m 2  41 7 0 0 -", "m 2 é 41 7 0 0 -", "m 2 e 0 7 0 0 -", "m 2 e 41 0 0 0 -", "m 2 e 41 -7 0 0 -",
        "m 2 e 41 16777217 0 0 -", "m 2 e 41 7 0 - -", "t 2 e 41 0 0 0 -", "t 2 e 41 1 0 - -", "r 2 e 41 1 0 0 -",
        "m 2 e 41 7 0 9 -", "m 2 e 41 7 0 0 0123456789abcdef0000000000000007", "m 2 e 41 7 0 0 - ",
        "m 2 e 4611686018427387904 7 0 0 -", "m 99999999999999999999 e 41 7 0 0 -",
        "m 2 e 41 7 0 9 0123456789ABCDEF0000000000000007", "m 2 \(String(repeating: "e", count: 65)) 41 7 0 0 -",
    ])
    func `what is not exactly a header is refused`(text: String) {
        #expect(PackHeader(text) == nil)
    }
}

@Suite struct ClusterNamesTests {
    @Test(arguments: [("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8)])
    func `the hash is FNV-1a with 64 bits`(text: String, hash: UInt64) {
        #expect(ClusterStream.hash(text) == hash)
    }

    @Test(arguments: ["a", "ab", "abc", "orders.eu", "a/b c", "é€😀", "_", String(repeating: "x", count: 255)])
    func `a subject is read again as its topic`(topic: String) throws {
        let names = try #require(ClusterNames())
        let stream = ClusterStream(ofTopic: topic)
        #expect(names.topic(ofSubject: names.subject(ofTopic: topic), in: stream) == topic)
        #expect(names.topic(ofSubject: names.registrySubject(ofTopic: topic), in: .registry) == topic)
    }

    @Test(arguments: [
        "apus.3._", "apus.3.", "apus.3.YR", "apus.3.YQ==", "apus.3.gA", "apus.4.YQ", "other.3.YQ", "apus.3.Y",
    ])
    func `what is no topic's subject in a stream is told apart`(subject: String) throws {
        let names = try #require(ClusterNames())
        let three = try #require(ClusterStream.all.first { $0.number == 3 })
        #expect(names.topic(ofSubject: subject, in: three) == nil)
    }

    @Test(arguments: ["", "a.b", "a b", "*", "é", String(repeating: "x", count: 33)])
    func `a prefix that is no token is refused`(prefix: String) {
        #expect(ClusterNames(prefix: prefix) == nil)
    }

    @Test func `streams have names of their own`() throws {
        let names = try #require(ClusterNames(prefix: "test"))
        #expect(ClusterStream.all.map(names.stream).prefix(2) == ["test_0", "test_1"])
        #expect(Set(ClusterStream.all.map(names.stream)).count == 9 && names.stream(.registry) == "test_registry")
    }
}
