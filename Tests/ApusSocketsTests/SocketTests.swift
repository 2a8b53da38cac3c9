import ApusSockets
import Glibc
import Testing

@Suite struct SocketTests {
    @Test func `bytes go over, and none at the end`() throws {
        let wire = try Wire()
        #expect(wire.near.receiveText() == nil)
        #expect(wire.far.send("hello") == .bytes(5))
        #expect(wire.near.receiveText() == "hello")
        wire.hangUp()
        #expect(wire.near.receiveText() == "")
    }

    @Test func `a look at bytes leaves them where they are`() throws {
        let wire = try Wire()
        #expect(wire.near.peekText() == nil)
        wire.far.send("hello")
        #expect(wire.near.peekText() == "hello")
        wire.far.send(" again")
        #expect(wire.near.peekText() == "hello again")
        #expect(wire.near.receiveText() == "hello again")
        #expect(wire.near.peekText() == nil)
        wire.hangUp()
        #expect(wire.near.peekText() == "")
    }

    @Test func `who has finished sending still receives`() throws {
        let wire = try Wire()
        wire.near.send("last")
        wire.near.finishSending()
        #expect(wire.far.receiveText() == "last")
        #expect(wire.far.receiveText() == "")
        wire.far.send("answer")
        #expect(wire.near.receiveText() == "answer")
        #expect(wire.near.send("more") == .failed)
    }

    @Test func `to send to one that is gone fails, and kills nobody`() throws {
        let wire = try Wire()
        wire.hangUp()
        #expect(wire.near.send("x") == .failed)
    }

    @Test func `a socket that is full takes nothing, and says so`() throws {
        let wire = try Wire()
        let bytes = [UInt8](repeating: 1, count: 1 << 16)
        var taken = 0
        while case .bytes(let count) = bytes.withUnsafeBytes({ wire.near.send($0) }) { taken += count }
        #expect(bytes.withUnsafeBytes { wire.near.send($0) } == .wouldBlock)
        #expect(taken > 0)
    }

    @Test func `slices go over in one call and in their order, an empty one among them`() throws {
        let wire = try Wire()
        #expect(wire.near.send(slices: ["one ", "", "two ", "three"]) == .bytes(13))
        #expect(wire.far.receiveText() == "one two three")
    }

    @Test func `of slices, a socket takes what it has room for, and the count goes across them`() throws {
        let wire = try Wire()
        var least: CInt = 1
        setsockopt(wire.near.descriptor, SOL_SOCKET, SO_SNDBUF, &least, socklen_t(MemoryLayout<CInt>.size))
        let large = String(repeating: "x", count: 1 << 20)
        guard case .bytes(let count) = wire.near.send(slices: ["abc", large, large]) else {
            Issue.record("an empty socket took nothing")
            return
        }
        #expect((4..<1 << 20).contains(count))
        #expect(wire.near.send(slices: ["abc", "def"]) == .wouldBlock)
        wire.hangUp()
        #expect(wire.near.send(slices: ["abc", "def"]) == .failed)
    }

    @Test func `a duplicate stays open when the first is closed`() throws {
        let (near, far) = try Socket.pair()
        defer { far.close() }
        let copy = try near.duplicated()
        defer { copy.close() }
        #expect(copy != near)
        #expect(copy.isClosedByExec)
        near.close()
        far.send("still there")
        #expect(copy.receiveText() == "still there")
        #expect(copy.send("yes") == .bytes(3))
        #expect(far.receiveText() == "yes")
    }

    @Test func `what is closed cannot be duplicated`() {
        // A number beyond any limit: one that was just closed could be another test's by now.
        let error = #expect(throws: SocketError.self) { try Socket(descriptor: .max).duplicated() }
        #expect(error?.code == EBADF)
    }

    @Test func `what has no TCP address is said to be of its kind`() throws {
        let wire = try Wire()
        #expect(wire.near.peerAddress.description == "unix")
        #expect(wire.near.localAddress.description == "unix")
        wire.near.disableDelay()
        #expect(wire.near.isOpen)
    }
}

/// Listeners, and what they accept.
@Suite struct ListeningTests {
    private static let hasIPv6: Bool = {
        guard let listener = try? Socket.listening(on: "::1", port: 0) else { return false }
        listener.close()
        return true
    }()

    @Test func `a host that nobody knows is no address to listen on`() {
        let error = #expect(throws: SocketError.self) { try Socket.listening(on: "no such host", port: 0) }
        #expect(error?.call == "getaddrinfo")
        #expect(error?.description.hasPrefix("getaddrinfo: ") == true)
    }

    @Test func `an IPv6 address that stands for all leaves IPv4 to another socket when it is asked to`() throws {
        guard Self.hasIPv6 else { return }
        // Somebody else may have the port of the one family only.
        let isLeft = try (0..<20).contains { _ in
            let six = try Socket.listening(on: "::", port: 0, isIPv6Only: true)
            defer { six.close() }
            let four = try? Socket.listening(on: "0.0.0.0", port: Int(six.localAddress.port))
            four?.close()
            return four != nil
        }
        #expect(isLeft)
        // An address of the other family has nothing to leave.
        try Socket.listening(on: "127.0.0.1", port: 0, isIPv6Only: true).close()
    }

    @Test(arguments: [-1, 65_536, .max, .min])
    func `a port that cannot be is refused`(port: Int) throws {
        #expect(throws: SocketError.self) {
            try Socket.listening(on: "127.0.0.1", port: port).close()
        }
    }

    @Test func `an address that others have is refused`() {
        // TEST-NET-3 of RFC 5737 is no machine's.
        let error = #expect(throws: SocketError.self) { try Socket.listening(on: "203.0.113.9", port: 0) }
        #expect(error?.code == EADDRNOTAVAIL)
        #expect(error?.call == "bind")
    }

    @Test func `a port is listened on once`() throws {
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        defer { listener.close() }
        let error = #expect(throws: SocketError.self) {
            try Socket.listening(on: "127.0.0.1", port: Int(listener.localAddress.port))
        }
        #expect(error?.code == EADDRINUSE)
    }

    @Test func `a port may be listened on again though connections of before are dying`() throws {
        let first = try Socket.listening(on: "127.0.0.1", port: 0)
        let port = Int(first.localAddress.port)
        let client = try Socket.connected(to: first.localAddress)
        let accepted = try first.acceptNext()
        // Whoever closes first is left with the address for a minute.
        accepted.socket.close()
        client.close()
        first.close()
        try Socket.listening(on: "127.0.0.1", port: port).close()
    }

    @Test func `nobody is accepted while nobody comes`() throws {
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        defer { listener.close() }
        #expect(try listener.accept() == nil)
    }

    @Test(arguments: ["127.0.0.1", "::1"])
    func `what is accepted comes with its client's address`(host: String) throws {
        guard host == "127.0.0.1" || Self.hasIPv6 else { return }
        let listener = try Socket.listening(on: host, port: 0)
        defer { listener.close() }
        #expect(listener.localAddress.ipAddress == host)
        #expect(listener.localAddress.port != 0)
        let client = try Socket.connected(to: listener.localAddress)
        defer { client.close() }
        let (socket, peer) = try listener.acceptNext()
        defer { socket.close() }
        #expect(peer.ipAddress == host)
        #expect(peer.description == client.localAddress.description)
        #expect(socket.peerAddress.description == peer.description)
        #expect(socket.localAddress.description == listener.localAddress.description)
        #expect(try listener.accept() == nil)
    }

    @Test func `nothing that is opened blocks, or is left to another program`() throws {
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        let client = try Socket.connected(to: listener.localAddress)
        let accepted = try listener.acceptNext()
        let wire = try Wire()
        for socket in [listener, accepted.socket, wire.near, wire.far] {
            #expect(!socket.isBlocking && socket.isClosedByExec)
        }
        for socket in [listener, client, accepted.socket] { socket.close() }
    }

    @Test func `a client that gave up while it waited leaves a socket that is over`() throws {
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        defer { listener.close() }
        let client = try Socket.connected(to: listener.localAddress)
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        client.close()
        let accepted = try listener.acceptNext()
        defer { accepted.socket.close() }
        #expect(accepted.socket.receiveText() == nil)
        #expect(accepted.socket.send("x") == .failed)
        // Who it was is known though it is gone.
        #expect(accepted.peer.ipAddress == "127.0.0.1")
    }
}
