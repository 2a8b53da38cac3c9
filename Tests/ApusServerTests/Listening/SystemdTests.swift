import ApusSockets
import Glibc
import NIOConcurrencyHelpers
import Testing

@testable import ApusServer

/// What is read of systemd's variables. That sockets are served and states told is tested from outside.
@Suite struct SystemdTests {
    private func systemd(_ environment: [String: String]) throws -> Systemd {
        try Systemd(environment: environment, process: 42)
    }

    @Test func withoutItsVariablesThereIsNoSystemd() throws {
        let none = try systemd([:])
        #expect(none.sockets.isEmpty && none.notifier == nil && none.watchdogInterval == nil)
        #expect(try systemd(["LISTEN_PID": "42"]).sockets.isEmpty)
        #expect(try systemd(["LISTEN_PID": "42", "LISTEN_FDS": "0"]).sockets.isEmpty)
    }

    @Test(arguments: ["41", "", "4 2", "042"])
    func whatIsForAnotherProcessIsLeftAlone(process: String) throws {
        let other = try systemd([
            "LISTEN_PID": process, "LISTEN_FDS": "nonsense", "WATCHDOG_PID": process, "WATCHDOG_USEC": "10",
        ])
        #expect(other.sockets.isEmpty && other.watchdogInterval == nil)
    }

    @Test(arguments: ["nonsense", "-1", "17", "1.5", "99999999999999999999"])
    func aNumberOfSocketsThatCannotBeIsAMistake(count: String) {
        let error = #expect(throws: ConfigurationError.self) { try systemd(["LISTEN_PID": "42", "LISTEN_FDS": count]) }
        #expect(error?.value == count && error?.source == "environment LISTEN_FDS")
    }

    @Test(arguments: [
        ("30000000", Duration.seconds(15)), ("1", .microseconds(1)), ("3", .microseconds(1)), ("0", nil), ("-5", nil),
        ("x", nil),
        ("9223372036854775807", .microseconds(4_611_686_018_427_387_903)),
    ])
    func aSignOfLifeIsGivenTwiceInTheTime(microseconds: String, interval: Duration?) throws {
        #expect(try systemd(["WATCHDOG_USEC": microseconds]).watchdogInterval == interval)
        #expect(try systemd(["WATCHDOG_USEC": microseconds, "WATCHDOG_PID": "42"]).watchdogInterval == interval)
    }

    @Test func signsOfLifeAreGivenOnlyWhileTheServerLives() async throws {
        let name = "@apus-test-\(UInt64.random(in: 0 ... .max))"
        let manager = try Manager(name: name)
        let systemd = try systemd(["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"])
        let answers = NIOLockedValueBox([true, false, false, true])
        // Asked a last time, it is alive no more, and nobody waits for that any longer.
        let watching = Task {
            await systemd.keepWatch { answers.withLockedValue { $0.isEmpty ? false : $0.removeFirst() } }
        }
        #expect(manager.next() == "WATCHDOG=1")
        #expect(manager.next() == "WATCHDOG=1")
        watching.cancel()
        await watching.value
        #expect(answers.withLockedValue { $0.isEmpty })
        #expect(manager.next(wait: 0) == nil)
    }

    @Test(arguments: ["", "x", "/", "@", "vsock:2:1", "/" + String(repeating: "x", count: 108)])
    func whatIsNoSocketToNotifyIsNone(name: String) {
        #expect(NotifySocket(name) == nil)
    }

    @Test func nobodyIsToldWhereNobodyListens() throws {
        #expect(try #require(NotifySocket("/nonexistent/notify")).send("READY=1") == false)
        #expect(try #require(NotifySocket("@apus-nobody")).send("READY=1") == false)
    }
}

/// A datagram socket with an abstract name, closed with this.
private final class Manager {
    private let descriptor: CInt

    init(name: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + name.utf8.dropFirst()) }
        let size = socklen_t(MemoryLayout<sa_family_t>.size + name.utf8.count)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard result == 0 else { throw SocketError("bind", code: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// The next state that is told within `wait` milliseconds.
    func next(wait: CInt = 10_000) -> String? {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, wait) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}
