import ApusCluster
import NIOCore
import Testing

/// The steps of the procedure, one after the other.
@Suite struct ProcedureTests {
    private let foreign = PackID(node: 1, number: 1)

    @Test func `a pack expects what was acked last, before the mirror shows it`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        #expect(test.published.last?.expected == .noMessage)
        test.answer(.acked(sequence: 5, isDuplicate: false))
        test.publish(2, ticket: 2)
        #expect(test.published.last?.expected == .last(5) && test.receipts == [PackReceipt(first: 1, count: 1)])
    }

    @Test func `what comes while a pack is in flight is the next pack`() throws {
        var test = try #require(NodeHarness())
        for number in 1...3 { test.publish(UInt64(number), ticket: UInt64(number)) }
        #expect(test.published.count == 1)
        test.answer(.acked(sequence: 5, isDuplicate: false))
        #expect(test.published.count == 2 && test.published.last?.body.readableBytes == 32)
    }

    @Test func `a pack without an answer is sent again as it was`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        test.answer(.unavailable("10164"))
        test.tick(after: 49)
        #expect(test.published.count == 1)
        test.tick(after: 252)
        let (first, again) = (test.published[0], try #require(test.published.last))
        #expect(test.published.count == 2 && first.id == again.id && first.header == again.header)
        #expect(first.number != again.number && first.expected == again.expected)
    }

    @Test func `a pack that the mirror shows needs no ack`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        let request = try #require(test.published.last)
        test.deliverPack(request.header.value, 1, id: request.id, at: 4)
        #expect(test.receipts == [PackReceipt(first: 1, count: 1)])
        test.answer(.acked(sequence: 4, isDuplicate: false))
        #expect(test.receipts.count == 1)
    }

    @Test func `a pack that was overtaken is renumbered when the mirror shows by what, and not before`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        test.answer(.wrongLastSequence(9))
        test.tick(after: 1000)
        #expect(test.published.count { $0.header.name == PackHeader.name } == 1)
        test.deliverPack("m 1 e 1 2 0 0 -", 8, 9, id: foreign, at: 9)
        let request = try #require(test.published.last)
        #expect(request.expected == .last(9) && request.id != test.published[0].id)
        #expect(PackHeader(request.header.value)?.first == 3)
    }

    @Test func `an id that another node published meanwhile is acked as its duplicate`() throws {
        var test = try #require(NodeHarness(dedupeWindow: 60_000))
        test.publish(1, id: 77, ticket: 1)
        test.answer(.wrongLastSequence(9))
        test.deliverPack("m 1 e 1 1 1000 0 -", 8, id: foreign, message: 77, at: 9)
        #expect(test.receipts == [PackReceipt(first: 1, count: 0, dropped: [.init(index: 0, offset: 1)])])
        #expect(test.published.count == 1)
    }

    @Test func `a server that knows less is changed, and only a barrier and another such answer have all read again`()
        throws
    {
        var test = try #require(NodeHarness())
        test.deliverPack("m 1 e 1 1 0 0 -", 8, id: foreign, at: 9)
        test.tick(after: 5000)
        test.passBarrier(of: test.stream)
        test.passBarrier(of: .registry)
        test.publish(1, ticket: 1)
        let suspensions = { (test: NodeHarness) in
            test.events.count { if case .suspended = $0 { true } else { false } }
        }
        for round in 1...3 {
            let request = try #require(test.published.last { $0.header.name == PackHeader.name })
            test.receive(.answered(request.number, .wrongLastSequence(3)))
            #expect(suspensions(test) == (round == 3 ? 1 : 0))
            if round == 1 { #expect(test.others.contains(.changeServer)) }
            if round == 2 { test.passBarrier(of: test.stream) }
            test.tick(after: 310)
        }
    }

    @Test(arguments: [true, false])
    func `a barrier that was under way and takes the place of an acked pack shows that the stream has lost it`(
        isLost: Bool
    ) throws {
        var test = try #require(NodeHarness())
        test.tick(after: 5000)
        let barrier = try #require(
            test.published.last { $0.stream == test.stream && $0.header.name == BarrierHeader.name }
        )
        test.publish(1, ticket: 1)
        let pack = try #require(test.published.last { $0.header.name == PackHeader.name })
        test.receive(.answered(pack.number, .acked(sequence: 9, isDuplicate: false)))
        #expect(test.receipts.count == 1)
        let place: UInt64 = isLost ? 9 : 10
        test.receive(.answered(barrier.number, .acked(sequence: place, isDuplicate: false)))
        if isLost {
            // Nor does the next one.
            test.tick(after: 5000)
            let next = try #require(test.published.last { $0.stream == test.stream && $0.id != barrier.id })
            #expect(next.header.name == BarrierHeader.name)
            test.receive(.answered(next.number, .acked(sequence: 10, isDuplicate: false)))
            #expect(test.events.count { if case .suspended = $0 { true } else { false } } == 0)
        }
        if !isLost { test.deliverPack(pack.header.value, 1, id: pack.id, at: 9) }
        test.deliver(test.stream, barrier.subject, at: place, id: barrier.id, header: barrier.header.value)
        let suspensions = test.events.count { if case .suspended = $0 { true } else { false } }
        #expect(suspensions == (isLost ? 1 : 0))
    }

    @Test func `without an ack the server is changed, and publishers are told in time`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        test.tick(after: 2990)
        #expect(!test.others.contains(.changeServer))
        test.tick(after: 20)
        #expect(test.others.contains(.changeServer) && test.failures.isEmpty)
        test.tick(after: 1500)
        #expect(test.failures == [.unavailable])
        test.tick(after: 600)
        #expect(!test.node.isReady)
    }

    @Test func `a server that gets another stream acked is kept while this one may elect a leader`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        for _ in 0..<7 {
            test.tick(after: 1000)
            test.passBarrier(of: .registry)
            #expect(!test.others.contains(.changeServer))
        }
        test.tick(after: 1000)
        #expect(test.others.contains(.changeServer))
    }

    @Test func `a server that gets another stream acked is left if others are acked in this one`() throws {
        var test = try #require(NodeHarness())
        test.publish(1, ticket: 1)
        test.tick(after: 1500)
        test.deliver(test.stream, "another", header: nil)
        test.tick(after: 1400)
        test.passBarrier(of: .registry)
        #expect(!test.others.contains(.changeServer))
        test.tick(after: 100)
        #expect(test.others.contains(.changeServer))
    }

    @Test func `a consumer without heartbeats, or with a gap, is made again where the mirror is`() throws {
        var test = try #require(NodeHarness())
        test.tick(after: 2999)
        #expect(test.consumed.isEmpty)
        test.tick(after: 1)
        #expect(test.consumed.first { $0.stream == test.stream }?.from == test.sequences[test.stream])
        let count = test.consumed.count
        test.receive(.heartbeat(test.stream, consumer: 2, deliveries: 1))
        #expect(test.consumed.count == count + 1)
    }

    @Test func `messages that were trimmed are no gap`() throws {
        var test = try #require(NodeHarness())
        test.deliverPack("m 1 e 41 2 0 90 \(foreign)", 8, 9, id: PackID(node: 1, number: 2), at: 95)
        let jumps = test.events.compactMap { if case .applied(_, let pack) = $0 { pack.isJump } else { nil } }
        #expect(jumps == [true] && test.consumed.isEmpty)
    }

    @Test(arguments: [nil, "", "nonsense", "m 1 e 7 1 0 0 -", "m 1 f 1 1 0 0 -", "m 1 e 1 3 0 0 -", "r 1 e 1 0 0 0 -"])
    func `what strangers write is passed over, and what follows it is taken`(header: String?) throws {
        var test = try #require(NodeHarness())
        test.deliverPack("m 1 e 1 1 0 0 -", 1, id: foreign, at: 9)
        let subject = try #require(ClusterNames()).subject(ofTopic: NodeHarness.topic)
        let stranger = PackID(node: 2, number: 1)
        let text = header?.replacing("0 0 -", with: "0 9 \(foreign)")
        test.deliver(test.stream, subject, at: 10, id: stranger, header: text, body: ByteBuffer(string: "?"))
        test.deliverPack("m 1 e 2 1 0 10 \(stranger)", 2, id: PackID(node: 1, number: 3), at: 11)
        let applied = test.events.compactMap { if case .applied(_, let pack) = $0 { pack.first } else { nil } }
        #expect(applied == [1, 2])
    }
}

@Suite struct RegistryTests {
    @Test func `a topic is made where there was none, and exists for who comes too late`() throws {
        var test = try #require(NodeHarness())
        test.node.change("new", .create(epoch: "a", settings: "", dedupeWindow: nil), ticket: 1)
        test.tick(after: 0)
        test.passBarrier(of: .registry)
        #expect(test.published.last?.expected == .noMessage)
        test.answer(.wrongLastSequence(9))
        let subject = try #require(ClusterNames()).registrySubject(ofTopic: "new")
        test.deliver(.registry, subject, at: 9, header: "live 1 b 0 -")
        #expect(test.answers == [.exists])
    }

    @Test func `who comes too late hears so at once if what was first has been read already`() throws {
        var test = try #require(NodeHarness())
        test.node.change("new", .create(epoch: "a", settings: "", dedupeWindow: nil), ticket: 1)
        test.tick(after: 0)
        test.passBarrier(of: .registry)
        let request = try #require(test.published.last)
        let subject = try #require(ClusterNames()).registrySubject(ofTopic: "new")
        test.deliver(.registry, subject, at: 9, header: "live 1 b 0 -")
        test.receive(.answered(request.number, .wrongLastSequence(9)))
        #expect(test.answers == [.exists])
    }

    @Test func `a topic is deleted in its stream first, and then in the registry`() throws {
        var test = try #require(NodeHarness())
        test.change(.delete, ticket: 1)
        test.passBarrier(of: .registry)
        let tombstone = try #require(test.published.last)
        #expect(tombstone.header.value.hasPrefix("t 1 e ") && tombstone.expected == .anything)
        test.answer(.acked(sequence: 20, isDuplicate: false))
        #expect(test.others == [.purge(test.stream, subject: tombstone.subject, before: 20)])
        #expect(test.published.last?.header.value == "gone 1 e 20 -" && test.published.last?.expected == .last(1))
        test.answer(.acked(sequence: 30, isDuplicate: false))
        #expect(test.answers == [.deleted])
        test.deliver(test.stream, tombstone.subject, at: 20, id: tombstone.id, header: tombstone.header.value)
        #expect(test.events.contains { if case .closed = $0 { true } else { false } })
    }

    @Test func `a deletion that nobody finishes is finished by who sees it`() throws {
        var test = try #require(NodeHarness())
        let subject = try #require(ClusterNames()).subject(ofTopic: NodeHarness.topic)
        test.deliver(test.stream, subject, at: 20, header: "t 1 e 1 0 0 - -")
        test.tick(after: 6000)
        test.passBarrier(of: .registry)
        test.passBarrier(of: .registry)
        #expect(test.published.contains { $0.header.value == "gone 1 e 20 -" })
    }

    @Test func `settings that somebody else has changed meanwhile are a conflict`() throws {
        var test = try #require(NodeHarness())
        let old = TopicEntry(era: test.era, boundary: 0, settings: "{}")
        test.change(.set(settings: "a", dedupeWindow: nil, from: old), ticket: 1)
        #expect(test.published.last?.expected == .last(1))
        test.answer(.acked(sequence: 8, isDuplicate: false))
        test.change(.set(settings: "b", dedupeWindow: nil, from: old), ticket: 2)
        #expect(test.answers == [.changed, .conflict])
    }
}
