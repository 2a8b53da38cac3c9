import Testing

@testable import ApusServer

@Suite struct KeepaliveTests {
    private func keepalive(interval: Int64 = 1000, timeout: Int64 = 300) -> Keepalive {
        var settings = WorkerSettings()
        settings.pingInterval = interval
        settings.pongTimeout = timeout
        return Keepalive(now: 0, settings: settings)
    }

    @Test func `it pings at every interval while pongs come`() {
        var keepalive = keepalive()
        for now in stride(from: Int64(0), to: 10_000, by: 100) {
            let expected: Keepalive.Action = now > 0 && now % 1000 == 0 ? .ping : .nothing
            #expect(keepalive.tick(now: now) == expected)
            keepalive.receivedPong()
        }
    }

    @Test func `without a pong it gives up after the time-out`() {
        var keepalive = keepalive()
        #expect(keepalive.tick(now: 1000) == .ping)
        #expect(keepalive.tick(now: 1299) == .nothing)
        #expect(keepalive.tick(now: 1300) == .noPong)
    }

    @Test func `a pong in the last moment saves it, and one nobody asked for does no harm`() {
        var keepalive = keepalive()
        keepalive.receivedPong()
        #expect(keepalive.tick(now: 1000) == .ping)
        keepalive.receivedPong()
        #expect(keepalive.tick(now: 1300) == .nothing)
        #expect(keepalive.tick(now: 2000) == .ping)
        #expect(keepalive.tick(now: 2300) == .noPong)
    }

    @Test func `a time-out longer than the interval counts from the first ping without a pong`() {
        var keepalive = keepalive(interval: 100, timeout: 250)
        #expect(keepalive.tick(now: 100) == .ping)
        #expect(keepalive.tick(now: 200) == .ping)
        #expect(keepalive.tick(now: 300) == .ping)
        #expect(keepalive.tick(now: 350) == .noPong)
    }

    @Test func `no interval is no pings, and no time-out is no end`() {
        var silent = keepalive(interval: 0)
        var patient = keepalive(timeout: 0)
        for now in stride(from: Int64(0), to: 100_000, by: 1000) {
            #expect(silent.tick(now: now) == .nothing)
            #expect(patient.tick(now: now) == (now == 0 ? .nothing : .ping))
        }
    }

    @Test func `while the server does not read, no pong can be missing`() {
        var keepalive = keepalive()
        #expect(keepalive.tick(now: 1000) == .ping)
        keepalive.pause()
        #expect(keepalive.tick(now: 5000) == .nothing)
        keepalive.resume(now: 6000)
        #expect(keepalive.tick(now: 6000) == .ping)
        #expect(keepalive.tick(now: 6299) == .nothing)
        #expect(keepalive.tick(now: 6300) == .noPong)
    }
}
