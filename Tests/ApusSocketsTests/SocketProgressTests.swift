import ApusSockets
import Glibc
import Testing

/// What the kernel tells of a peer that takes nothing, and then something.
@Suite struct SocketProgressTests {
    @Test func `what waits, and what the peer has taken, is seen`() throws {
        let listener = try Socket.listening(on: "127.0.0.1", port: 0)
        defer { listener.close() }
        let peer = try Socket.connected(to: listener.localAddress)
        defer { peer.close() }
        let (socket, _) = try listener.acceptNext()
        defer { socket.close() }
        let bytes = [UInt8](repeating: 1, count: 1 << 16)
        var given = 0
        while case .bytes(let count) = bytes.withUnsafeBytes({ socket.send($0) }) { given += count }
        let full = try #require(settled(socket))
        #expect(full.waiting > 0 && full.acknowledged > 0 && Int(full.acknowledged) + Int(full.waiting) == given)
        var taken = 0
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { space in
            while taken < given, case .bytes(let count) = peer.receiveWaiting(into: space), count > 0 { taken += count }
        }
        #expect(taken == given)
        let empty = try #require(settled(socket))
        #expect(empty.waiting == 0 && Int(empty.acknowledged) == given && empty.window > full.window)
    }

    @Test func `other sockets than TCP's tell nothing`() throws {
        let wire = try Wire()
        // Without this, the sockets could be closed, and their numbers used by other tests, before they are looked at.
        withExtendedLifetime(wire) { #expect(wire.near.progress == nil) }
    }

    /// What is told when the peer's kernel has answered all that it will: twice the same.
    private func settled(_ socket: Socket) -> SocketProgress? {
        var last: SocketProgress?
        for _ in 0..<1000 {
            let progress = socket.progress
            if progress == last { return progress }
            last = progress
            usleep(50_000)
        }
        return last
    }
}

extension Socket {
    /// Waits for bytes.
    fileprivate func receiveWaiting(into space: UnsafeMutableRawBufferPointer) -> Transfer {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&request, 1, 10_000) == 1 else { return .wouldBlock }
        return receive(into: space)
    }
}
