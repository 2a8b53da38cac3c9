import ApusSockets
import ApusTLS
import Glibc
import Testing

@testable import ApusServer

@Suite("A transport through TLS")
struct TLSTransportTests {
    /// A transport on a socket whose buffers are as small as they get.
    private final class Rig {
        let client: TLSClient
        let transport: Transport
        private let peer: Socket
        private(set) var received: [UInt8] = []
        private let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 1)

        init(_ context: TLSContext) throws {
            let (server, peer) = try Socket.pair()
            self.peer = peer
            var least: CInt = 1
            setsockopt(server.descriptor, SOL_SOCKET, SO_SNDBUF, &least, socklen_t(MemoryLayout<CInt>.size))
            client = try TLSClient()
            transport = Transport(server, tls: TLSTransport(try #require(TLSSession(context)), TLSBuffers()))
        }

        deinit {
            transport.socket.close()
            peer.close()
            space.deallocate()
        }

        /// Moves what the client has to say, and what waits for it, until there is nothing.
        func exchange() throws {
            while true {
                let output = try client.takeOutput()
                output.withUnsafeBytes { #expect(peer.send($0) == .bytes(output.count)) }
                if case .bytes(let count) = transport.receive(into: space) { received += space[..<count] }
                guard readPeer(limit: .max) > 0 || transport.hasUnsent else { return }
                _ = transport.send(UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }

        /// The client's socket is read, up to a number of bytes.
        @discardableResult
        func readPeer(limit: Int) -> Int {
            let part = UnsafeMutableRawBufferPointer(rebasing: space[..<min(limit, space.count)])
            guard case .bytes(let count) = peer.receive(into: part) else { return 0 }
            client.receive(part[..<count])
            return count
        }

        func hangUp() { peer.close() }
    }

    private let certificates: TestCertificates
    private let context: TLSContext

    init() throws {
        certificates = try TestCertificates()
        context = try TLSContext(certificates: [certificates.make("server")])
    }

    @Test(arguments: [1, 999, 20_000])
    func `keeps the order, and loses nothing, when the socket is full`(_ portion: Int) throws {
        let rig = try Rig(context)
        try rig.exchange()
        let text = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        var (sent, turns) = (0, 0)
        while sent < text.count || rig.transport.hasUnsent {
            let end = min(sent + 150_000, text.count)
            switch text[sent..<end].withUnsafeBytes({ rig.transport.send($0) }) {
            case .bytes(let count): sent += count
            case .wouldBlock: turns += 1
            case .failed: Issue.record("the socket is broken")
            }
            #expect(rig.transport.hasUnsent || sent == end)
            rig.readPeer(limit: portion)
            if rig.transport.hasUnsent, portion == 1 { rig.readPeer(limit: 5000) }
        }
        while rig.readPeer(limit: .max) > 0 {}
        #expect(rig.client.received.elementsEqual(text))
        #expect(turns > 0)
    }

    @Test func `slices go over in their order, and what a full socket does not take is not counted`() throws {
        let rig = try Rig(context)
        try rig.exchange()
        var text = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let size = text.count
        var (sent, cuts) = (0, 0)
        while sent < size || rig.transport.hasUnsent {
            let result = text.withUnsafeMutableBytes { bytes in
                var slices = stride(from: sent, to: size, by: 30_000)
                    .map { bytes[$0..<min($0 + 30_000, size)] }
                    .map { iovec(iov_base: UnsafeMutableRawBufferPointer(rebasing: $0).baseAddress, iov_len: $0.count) }
                slices.insert(iovec(), at: 0)
                return slices.withUnsafeMutableBufferPointer { rig.transport.send($0) }
            }
            switch result {
            case .bytes(let count): sent += count
            case .wouldBlock: break
            case .failed: Issue.record("the socket is broken")
            }
            if sent < size { cuts += 1 }
            #expect(rig.transport.hasUnsent || sent == size)
            rig.readPeer(limit: 9000)
        }
        while rig.readPeer(limit: .max) > 0 {}
        #expect(rig.client.received.elementsEqual(text))
        #expect(cuts > 3)
    }

    @Test func `takes at most four records for a full socket, then one at a time`() throws {
        let rig = try Rig(context)
        try rig.exchange()
        let text = [UInt8](repeating: 1, count: 300_000)
        let first = text.withUnsafeBytes { rig.transport.send($0) }
        #expect(first == .bytes(4 * TLSSession.recordSize))
        #expect(text.withUnsafeBytes { rig.transport.send($0) } == .wouldBlock)
    }

    @Test func `ends with the client, after what it sent`() throws {
        let rig = try Rig(context)
        try rig.exchange()
        rig.client.send([1, 2, 3])
        rig.client.close()
        try rig.exchange()
        #expect(rig.received == [1, 2, 3])
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: TLSTransport.minSpace, alignment: 1)
        defer { space.deallocate() }
        #expect(rig.transport.receive(into: space) == .bytes(0))
    }

    @Test func `ends when the socket does`() throws {
        let rig = try Rig(context)
        try rig.exchange()
        rig.hangUp()
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: TLSTransport.minSpace, alignment: 1)
        defer { space.deallocate() }
        #expect(rig.transport.receive(into: space) == .bytes(0))
        #expect([UInt8(1)].withUnsafeBytes { rig.transport.send($0) } == .failed)
    }

    @Test func `says that nothing more comes before it closes its side`() throws {
        let rig = try Rig(context)
        try rig.exchange()
        rig.transport.finishSending()
        rig.readPeer(limit: .max)
        #expect(rig.client.hasEnded)
    }
}
