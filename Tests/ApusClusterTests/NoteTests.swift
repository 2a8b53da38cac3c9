import NIOCore
import Testing

@testable import ApusCluster

/// Notes in the registry: who writes one over another one knows what that said.
@Suite struct NoteTests {
    private var test: NodeHarness
    private let subject: String

    init() throws {
        test = try #require(NodeHarness())
        subject = try #require(ClusterNames()).noteSubject(of: "k")
    }

    private mutating func write(_ value: String, ticket: Ticket = 1) {
        test.node.write(value, under: "k", ticket: ticket)
        test.receive(.heartbeat(.registry, consumer: 0, deliveries: 0))
    }

    private mutating func deliver(_ value: String, at sequence: UInt64, id: PackID = PackID(node: 9, number: 9)) {
        test.deliver(
            .registry,
            subject,
            at: sequence,
            id: id,
            header: RegistryNote.version,
            body: ByteBuffer(string: value)
        )
    }

    private var noted: [String] { test.events.compactMap { if case .noted(let note) = $0 { note.value } else { nil } } }

    @Test func `no topic has the subject of a note, and no note that of a topic`() throws {
        let names = try #require(ClusterNames())
        #expect(names.topic(ofSubject: subject, in: .registry) == nil)
        #expect(names.note(ofSubject: subject) == "k")
        #expect(names.note(ofSubject: names.registrySubject(ofTopic: "k")) == nil)
        #expect(names.note(ofSubject: names.barrierSubject(of: .registry)) == nil)
    }

    @Test mutating func `the first note under a key expects that there is none, and is known when it is acked`() throws
    {
        write("one")
        #expect(try #require(test.published.last).expected == .noMessage)
        test.answer(.acked(sequence: 40, isDuplicate: false))
        #expect(test.answers == [.changed] && noted == ["one"])
        write("two", ticket: 2)
        #expect(try #require(test.published.last).expected == .last(40))
    }

    @Test mutating func `who is second learns of a conflict when he knows what the first one wrote`() {
        write("mine")
        test.answer(.wrongLastSequence(40))
        #expect(test.answers.isEmpty)
        deliver("theirs", at: 40)
        #expect(test.answers == [.conflict] && noted == ["theirs"])
    }

    @Test mutating func `a note whose ack was lost is found`() throws {
        write("mine")
        let request = try #require(test.published.last)
        test.answer(.unavailable("no answer"))
        test.tick(after: 400)
        #expect(test.published.last?.id == request.id && test.published.count > 1)
        test.answer(.wrongLastSequence(40))
        deliver("mine", at: 40, id: request.id)
        #expect(test.answers == [.changed])
    }

    @Test mutating func `a note can be written when somebody has removed the one before`() {
        deliver("old", at: 40)
        write("new")
        test.answer(.wrongLastSequence(0))
        test.tick(after: 400)
        #expect(test.published.last?.expected == .noMessage)
        test.answer(.acked(sequence: 41, isDuplicate: false))
        #expect(test.answers == [.changed] && noted == ["old", "new"])
    }

    @Test mutating func `without an answer a note fails in time`() {
        write("mine")
        test.answer(.unavailable("no answer"))
        test.tick(after: 4500)
        let failures = test.events.compactMap {
            if case .answered(1, .failure(let failure)) = $0 { failure } else { nil }
        }
        #expect(failures == [.unavailable])
    }

    @Test mutating func `what is no note of a node is not taken`() {
        let long = String(repeating: "x", count: RegistryNote.longestValue + 1)
        deliver(long, at: 40)
        test.deliver(.registry, subject, at: 41, header: "2", body: ByteBuffer(string: "later version"))
        test.deliver(.registry, subject, at: 42, header: "1", body: ByteBuffer(bytes: [0xFF]))
        #expect(noted.isEmpty && test.node.note("k") == nil)
        write(long)
        #expect(test.events.contains { if case .answered(1, .failure(.refused)) = $0 { true } else { false } })
    }

    @Test mutating func `only a note that has not changed is removed`() {
        deliver("old", at: 40)
        test.node.forget("k", at: 39)
        #expect(test.node.note("k")?.value == "old")
        test.node.forget("k", at: 40)
        test.receive(.heartbeat(.registry, consumer: 0, deliveries: 0))
        #expect(test.node.note("k") == nil)
        #expect(test.others.contains(.purge(.registry, subject: subject, before: 41)))
    }
    @Test mutating func `notes beyond the limit are counted, and a new one is refused`() throws {
        let names = try #require(ClusterNames())
        var limits = ClusterLimits()
        limits.notes = 2
        test = try #require(NodeHarness(limits: limits))
        // Two spellings of one character are two keys.
        for (number, key) in ["\u{e9}", "e\u{301}", "third"].enumerated() {
            test.deliver(
                .registry,
                names.noteSubject(of: key),
                at: UInt64(40 + number),
                id: PackID(node: 9, number: 9),
                header: RegistryNote.version,
                body: ByteBuffer(string: "v")
            )
        }
        #expect(noted.count == 2 && test.node.notesLeftOut == 1 && test.node.note("third") == nil)
        write("new")
        #expect(test.events.contains { if case .answered(1, .failure(.refused)) = $0 { true } else { false } })
    }
}
