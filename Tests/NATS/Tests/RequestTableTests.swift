#if NATS
import NIOCore
import Synchronization
import Testing

@testable import ApusNATS

@Suite struct RequestTableTests {
    private let message = NATSMessage(subject: "s", reply: nil, headers: [], body: ByteBuffer(string: "x"))

    @Test func eachRequestIsTakenOnce() throws {
        var table = RequestTable(capacity: 10, mostBytes: 100)
        let number = try #require(table.add(deadline: 5) { _ in })
        #expect(table.take(number, answeredBy: message) != nil)
        #expect(table.take(number, answeredBy: message) == nil)
        #expect(table.takeExpired(now: 9).isEmpty)
        #expect(table.takeAll().isEmpty)
    }

    @Test func thereIsRoomForSoManyAndNoMore() throws {
        var table = RequestTable(capacity: 2, mostBytes: 100)
        let first = try #require(table.add(deadline: 5) { _ in })
        #expect(table.add(deadline: 5) { _ in } != nil)
        #expect(table.add(deadline: 5) { _ in } == nil)
        #expect(table.take(first) != nil)
        #expect(table.add(deadline: 5) { _ in } != nil)
    }

    @Test func theirBytesAreBoundedToo() throws {
        var table = RequestTable(capacity: 10, mostBytes: 100)
        let first = try #require(table.add(deadline: 1, bytes: 60) { _ in })
        #expect(table.add(deadline: 2, bytes: 41) { _ in } == nil)
        #expect(table.add(deadline: 2, bytes: 40) { _ in } != nil)
        #expect(table.take(first) != nil)
        #expect(table.add(deadline: 1, bytes: 60) { _ in } != nil)
        #expect(table.add(deadline: 1, bytes: 1) { _ in } == nil)
        #expect(table.takeExpired(now: 1).count == 1)
        #expect(table.add(deadline: 1, bytes: 60) { _ in } != nil)
        _ = table.takeAll()
        #expect(table.add(deadline: 1, bytes: 100) { _ in } != nil)
    }

    @Test func onlyWhatIsOverdueExpires() {
        var table = RequestTable(capacity: 10, mostBytes: 100)
        for deadline: UInt64 in 1...4 { _ = table.add(deadline: deadline) { _ in } }
        #expect(table.takeExpired(now: 2).count == 2)
        #expect(table.count == 2)
        #expect(table.takeAll().count == 2)
    }

    @Test func aQuestionToAllServersWaitsForAllAnswers() throws {
        var table = RequestTable(capacity: 10, mostBytes: 100)
        let number = try #require(table.add(deadline: 5, gathers: true) { _ in })
        _ = table.add(deadline: 5, gathers: true) { _ in }
        #expect(table.take(number, answeredBy: message) == nil)
        #expect(table.take(number, answeredBy: message) == nil)
        let counts = table.takeExpired(now: 5).map { expired in
            if case .gathered(let messages) = expired.answer { messages.count } else { 0 }
        }
        #expect(counts.sorted() == [0, 2])
    }
}
#endif
