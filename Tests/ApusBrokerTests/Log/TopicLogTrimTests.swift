import ApusProtocol
import Testing

@testable import ApusBroker

@Suite struct TopicLogTrimTests {
    private func log(count: Int, batch: Int, history: Int, bytes: Int = 1 << 30) -> TopicLog {
        var log = TopicLog(
            template: EventTemplate(topic: "t"),
            limits: TopicLog.Limits(history: history, bytes: bytes)
        )
        for number in 1...count {
            append(to: &log)
            if number % batch == 0 { log.seal() }
        }
        log.seal()
        return log
    }

    private func append(to log: inout TopicLog) {
        var text = "{\"id\":1}"
        _ = text.withUTF8 { log.append(UnsafeRawBufferPointer($0), time: Timestamp(milliseconds: 0), origin: 0) }
    }

    private var frameSize: Int { EventTemplate(topic: "t").frameSize(message: 8) }

    @Test(arguments: [
        // history, batch, and the oldest kept: the start of the batch that history reaches into.
        (100, 1, 901), (100, 10, 901), (100, 64, 897), (100, 500, 501), (0, 1, 1001), (0, 10, 1001), (5000, 10, 1),
        (1, 7, 995), (1, 10, 991),
    ])
    func `history keeps its number of publications, and whole batches`(history: Int, batch: Int, firstKept: Int) {
        var log = log(count: 1000, batch: batch, history: history)
        log.trim(needed: log.head, retainFrom: .max)
        #expect(log.firstKept == Offset(firstKept))
        #expect(log.firstOfHistory(now: 0) == max(Offset(firstKept), 1001 - Offset(min(history, 1000))))
        #expect(log.bytes == (1001 - firstKept) * frameSize)
        #expect(log.batch(at: Offset(firstKept) - 1) == nil)
        #expect(firstKept == 1001 || log.batch(at: Offset(firstKept)) != nil)
    }

    @Test(arguments: [1, 500, 899, 901, 1000, 1001])
    func `what a cursor still needs is kept beyond history`(needed: Int) {
        var log = log(count: 1000, batch: 1, history: 100)
        log.trim(needed: Offset(needed), retainFrom: .max)
        #expect(log.firstKept == Offset(min(needed, 901)))
    }

    @Test func `the bound in bytes goes before history and before cursors`() {
        var log = log(count: 1000, batch: 1, history: 500, bytes: 50 * frameSize)
        log.trim(needed: 200, retainFrom: .max)
        #expect(log.firstKept == 951 && log.bytes == 50 * frameSize)
    }

    @Test func `the bound in bytes spares what a throttling cursor needs, and only that`() {
        var log = log(count: 1000, batch: 1, history: 500, bytes: 50 * frameSize)
        log.trim(needed: 900, retainFrom: 900)
        #expect(log.firstKept == 900)
        log.trim(needed: 980, retainFrom: 980)
        #expect(log.firstKept == 951)
    }

    @Test func `the newest publication stays though it alone is over the bound, until it has been read`() {
        var log = log(count: 3, batch: 1, history: 100, bytes: 1)
        log.trim(needed: 3, retainFrom: .max)
        #expect(log.firstKept == 3)
        log.trim(needed: 4, retainFrom: .max)
        #expect(log.firstKept == 4 && log.bytes == 0)
    }

    @Test func `an open batch is never trimmed`() {
        var log = log(count: 10, batch: 1, history: 0)
        append(to: &log)
        log.trim(needed: 11, retainFrom: .max)
        #expect(log.firstKept == 11 && log.bytes == frameSize)
        log.seal()
        #expect(log.batch(at: 11) != nil)
    }

    @Test func `after all was removed the offsets go on`() {
        var log = log(count: 10, batch: 3, history: 100)
        append(to: &log)
        log.removeAll()
        #expect(log.bytes == 0 && log.firstKept == 12 && log.newest == nil && log.batch(at: 10) == nil)
        append(to: &log)
        log.seal()
        #expect(log.newest?.first == 12)
    }
}
