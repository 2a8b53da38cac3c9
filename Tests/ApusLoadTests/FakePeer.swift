import Foundation
import Glibc
import Synchronization

@testable import ApusLoad

/// A server of few words on loopback: takes subscribers and publishers of one protocol of its own, and hands messages
/// on with the faults that it is told to make.
///
/// A line is a command: `SUB n` is answered `OK`; `PUB mark` is answered `ACK` and goes as `MSG mark` to all
/// subscribers. One thread, blocking poll(2): it is a test's peer, not a fast one.
final class FakePeer: Sendable {
    /// What it does wrong, to every tenth message.
    enum Fault: Sendable {
        case none
        case loses
        case losesAndTells
        case doubles
        case swaps
        /// Publishes are answered so much later, in microseconds: once, at the tenth message.
        case pauses(UInt32)
    }

    let port: Int
    private let listener: CInt
    private let isStopped = Atomic(false)

    init(_ fault: Fault = .none) throws {
        listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 100) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isListening else { throw LoadFailure(.broken, "the fake peer cannot listen") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            var work = FakePeerWork(listener: listener, fault: fault)
            while !self.isStopped.load(ordering: .relaxed) { work.turn() }
            work.close()
        }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
    }
}

/// What the peer's thread has.
private struct FakePeerWork {
    private struct Client {
        var bytes: [UInt8] = []
        var isSubscriber = false
    }

    let listener: CInt
    let fault: FakePeer.Fault
    private var clients: [CInt: Client] = [:]
    private var count = 0
    private var held: String?

    init(listener: CInt, fault: FakePeer.Fault) {
        self.listener = listener
        self.fault = fault
    }

    mutating func turn() {
        var asked = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        asked += clients.keys.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&asked, nfds_t(asked.count), 20) > 0 else { return }
        for socket in asked where socket.revents != 0 {
            if socket.fd == listener {
                clients[accept(listener, nil, nil)] = Client()
            } else {
                read(socket.fd)
            }
        }
    }

    func close() {
        for socket in clients.keys { Glibc.close(socket) }
        Glibc.close(listener)
    }

    private mutating func read(_ socket: CInt) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else {
            clients[socket] = nil
            Glibc.close(socket)
            return
        }
        clients[socket]?.bytes += chunk[..<count]
        while let bytes = clients[socket]?.bytes, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            clients[socket]?.bytes.removeSubrange(...end)
            take(String(decoding: bytes[..<end], as: UTF8.self), from: socket)
        }
    }

    private mutating func take(_ line: String, from socket: CInt) {
        guard line.hasPrefix("PUB ") else {
            clients[socket]?.isSubscriber = line == "SUB"
            return send("OK\n", to: socket)
        }
        count += 1
        if case .pauses(let microseconds) = fault, count == 10 { usleep(microseconds) }
        send("ACK\n", to: socket)
        let message = "MSG " + line.dropFirst(4) + "\n"
        guard count.isMultiple(of: 10) else {
            publish(message + (held ?? ""))
            held = nil
            return
        }
        switch fault {
        case .none, .pauses: publish(message)
        case .loses: break
        case .losesAndTells: publish("GAP 1\n")
        case .doubles: publish(message + message)
        case .swaps: held = message
        }
    }

    private func publish(_ text: String) {
        for (socket, client) in clients where client.isSubscriber { send(text, to: socket) }
    }

    private func send(_ text: String, to socket: CInt) {
        var text = text
        text.withUTF8 { _ = Glibc.send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    }
}

/// The fake peer's protocol, as the generator speaks it.
struct FakeProtocol: LoadProtocol {
    let name = "fake"
    let acknowledgesPublishes = true
    let announcesDrops = true

    func publishTemplate(topic: String, payloadBytes: Int) -> PublishTemplate {
        PublishTemplate(
            bytes: Array("PUB ".utf8) + PublishTemplate.payload(bytes: payloadBytes) + Array("\n".utf8),
            mark: 4
        )
    }

    func makeParser() -> any LoadParser { Parser() }

    private struct Parser: LoadParser {
        private var finder = MarkFinder()

        mutating func begin(_ connection: inout LoadConnection, output: inout [UInt8]) {
            output += Array("\(connection.role == .subscriber ? "SUB" : "PUB")\n".utf8)
        }

        mutating func parse(
            _ input: UnsafeRawBufferPointer,
            connection: inout LoadConnection,
            events: inout LoadEvents,
            output: inout [UInt8]
        ) -> Int {
            var done = 0
            while let end = input[done...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = UnsafeRawBufferPointer(rebasing: input[done..<end])
                switch line.first {
                case UInt8(ascii: "O"): events.ready()
                case UInt8(ascii: "A"): events.ack()
                case UInt8(ascii: "G"): events.dropped(1)
                default: if let mark = finder.find(in: line) { events.delivery(mark) }
                }
                done = end + 1
            }
            return done
        }
    }
}
