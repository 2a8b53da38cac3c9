import ApusSockets
import Glibc
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

@Suite struct SocketBudgetTests {
    @Test func `a budget is spent at its limit, and not any more when a socket is closed`() {
        let budget = SocketBudget(limit: 2)
        #expect(!budget.isSpent)
        budget.take()
        #expect(!budget.isSpent)
        budget.take()
        #expect(budget.isSpent)
        // One that leaves a channel is two descriptors for a moment.
        budget.take()
        #expect(budget.isSpent)
        budget.release()
        #expect(budget.isSpent)
        budget.release()
        #expect(!budget.isSpent)
    }

    @Test func `a budget without room lets nobody in`() {
        #expect(SocketBudget(limit: 0).isSpent)
    }

    @Test func `a budget counts for all threads`() async {
        let budget = SocketBudget(limit: 1)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        budget.take()
                        budget.release()
                    }
                }
            }
        }
        #expect(!budget.isSpent)
        budget.take()
        #expect(budget.isSpent)
    }
}

/// A listener whose clock goes on when it is told to.
@Suite struct ListenerTests {
    private let loop = EmbeddedEventLoop()
    private let poller: Poller
    private let socket: Socket
    private let log = LogLines()

    init() throws {
        poller = try Poller()
        socket = try Socket.listening(on: "127.0.0.1", port: 0)
    }

    private func listener(_ budget: SocketBudget) throws -> (Listener, Accepted) {
        let accepted = Accepted()
        let listener = Listener(
            socket: socket,
            poller: poller,
            eventLoop: loop,
            budget: budget,
            logger: Logger(label: "test", factory: { [log] _ in log.handler })
        ) { accepted.all.append(($0, $1)) }
        try listener.start()
        return (listener, accepted)
    }

    private func connect(_ count: Int) throws -> [Client] {
        try (0..<count).map { _ in try Client(port: socket.localAddress.port) }
    }

    /// Polls until nothing has happened for some time.
    private func settle() {
        for _ in 0..<5 { poller.poll(timeout: 10) }
    }

    @Test func `whoever comes is accepted, with the address, and sent small writes at once`() throws {
        let (listener, accepted) = try listener(SocketBudget(limit: 10))
        defer { listener.stop() }
        let clients = try connect(3)
        settle()
        #expect(
            Set(accepted.all.map { $0.peer.description }) == Set(clients.map { $0.socket.localAddress.description })
        )
        for (socket, _) in accepted.all {
            var isOn: CInt = 0
            var size = socklen_t(MemoryLayout<CInt>.size)
            getsockopt(socket.descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, &size)
            #expect(isOn == 1)
        }
    }

    @Test func `at the limit nobody is accepted, and after a close it goes on`() throws {
        let budget = SocketBudget(limit: 3)
        let (listener, accepted) = try listener(budget)
        defer { listener.stop() }
        let clients = try connect(5)
        settle()
        #expect(accepted.all.count == 3)
        loop.advanceTime(by: .seconds(1))
        settle()
        #expect(accepted.all.count == 3)
        for count in 4...5 {
            budget.release()
            // Only its timer has it look again.
            settle()
            #expect(accepted.all.count == count - 1)
            loop.advanceTime(by: .milliseconds(100))
            settle()
            #expect(accepted.all.count == count)
        }
        withExtendedLifetime(clients) {}
    }

    @Test func `that clients wait is logged at once, and then once a minute`() throws {
        let (listener, _) = try listener(SocketBudget(limit: 0))
        defer { listener.stop() }
        let clients = try connect(1)
        var lines: [String] = []
        for _ in stride(from: 0, through: 120, by: 10) {
            poller.poll(timeout: 10)
            lines += log.take()
            loop.advanceTime(by: .seconds(10))
        }
        let line = "warning new clients wait: there are as many connections as files allow limit=0"
        #expect(lines == Array(repeating: line, count: 3))
        withExtendedLifetime(clients) {}
    }

    @Test func `clients for whom there is no room do not keep the poller awake`() throws {
        let (listener, _) = try listener(SocketBudget(limit: 0))
        defer { listener.stop() }
        let clients = try connect(1)
        poller.poll(timeout: 1000)
        let start = NIODeadline.now()
        poller.poll(timeout: 50)
        #expect(NIODeadline.now() - start >= .milliseconds(45))
        withExtendedLifetime(clients) {}
    }

    @Test func `a listener that stops while it waits does not go on`() throws {
        let (listener, accepted) = try listener(SocketBudget(limit: 0))
        let clients = try connect(1)
        settle()
        listener.stop()
        listener.stop()
        loop.advanceTime(by: .seconds(1))
        settle()
        #expect(accepted.all.isEmpty)
        withExtendedLifetime(clients) {}
    }

    @Test func `a crowd is accepted in bursts, between which other sockets have their turn`() throws {
        let (listener, accepted) = try listener(SocketBudget(limit: 1000))
        defer { listener.stop() }
        let clients = try connect(150)
        for count in [16, 32, 48] {
            poller.poll(timeout: 1000)
            #expect(accepted.all.count == count)
        }
        for _ in clients where accepted.all.count < 150 { poller.poll(timeout: 1000) }
        #expect(accepted.all.count == 150)
        withExtendedLifetime(clients) {}
    }
}

/// What a listener has accepted; closed with this.
private final class Accepted {
    var all: [(socket: Socket, peer: PeerAddress)] = []

    deinit {
        for (socket, _) in all { socket.close() }
    }
}

/// A client of this machine, closed with this.
private final class Client {
    let socket: Socket

    init(port: UInt16) throws {
        socket = Socket(descriptor: Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafeBytes(of: &address) { bytes in
            bytes.assumingMemoryBound(to: sockaddr.self).baseAddress.map {
                Glibc.connect(socket.descriptor, $0, socklen_t(bytes.count))
            }
        }
        guard result == 0 else { throw SocketError("connect", code: errno) }
    }

    deinit {
        socket.close()
    }
}
