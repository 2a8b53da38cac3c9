import Synchronization
import Testing

@testable import ApusVerify

@Suite("The check of a subscriber")
struct SubscriberCheckTests {
    private let record = TopicRecord(name: "t")
    private let check: SubscriberCheck

    init() {
        check = SubscriberCheck(number: 0, record: record)
        record.join(0)
        _ = record.openStream()
        check.receive([.started(.init(position: LogPosition(epoch: "e", offset: 0)))])
    }

    private func event(_ offset: Int, _ sequence: Int? = nil, stream: UInt32 = 0) -> Arrival {
        let label = MessageLabel(stream: stream, sequence: UInt32(sequence ?? offset - 1))
        return .event(SeenEvent(offset: offset, label: label))
    }

    private func resumed(
        _ offset: Int,
        recovered: Bool,
        missed: ClosedRange<Int>? = nil,
        epoch: String = "e"
    ) -> Arrival {
        .started(.init(position: LogPosition(epoch: epoch, offset: offset), recovered: recovered, missed: missed))
    }

    @Test func `finds nothing in what comes in order, across reconnects`() {
        check.receive([event(1), event(2)])
        check.receive([resumed(2, recovered: true), event(3)])
        check.finish(last: 3)
        #expect(check.counts == VerifyCounts(delivered: 3))
        #expect(check.position?.offset == 3)
    }

    @Test func `counts an unannounced gap as lost`() {
        check.receive([event(1), event(4)])
        check.finish(last: 4)
        #expect(check.counts == VerifyCounts(delivered: 2, lost: 2))
    }

    @Test func `counts what never came at the end as lost`() {
        check.receive([event(1)])
        check.finish(last: 3)
        #expect(check.counts == VerifyCounts(delivered: 1, lost: 2))
    }

    @Test func `counts a repeat as doubled`() {
        check.receive([event(1), event(2), event(2)])
        check.receive([resumed(2, recovered: true), event(2), event(3)])
        #expect(check.counts == VerifyCounts(delivered: 3, doubled: 2))
    }

    @Test func `counts one that comes after a later one as reordered, not as lost`() {
        check.receive([event(1), event(3), event(2), event(4)])
        check.finish(last: 4)
        #expect(check.counts == VerifyCounts(delivered: 4, reordered: 1))
    }

    @Test func `counts what the server announced apart`() {
        check.receive([event(1), .dropped(count: 2, from: 2, to: 3), event(4)])
        check.receive([resumed(6, recovered: false, missed: 5...6), event(7)])
        check.finish(last: 7)
        #expect(check.counts == VerifyCounts(delivered: 3, announced: 4))
    }

    @Test func `does not take an announcement that does not fit`() {
        check.receive([event(1), .dropped(count: 5, from: 3, to: 4), event(5)])
        check.receive([.dropped(count: 1, from: nil, to: nil), .fault("x")])
        #expect(check.counts.faults == 4)
    }

    @Test func `finds a message that is stored twice, and one that its publisher sent earlier but stands later`() {
        check.receive([event(1, 0), event(2, 0), event(3, 2), event(4, 1), event(5, 3)])
        check.finish(last: 5)
        #expect(check.counts == VerifyCounts(delivered: 5, doubled: 1, reordered: 1))
    }

    @Test func `finds acked messages that have no offset, but not refused ones`() {
        record.refused(stream: 0, first: 1, count: 1)
        check.receive([event(1, 0), event(2, 3)])
        check.finish(last: 2)
        #expect(check.counts == VerifyCounts(delivered: 2, lost: 1))
    }

    @Test func `finds damage, and the acks that others got for an offset`() {
        #expect(record.acked(stream: 0, first: 0, count: 2, at: 1, epoch: "e").isEmpty)
        check.receive([event(1, 0), .event(SeenEvent(offset: 2, label: nil)), event(3, 1)])
        #expect(check.counts.damaged == 1)
        // The second message is acked at 2 and seen at 3, where nothing else is known to be.
        #expect(record.acked(stream: 0, first: 2, count: 1, at: 3, epoch: "e").count == 1)
    }

    @Test func `finds what was seen and is gone after a reconnect`() {
        check.receive([event(1), event(2), event(3)])
        check.receive([resumed(1, recovered: true)])
        #expect(check.counts == VerifyCounts(delivered: 3, vanished: 2))
    }

    @Test func `finds an acked message of a stream of which nothing came`() {
        let stream = record.openStream()
        #expect(record.acked(stream: stream, first: 0, count: 1, at: 2, epoch: "e").isEmpty)
        check.receive([event(1), event(2, 1)])
        check.finish(last: 2)
        #expect(check.counts == VerifyCounts(delivered: 2, lost: 1, misplaced: 1))
    }

    @Test func `has the digest of all who saw the same, and of nobody else`() {
        func digest(_ events: [Arrival]) -> UInt64 {
            let check = SubscriberCheck(number: 1, record: record)
            check.receive([.started(.init(position: LogPosition(epoch: "e", offset: 0)))])
            check.receive(events)
            return check.digest
        }
        let seen = digest([event(1), event(2), event(3)])
        #expect(digest([event(1), event(3), event(2)]) == seen)
        #expect(digest([event(1), event(2)]) != seen)
        #expect(digest([event(1), event(2), event(3, 3)]) != seen)
        #expect(digest([event(1), event(2, 2), event(3, 1)]) != seen)
    }

    @Test func `gives up when the epoch changes or the topic goes`() {
        check.receive([event(1), resumed(0, recovered: false, epoch: "f"), event(1)])
        #expect(check.failure != nil)
        #expect(check.counts == VerifyCounts(delivered: 1))
        let other = SubscriberCheck(number: 1, record: record)
        other.receive([.topicDeleted])
        #expect(other.failure != nil)
    }

    @Test func `reports violations in words`() {
        let said = Mutex<[String]>([])
        let check = SubscriberCheck(number: 7, record: record) { text in said.withLock { $0.append(text) } }
        check.receive([resumed(0, recovered: true), event(2)])
        #expect(said.withLock { $0 } == ["subscriber 7, t: 1 before offset 2 did not come"])
    }
}

@Suite("The record of a topic")
struct TopicRecordTests {
    private func label(_ sequence: Int) -> MessageLabel { MessageLabel(stream: 0, sequence: UInt32(sequence)) }

    @Test func `keeps what the slowest subscriber has still to see, and no more`() {
        let record = TopicRecord(name: "t")
        #expect(record.openStream() == 0)
        record.join(0)
        record.join(1)
        #expect(record.acked(stream: 0, first: 0, count: 10, at: 1, epoch: "e").isEmpty)
        #expect(record.seen([SeenEvent(offset: 1, label: label(0))], by: 0, position: 10).isEmpty)
        #expect(record.seen([], by: 1, position: 4).isEmpty)
        #expect(record.slowest == 4)
        #expect(record.takeRoom(stream: 0, count: 1, limit: 7))
        // What is forgotten cannot be acked any more, what is kept cannot be acked for another.
        #expect(record.acked(stream: 0, first: 10, count: 1, at: 4, epoch: "e").count == 1)
        #expect(record.acked(stream: 0, first: 10, count: 1, at: 5, epoch: "e").count == 1)
        #expect(record.acked(stream: 0, first: 10, count: 1, at: 11, epoch: "f").count == 1)
    }

    @Test func `waits for the ack of what was seen first, unless its connection is gone`() {
        let record = TopicRecord(name: "t")
        let stream = record.openStream()
        record.join(0)
        #expect(record.seen([SeenEvent(offset: 1, label: label(0))], by: 0, position: 1).isEmpty)
        #expect(record.takeRoom(stream: stream, count: 2, limit: 2))
        #expect(record.acked(stream: stream, first: 0, count: 1, at: 1, epoch: "e").isEmpty)
        #expect(record.seen([SeenEvent(offset: 2, label: label(1))], by: 0, position: 2).isEmpty)
        record.closeStream(stream)
        #expect(record.highest == 2)
    }

    @Test func `gives room up to the limit, and gets it back by acks, refusals and broken connections`() {
        let record = TopicRecord(name: "t")
        record.join(0)
        let stream = record.openStream()
        func takes(_ count: Int) -> Bool { record.takeRoom(stream: stream, count: count, limit: 10) }
        #expect(takes(6) && takes(4))
        #expect(!takes(1))
        record.refused(stream: stream, first: 0, count: 6)
        #expect(takes(6) && !takes(1))
        #expect(record.acked(stream: stream, first: 6, count: 4, at: 1, epoch: "e").isEmpty)
        // Acked, but the subscriber is not there yet.
        #expect(!takes(1))
        #expect(record.seen([], by: 0, position: 4).isEmpty)
        #expect(takes(4) && !takes(1))
        record.closeStream(stream)
        // More than the limit goes when nothing else is on its way.
        #expect(takes(30))
    }

    @Test func `takes no offset from nowhere`() {
        let record = TopicRecord(name: "t")
        _ = record.openStream()
        #expect(record.seen([SeenEvent(offset: 1 << 40, label: label(0))], by: 0, position: 0).count == 1)
        let unknown = MessageLabel(stream: 9, sequence: 0)
        #expect(record.seen([SeenEvent(offset: 1, label: unknown)], by: 0, position: 0).count == 1)
        #expect(record.highest == 0)
    }
}
