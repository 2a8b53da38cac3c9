import Histogram
import Testing

@testable import ApusLoad

struct PartsTests {
    @Test func `hexadecimal digits are read as they were written`() {
        var bytes = [UInt8](repeating: 0, count: 16)
        for value in [0, 1, 0x0123_4567_89AB_CDEF, .max, 0xFEDC_BA98_7654_3210] as [UInt64] {
            bytes.withUnsafeMutableBytes { HexDigits.write(value, to: $0.baseAddress.unsafelyUnwrapped) }
            let text = String(decoding: bytes, as: UTF8.self)
            let digits = String(value, radix: 16)
            #expect(text == String(repeating: "0", count: 16 - digits.count) + digits)
            #expect(bytes.withUnsafeBytes { HexDigits.read($0.baseAddress.unsafelyUnwrapped) } == value)
        }
    }

    @Test func `marks are found where they were and elsewhere`() {
        var finder = MarkFinder()
        let mark = LoadMark(publisher: 1, sequence: 2, time: 3)
        for shift in [10, 10, 3, 0, 50] {
            var message = [UInt8](repeating: 46, count: shift + LoadMark.byteCount + 5)
            message.withUnsafeMutableBytes { mark.write(to: $0.baseAddress.unsafelyUnwrapped + shift) }
            #expect(message.withUnsafeBytes { finder.find(in: $0) } == mark)
            #expect(message.dropLast(6).withUnsafeBytes { finder.find(in: $0) } == nil)
        }
        #expect([UInt8]().withUnsafeBytes { finder.find(in: $0) } == nil)
    }

    @Test func `a track tells new, late and doubled messages apart`() {
        var track = SequenceTrack()
        #expect(track.see(1) == .new)
        #expect(track.see(4) == .new)
        #expect(track.see(2) == .late)
        #expect(track.see(2) == .doubled)
        #expect(track.see(4) == .doubled)
        #expect(track.see(3) == .late)
        #expect(track.see(5) == .new)
        #expect(track.see(200) == .new)
        #expect(track.see(137) == .late)
        #expect(track.see(100) == .doubled)
    }

    @Test func `a send log gives times back in their order`() {
        var log = SendLog()
        for time in 1...20 as ClosedRange<UInt64> {
            for _ in 0..<3 { log.add(time) }
        }
        var seen: [UInt64] = []
        while let taken = log.take(2) { seen += [UInt64](repeating: taken.time, count: Int(taken.count)) }
        #expect(seen == (1...20).flatMap { [$0, $0, $0] })
        #expect(log.take(1) == nil)
        log.add(7)
        #expect(log.take(9)?.count == 1)
    }

    @Test func `latencies of one value are counted together`() {
        var recorder = LatencyRecorder()
        for _ in 0..<5 { recorder.record(1_000_000) }
        recorder.record(3_000_000, count: 5)
        recorder.record(.max)
        let histogram = recorder.finish()
        #expect(histogram.totalCount == 11)
        let latency = LoadResult.Latency(histogram)
        #expect(latency.map { abs($0.p50 - 3_000) < 10 } == true)
        #expect(LoadResult.Latency(LatencyRecorder.emptyHistogram()) == nil)
    }

    @Test func `the schedule of an open loop does not drift`() throws {
        var settings = LoadSettings(
            wire: ApusWireProtocol(host: "h"),
            address: try LoadAddress(host: "127.0.0.1", port: 1),
            topicPrefix: "t"
        )
        settings.publishers = 3
        settings.threads = 2
        // Thread 0 has two of three publishers, so two thirds of the rate.
        var schedule = OpenSchedule(settings: settings, rate: 3_000, index: 0, start: 1_000)
        for _ in 0..<2_000_000 { schedule.advance() }
        #expect(schedule.due == 1_000_000_001_000)
    }

    @Test func `listening addresses of proc are compared as the kernel writes them`() {
        #expect(ServerProcesses.isSame("0100007F", [127, 0, 0, 1]))
        #expect(!ServerProcesses.isSame("0200007F", [127, 0, 0, 1]))
        #expect(ServerProcesses.isSame("00000000", [10, 0, 0, 1]))
        #expect(ServerProcesses.isSame("0000000000000000FFFF00000100007F", [127, 0, 0, 1]))
        #expect(ServerProcesses.isSame("00000000000000000000000001000000", [UInt8](repeating: 0, count: 15) + [1]))
    }

    @Test func `the process that listens is found by its address`() throws {
        let peer = try FakePeer()
        defer { peer.stop() }
        let address = try LoadAddress(host: "127.0.0.1", port: peer.port)
        let pid = try #require(ServerProcesses.listening(at: address).first)
        let sample = ServerSample.take([pid], details: true)
        #expect(sample.residentBytes > 1 << 20)
        #expect(!sample.threads.isEmpty)
        #expect(try ServerProcesses.listening(at: LoadAddress(host: "127.0.0.1", port: 1)) == [])
    }
}
