#if NATS
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

/// Against one real server.
@Suite struct PublishingTests {
    private let subject = "apus.0.dG9waWM"

    private func message(
        _ body: String,
        _ expectation: StreamPublish.Expectation = .none,
        id: String? = nil
    ) -> StreamPublish {
        StreamPublish(
            subject: subject,
            headers: [NATSHeader("Apus-Pack", "m 1 epoch 1 1 0 0 -")],
            body: ByteBuffer(string: body),
            id: id,
            stream: "apus_0",
            expectation: expectation
        )
    }

    @Test func aMessageIsAcknowledgedAndReadBackAsItWas() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let result = await connection.publish(message("\0ä", .noMessage, id: "i"), timeout: .seconds(10))
                #expect(result == .acked(stream: "apus_0", sequence: 1, isDuplicate: false))
                let again = await connection.publish(message("\0ä", id: "i"), timeout: .seconds(10))
                #expect(again == .acked(stream: "apus_0", sequence: 1, isDuplicate: true))
                let stored = try #require(try await connection.lastMessage("apus_0", subject: subject))
                #expect(stored.sequence == 1)
                #expect(stored.body == ByteBuffer(string: "\0ä"))
                #expect(stored.headers.contains(NATSHeader("Apus-Pack", "m 1 epoch 1 1 0 0 -")))
                #expect(try await connection.lastMessage("apus_0", subject: "apus.0.other") == nil)
            }
        }
    }

    @Test func ofTwoPublishersThatExpectTheSameOneWins() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { one in
                try await one.ensureStreams()
                try await withConnection(.single(servers)) { other in
                    var head: UInt64 = 0
                    for round in 0..<50 {
                        let expectation: StreamPublish.Expectation = head == 0 ? .noMessage : .last(head)
                        async let first = one.publish(message("a", expectation, id: "a\(round)"), timeout: .seconds(20))
                        async let second = other.publish(
                            message("b", expectation, id: "b\(round)"),
                            timeout: .seconds(20)
                        )
                        var winners: [UInt64] = []
                        var losers: [UInt64?] = []
                        for result in await [first, second] {
                            switch result {
                            case .acked(_, let sequence, false): winners.append(sequence)
                            // The second comes while the first is under way, or after it.
                            case .refused(let refusal, let last) where [10_071, 10_164].contains(refusal.reason):
                                losers.append(last)
                            default: Issue.record("\(result)")
                            }
                        }
                        try #require(winners.count == 1 && losers.count == 1)
                        if let last = losers[0] { #expect(last == winners[0]) }
                        head = winners[0]
                    }
                }
            }
        }
    }

    @Test func aWrongExpectationTellsTheRightOne() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, ["a", "b", "c"])
                for expectation in [StreamPublish.Expectation.noMessage, .last(2), .last(9)] {
                    let result = await connection.publish(message("d", expectation), timeout: .seconds(10))
                    guard case .refused(let refusal, last: 3) = result else {
                        Issue.record("\(result)")
                        return
                    }
                    #expect(refusal.reason == JetStreamRefusal.Reason.wrongLastSequence)
                }
                let right = await connection.publish(message("d", .last(3)), timeout: .seconds(10))
                #expect(right == .acked(stream: "apus_0", sequence: 4, isDuplicate: false))
            }
        }
    }

    @Test func aSubjectOfNoStreamHasNoResponders() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                let result = await connection.publish(message("a"), timeout: .seconds(10))
                #expect(result == .noResponders)
            }
        }
    }

    @Test func whatIsTooLargeIsNotSentAndTheConnectionStays() async throws {
        try await withServers(more: "max_payload: 600KB") { servers in
            let events = EventLog()
            try await withConnection(.single(servers), events: events) { connection in
                try await connection.ensureStreams()
                let limit = try #require(connection.server?.maxPayload)
                #expect(limit == 600 << 10)
                var large = message("")
                large.body = ByteBuffer(repeating: 7, count: limit - large.size)
                #expect(large.size == limit)
                let fits = await connection.publish(large, timeout: .seconds(10))
                #expect(fits == .acked(stream: "apus_0", sequence: 1, isDuplicate: false))
                large.body.writeInteger(UInt8(7))
                let result = await connection.publish(large, timeout: .seconds(10))
                #expect(result == .tooLarge(limit: limit))
                #expect(events.disconnects == 0)
            }
        }
    }

    @Test func atMostSoManyWaitAndEachIsAnsweredOnce() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                let limit = NATSSettings.Limit.outstanding
                let answers = Mutex(0)
                // Whoever gathers waits until the end, whatever comes.
                for _ in 0..<limit {
                    connection.request(subject, timeout: .seconds(600), gathers: true) { _ in
                        answers.withLock { $0 += 1 }
                    }
                }
                #expect(connection.outstanding == limit)
                #expect(await connection.publish(message("a"), timeout: .seconds(10)) == .tooMany)
                #expect(answers.withLock { $0 } == 0)
                await connection.close()
                #expect(answers.withLock { $0 } == limit)
                #expect(await connection.publish(message("a"), timeout: .seconds(10)) == .disconnected)
            }
        }
    }

    @Test func whatIsAcknowledgedTooLateTimesOutOnce() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                servers.nodes[0].signal(SIGSTOP)
                #expect(await connection.publish(message("late"), timeout: .milliseconds(200)) == .timedOut)
                servers.nodes[0].signal(SIGCONT)
                // Its acknowledgement comes before this one, and nobody waits for it.
                try await connection.fill(subject, ["next"])
                #expect(connection.outstanding == 0)
                #expect(try await connection.streamInfo("apus_0").state.messages == 2)
            }
        }
    }

    @Test func withoutAServerNothingIsAcknowledgedUntilItIsBack() async throws {
        try await withServers { servers in
            let events = EventLog()
            try await withConnection(.single(servers), events: events) { connection in
                try await connection.ensureStreams()
                try await connection.fill(subject, ["a"])
                servers.nodes[0].kill()
                let first = await connection.publish(message("lost"), timeout: .seconds(30))
                #expect(first == .disconnected)
                try await waitUntil("the end is told") { events.disconnects == 1 }
                #expect(connection.server == nil)
                for _ in 0..<100 {
                    #expect(await connection.publish(message("lost"), timeout: .seconds(30)) == .disconnected)
                }
                try servers.nodes[0].start()
                try await waitUntil("it is back") { connection.server?.generation ?? 1 > 1 }
                try await connection.fill(subject, ["b"])
                let stored = try await connection.streamInfo("apus_0")
                // Nothing was kept for later.
                #expect(stored.state.messages == 2)
            }
        }
    }

    @Test func aPurgeTakesOneSubjectsOldMessages() async throws {
        try await withServers { servers in
            try await withConnection(.single(servers)) { connection in
                try await connection.ensureStreams()
                try await connection.fill("apus.0.other", ["x"])
                try await connection.fill(subject, ["a", "b", "c", "d", "e"])
                #expect(try await connection.purge("apus_0", subject: subject, .before(4)) == 2)
                #expect(try await connection.purge("apus_0", subject: subject, .allBut(1)) == 2)
                let log = ReaderLog(connection, "apus_0", from: 1)
                try await waitUntil("the rest came") { log.sequences == [1, 6] }
            }
        }
    }
}
#endif
