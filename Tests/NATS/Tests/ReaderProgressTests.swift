#if NATS
import Testing

@testable import ApusNATS

@Suite struct ReaderProgressTests {
    private func delivery(_ sequence: UInt64, _ delivered: UInt64) throws -> DeliverySubject {
        try #require(DeliverySubject("$JS.ACK.A.c.1.\(sequence).\(delivered).1700000000000000000.7"))
    }

    @Test func holesOfTheStreamAreNoGaps() throws {
        var progress = ReaderProgress(from: 5)
        #expect(progress.last == 4)
        #expect(progress.take(try delivery(9, 1)))
        #expect(progress.take(try delivery(12, 2)))
        #expect(progress.last == 12)
        #expect(progress.isComplete(delivered: 2))
    }

    @Test func whatTheConsumerSentAndDidNotComeIsAGap() throws {
        var progress = ReaderProgress(from: 1)
        #expect(!progress.isComplete(delivered: 1))
        #expect(!progress.take(try delivery(2, 2)))
        #expect(progress.last == 0)
    }

    @Test func nothingComesTwice() throws {
        var progress = ReaderProgress(from: 5)
        #expect(!progress.take(try delivery(4, 1)))
        #expect(progress.take(try delivery(5, 1)))
        #expect(!progress.take(try delivery(5, 1)))
        #expect(!progress.take(try delivery(5, 2)))
    }

    @Test func aDeliveryTellsItsPlaceWithAndWithoutADomain() throws {
        let plain = try #require(DeliverySubject("$JS.ACK.apus_3.name.1.17.4.1700000000000000001.2"))
        let long = try #require(DeliverySubject("$JS.ACK.hub.hash.apus_3.name.1.17.4.1700000000000000001.2.token"))
        #expect(plain == long)
        #expect((plain.sequence, plain.delivered, plain.pending) == (17, 4, 2))
        #expect(plain.time == 1_700_000_000_000_000_001)
    }

    @Test(arguments: ["", "$JS.ACK", "$JS.FC.A.c.x", "$JS.ACK.A.c.1.x.4.5.2", "$JS.NAK.A.c.1.17.4.5.2", "_INBOX.1"])
    func otherSubjectsAreNoDeliveries(subject: String) {
        #expect(DeliverySubject(subject) == nil)
    }
}
#endif
