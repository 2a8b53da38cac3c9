import ApusSockets
import Testing

@testable import ApusServer

@Suite struct KeepaliveTests {
    private static func keepalive(interval: Int64 = 1000, timeout: Int64 = 300) -> Keepalive {
        var timeouts = ServerConfiguration.Timeouts()
        timeouts.pingInterval = .milliseconds(interval)
        timeouts.pong = .milliseconds(timeout)
        return Keepalive(now: 0, timeouts)
    }

    @Test func `it pings at every interval while pongs come`() {
        var keepalive = Self.keepalive()
        for now in stride(from: Int64(0), to: 10_000, by: 100) {
            let expected: Keepalive.Action = now > 0 && now % 1000 == 0 ? .ping : .nothing
            #expect(keepalive.quietTick(now) == expected)
            keepalive.hasHeard = true
        }
    }

    @Test func `without a sign of life it gives up after the time-out`() {
        var keepalive = Self.keepalive()
        #expect(keepalive.quietTick(1000) == .ping)
        #expect(keepalive.quietTick(1299) == .nothing)
        #expect(keepalive.quietTick(1300) == .noPong)
    }

    @Test func `bytes in the last moment save it, and such as nobody asked for do no harm`() {
        var keepalive = Self.keepalive()
        keepalive.hasHeard = true
        #expect(keepalive.quietTick(1000) == .ping)
        keepalive.hasHeard = true
        #expect(keepalive.quietTick(1300) == .nothing)
        #expect(keepalive.quietTick(2000) == .ping)
        #expect(keepalive.quietTick(2300) == .noPong)
    }

    @Test func `a time-out longer than the interval counts from the first ping without an answer`() {
        var keepalive = Self.keepalive(interval: 100, timeout: 250)
        #expect(keepalive.quietTick(100) == .ping)
        #expect(keepalive.quietTick(200) == .ping)
        #expect(keepalive.quietTick(300) == .ping)
        #expect(keepalive.quietTick(350) == .noPong)
    }

    @Test func `no interval is no pings, and no time-out is no end`() {
        var silent = Self.keepalive(interval: 0)
        var patient = Self.keepalive(timeout: 0)
        for now in stride(from: Int64(0), to: 100_000, by: 1000) {
            #expect(silent.quietTick(now) == .nothing)
            #expect(patient.quietTick(now) == (now == 0 ? .nothing : .ping))
        }
    }

    @Test func `while the server does not read, no pong can be missing`() {
        var keepalive = Self.keepalive()
        #expect(keepalive.quietTick(1000) == .ping)
        #expect(keepalive.tick(now: 5000, isReading: false, isBlocked: false) { nil } == .nothing)
        #expect(keepalive.quietTick(6000) == .ping)
        #expect(keepalive.quietTick(6299) == .nothing)
        #expect(keepalive.quietTick(6300) == .noPong)
    }

    @Test func `time in which the server did nothing does not count`() {
        var keepalive = Self.keepalive()
        #expect(keepalive.quietTick(1000) == .ping)
        keepalive.excuse(60_000)
        #expect(keepalive.quietTick(61_200) == .ping)
        #expect(keepalive.quietTick(61_300) == .noPong)
    }
}

/// Peers that are slow, and such as look like them.
@Suite struct SlowPeerTests {
    private var keepalive = {
        var timeouts = ServerConfiguration.Timeouts()
        (timeouts.pingInterval, timeouts.pong) = (.seconds(1), .seconds(1))
        return Keepalive(now: 0, timeouts)
    }()

    /// Ticks every 100 ms, and says when it gave up.
    private mutating func end(
        by limit: Int64,
        isBlocked: Bool = true,
        _ progress: (Int64) -> SocketProgress?
    ) -> Int64? {
        stride(from: Int64(0), through: limit, by: 100).first { now in
            keepalive.tick(now: now, isReading: true, isBlocked: isBlocked) { progress(now) } == .noPong
        }
    }

    @Test mutating func `who takes a step every few seconds is alive`() {
        let end = end(by: 100_000) { now in
            SocketProgress(acknowledged: UInt64(now / 4000), window: 0, waiting: 100_000)
        }
        #expect(end == nil)
    }

    @Test mutating func `who takes nothing is not, though it has more time than one that has nothing to take`() {
        let end = end(by: 100_000) { _ in SocketProgress(acknowledged: 1000, window: 0, waiting: 100_000) }
        #expect(end == 2000 + PeerProgress.patience)
    }

    @Test mutating func `who took some and takes no more is not`() {
        let end = end(by: 100_000) { now in
            SocketProgress(acknowledged: UInt64(min(now, 3000)), window: 0, waiting: 100_000)
        }
        #expect(end == 3000 + 2000 + PeerProgress.patience)
    }

    @Test mutating func `a full socket that has room again is a sign of life without the kernel's word`() {
        for now in stride(from: Int64(0), through: 60_000, by: 100) {
            if now % 6000 == 5000 { keepalive.took(now: now) }
            #expect(keepalive.tick(now: now, isReading: true, isBlocked: true) { nil } == .nothing)
        }
    }

    @Test mutating func `pings that a peer's kernel takes are no sign of life`() {
        let end = end(by: 10_000, isBlocked: false) { now in
            SocketProgress(acknowledged: 5000 + UInt64(now / 500), window: 60_000, waiting: 2)
        }
        #expect(end == 2000)
    }

    @Test mutating func `who has everything, and reads it from its own buffer, is alive`() {
        let end = end(by: 60_000, isBlocked: false) { now in
            SocketProgress(acknowledged: 4_000_000, window: UInt32(min(now / 1000, 70) * 60_000), waiting: 0)
        }
        #expect(end == nil)
    }

    @Test mutating func `a full socket is not filled with pings`() {
        var pings = 0
        for now in stride(from: Int64(0), through: 20_000, by: 100) {
            keepalive.took(now: now)
            let action = keepalive.tick(now: now, isReading: true, isBlocked: now < 10_000) { nil }
            if action == .ping { pings += 1 }
        }
        #expect(pings == 11)
    }

    @Test mutating func `the kernel is asked only when a pong is late`() {
        var questions = 0
        for now in stride(from: Int64(0), through: 20_000, by: 100) {
            _ = keepalive.tick(now: now, isReading: true, isBlocked: false) {
                questions += 1
                return nil
            }
            // The pong comes at once.
            keepalive.hasHeard = true
        }
        #expect(questions == 0)
    }
}

/// Peers that need not answer.
@Suite struct PeerSilenceTests {
    /// For how long the peer is known to be silent, at each minute.
    private func times(_ progress: (Int64) -> SocketProgress?) -> [Int64] {
        var silence = PeerSilence(now: 0)
        var longest: [Int64] = []
        for minute in Int64(0)..<5 {
            let seconds = minute * 60..<(minute * 60 + 60)
            longest.append(seconds.map { silence.time(now: $0 * 1000, progress($0)) }.max() ?? 0)
        }
        return longest
    }

    @Test func `who acknowledges nothing of what waits has been silent for longer and longer`() {
        let times = times { SocketProgress(acknowledged: 100, window: 60_000, waiting: $0 < 70 ? 0 : 3) }
        #expect(times == [0, 30_000, 90_000, 150_000, 210_000])
    }

    @Test func `who acknowledges some is not silent, and neither is one for whom nothing waits`() {
        #expect(times { SocketProgress(acknowledged: UInt64($0 / 15), window: 0, waiting: 100) } == [0, 0, 0, 0, 0])
        #expect(times { _ in SocketProgress(acknowledged: 100, window: 0, waiting: 0) } == [0, 0, 0, 0, 0])
        #expect(times { _ in nil } == [0, 0, 0, 0, 0])
    }

    @Test func `the kernel is asked every fifteen seconds`() {
        var questions = 0
        var silence = PeerSilence(now: 0)
        func ask() -> SocketProgress? {
            questions += 1
            return nil
        }
        for second in 0..<Int64(60) { _ = silence.time(now: second * 1000, ask()) }
        #expect(questions == 3)
    }
}

extension Keepalive {
    /// A tick of a connection that has nothing to send.
    fileprivate mutating func quietTick(_ now: Int64) -> Action {
        tick(now: now, isReading: true, isBlocked: false) { nil }
    }
}
