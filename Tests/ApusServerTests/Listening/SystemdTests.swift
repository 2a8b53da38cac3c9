import Synchronization
import Testing

@testable import ApusServer

/// What is read of systemd's variables. That sockets are served and states told is tested from outside.
@Suite struct SystemdTests {
    private func systemd(_ environment: [String: String]) throws -> Systemd {
        try Systemd(environment: environment, process: 42)
    }

    @Test func `without its variables there is no systemd`() throws {
        let none = try systemd([:])
        #expect(none.sockets.isEmpty && none.watchdogInterval == nil)
        #expect(try systemd(["LISTEN_PID": "42"]).sockets.isEmpty)
        #expect(try systemd(["LISTEN_PID": "42", "LISTEN_FDS": "0"]).sockets.isEmpty)
    }

    @Test(arguments: ["41", "", "4 2", "042"])
    func `what is for another process is left alone`(process: String) throws {
        let other = try systemd([
            "LISTEN_PID": process, "LISTEN_FDS": "nonsense", "WATCHDOG_PID": process, "WATCHDOG_USEC": "10",
        ])
        #expect(other.sockets.isEmpty && other.watchdogInterval == nil)
    }

    @Test(arguments: ["nonsense", "-1", "17", "1.5", "99999999999999999999"])
    func `a number of sockets that cannot be is a mistake`(count: String) {
        let error = #expect(throws: ConfigurationError.self) { try systemd(["LISTEN_PID": "42", "LISTEN_FDS": count]) }
        #expect(error?.value == count && error?.source == "environment LISTEN_FDS")
    }

    @Test(arguments: [
        ("30000000", Duration.seconds(15)), ("1", .microseconds(1)), ("3", .microseconds(1)), ("0", nil), ("-5", nil),
        ("x", nil),
        ("9223372036854775807", .microseconds(4_611_686_018_427_387_903)),
    ])
    func `a sign of life is given twice in the time`(microseconds: String, interval: Duration?) throws {
        #expect(try systemd(["WATCHDOG_USEC": microseconds]).watchdogInterval == interval)
        #expect(try systemd(["WATCHDOG_USEC": microseconds, "WATCHDOG_PID": "42"]).watchdogInterval == interval)
    }

    @Test func `signs of life are given only while the server lives`() async throws {
        let answers = Mutex([true, false, false, true])
        let signs = AsyncStream.makeStream(of: Int.self)
        let watching = Task {
            // Asked once more it is alive no longer.
            await Systemd.keepWatch(every: .milliseconds(1)) {
                answers.withLock { $0.isEmpty ? false : $0.removeFirst() }
            } sign: {
                signs.continuation.yield(answers.withLock { $0.count })
            }
        }
        var told = signs.stream.makeAsyncIterator()
        #expect(await told.next() == 3)
        #expect(await told.next() == 0)
        watching.cancel()
        await watching.value
        signs.continuation.finish()
        #expect(await told.next() == nil)
    }

    @Test(arguments: ["", "x", "/", "@", "vsock:2:1", "/" + String(repeating: "x", count: 108)])
    func `what is no socket to notify is none`(name: String) {
        #expect(NotifySocket(name) == nil)
    }

    @Test func `nobody is told where nobody listens`() throws {
        #expect(try #require(NotifySocket("/nonexistent/notify")).send("READY=1") == false)
        #expect(try #require(NotifySocket("@apus-nobody")).send("READY=1") == false)
    }
}
