import ApusCluster
import NIOCore
import Testing

/// Reading up to where the cluster is, before something is said not to be there.
@Suite struct ReadingTests {
    private func outcomes(_ test: NodeHarness) -> [Ticket: Bool] {
        test.events.reduce(into: [:]) { outcomes, event in
            guard case .caughtUp(let ticket, let result) = event else { return }
            if case .success = result { outcomes[ticket] = true } else { outcomes[ticket] = false }
        }
    }

    @Test func `a node has caught up when it has read a message of its own in the registry and in the topic's stream`()
        throws
    {
        var test = try #require(NodeHarness())
        test.catchUp(on: NodeHarness.topic, ticket: 1)
        #expect(Set(test.published.map(\.stream)) == [.registry, test.stream])
        test.passBarrier(of: .registry)
        #expect(outcomes(test).isEmpty)
        test.passBarrier(of: test.stream)
        #expect(outcomes(test) == [1: true])
    }

    @Test func `an ack alone is not enough: what was acked before has to be read`() throws {
        var test = try #require(NodeHarness())
        test.catchUp(on: NodeHarness.topic, ticket: 1)
        test.passBarrier(of: .registry)
        let request = try #require(test.published.last { $0.stream == test.stream })
        test.receive(.answered(request.number, .acked(sequence: 9, isDuplicate: false)))
        #expect(outcomes(test).isEmpty)
        test.deliverPack("m 1 e 1 1 0 0 -", 8, id: PackID(node: 1, number: 1), at: 5)
        #expect(outcomes(test).isEmpty)
        test.deliver(test.stream, request.subject, at: 9, id: request.id, header: request.header.value)
        #expect(outcomes(test) == [1: true])
    }

    @Test func `those who ask while a message is under way share the next one`() throws {
        var test = try #require(NodeHarness())
        for ticket in 1...50 { test.catchUp(on: NodeHarness.topic, ticket: Ticket(ticket)) }
        for stream in [test.stream, .registry] { test.passBarrier(of: stream) }
        #expect(outcomes(test) == [1: true])
        for stream in [test.stream, .registry] { test.passBarrier(of: stream) }
        #expect(outcomes(test).count == 50 && test.published.count == 4)
    }

    @Test func `without an answer it is not known after a few seconds`() throws {
        var test = try #require(NodeHarness())
        test.catchUp(on: NodeHarness.topic, ticket: 1)
        test.tick(after: 4499)
        #expect(outcomes(test).isEmpty && !test.node.isIdle)
        test.tick(after: 1)
        #expect(outcomes(test) == [1: false])
    }

    @Test func `nothing is kept of names that somebody has asked for and that are no topics`() throws {
        var test = try #require(NodeHarness())
        for number in 1...500 {
            test.node.change("no topic \(number)", .delete, ticket: Ticket(number))
            test.tick(after: 1)
            test.passBarrier(of: .registry)
            test.tick(after: 1)
        }
        let answers = test.events.compactMap { event -> TopicAnswer? in
            if case .answered(_, .success(let answer)) = event { answer } else { nil }
        }
        #expect(answers == Array(repeating: .notFound, count: 500))
        #expect(test.node.knownNames <= 2)
    }
}
