import ApusTLS
import NIOSSL
import Testing

@testable import ApusServer

@Suite("A TLS session")
struct TLSSessionTests {
    /// A session and its client, with nothing between them.
    private final class Pair {
        let session: TLSSession
        let client: TLSClient
        private(set) var opened: [UInt8] = []
        private(set) var last = TLSSession.Opened.bytes(0)

        init(_ context: TLSContext, _ client: TLSClient) throws {
            session = try #require(TLSSession(context))
            self.client = client
        }

        /// Passes on what each has for the other until neither has anything.
        ///
        /// - Parameter piece: how many bytes the session gets at a time.
        func exchange(piece: Int = .max, space: Int = 64 * 1024) throws {
            while true {
                let output = try client.takeOutput()
                guard !output.isEmpty else { return }
                var rest = output[...]
                while !rest.isEmpty {
                    receive(rest.prefix(piece), space: space)
                    rest = rest.dropFirst(piece)
                }
            }
        }

        func receive(_ bytes: some Sequence<UInt8>, space: Int = 64 * 1024) {
            var output = SealedOutput(capacity: 16)
            Array(bytes).withUnsafeBytes { bytes in
                var sealed = bytes
                repeat {
                    var plain = [UInt8](repeating: 0, count: space)
                    last = plain.withUnsafeMutableBytes { session.open(&sealed, into: $0, output: &output) }
                    if case .bytes(let count) = last { opened += plain[..<count] }
                    if case .unfinished(let count) = last { opened += plain[..<count] }
                    if case .ended(let count) = last { opened += plain[..<count] }
                } while last == .unfinished(space)
            }
            client.receive(Array(output.bytes))
        }

        func seal(_ bytes: [UInt8]) throws {
            var output = SealedOutput(capacity: 16)
            try bytes.withUnsafeBytes { bytes in
                var rest = bytes
                while rest.count > 0 {
                    let count = try #require(session.seal(rest, output: &output))
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                }
            }
            client.receive(Array(output.bytes))
        }

        func close() {
            var output = SealedOutput(capacity: 16)
            session.close(output: &output)
            client.receive(Array(output.bytes))
        }
    }

    private let certificates: TestCertificates
    private let context: TLSContext

    init() throws {
        certificates = try TestCertificates()
        context = try TLSContext(certificates: [certificates.make("server")])
    }

    private static let text = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    @Test(arguments: [TLSVersion.tlsv12, .tlsv13], [1, 7, 1000, Int.max])
    func `passes everything on, whatever pieces it comes in`(_ version: TLSVersion, _ piece: Int) throws {
        let pair = try Pair(context, TLSClient(version: version))
        try pair.exchange(piece: piece)
        #expect(pair.session.isEstablished)
        pair.client.send(Self.text)
        try pair.exchange(piece: piece)
        #expect(pair.opened.elementsEqual(Self.text))
        try pair.seal(Self.text)
        #expect(pair.client.received.elementsEqual(Self.text))
        #expect(pair.client.error == nil)
    }

    @Test func `keeps what there is no room for until it is asked again`() throws {
        let pair = try Pair(context, TLSClient())
        try pair.exchange(space: 100)
        pair.client.send(Self.text)
        try pair.exchange(space: 100)
        #expect(pair.opened.elementsEqual(Self.text))
    }

    @Test func `says that the client sends no more, after what it has sent`() throws {
        let pair = try Pair(context, TLSClient())
        try pair.exchange()
        pair.client.send([1, 2, 3])
        pair.client.close()
        let output = try pair.client.takeOutput()
        pair.receive(output)
        #expect(pair.opened == [1, 2, 3])
        #expect(pair.last == .ended(3))
    }

    @Test func `tells the client that nothing more comes`() throws {
        let pair = try Pair(context, TLSClient())
        try pair.exchange()
        try pair.seal([1])
        pair.close()
        #expect(pair.client.received == [1])
        #expect(pair.client.hasEnded)
    }

    @Test func `fails with what is no TLS, and with what was changed on the way`() throws {
        let garbage = try Pair(context, TLSClient())
        garbage.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        #expect(garbage.last == .failed)
        #expect(garbage.session.failure != nil)

        let changed = try Pair(context, TLSClient())
        try changed.exchange()
        changed.client.send([1, 2, 3])
        var output = try changed.client.takeOutput()
        output[output.count - 1] ^= 1
        changed.receive(output)
        #expect(changed.last == .failed)
        #expect(changed.opened.isEmpty)
        var sealed = SealedOutput(capacity: 16)
        #expect([UInt8(1)].withUnsafeBytes { changed.session.seal($0, output: &sealed) } == nil)
    }

    @Test func `gives what was valid before it fails`() throws {
        let pair = try Pair(context, TLSClient())
        try pair.exchange()
        pair.client.send([1, 2, 3])
        pair.receive(try pair.client.takeOutput() + Array("no TLS".utf8))
        #expect(pair.last == .ended(3))
        #expect(pair.opened == [1, 2, 3])
        pair.receive([0])
        #expect(pair.last == .failed)
    }

    @Test func `goes on in another thread`() async throws {
        let (context, client) = (context, try TLSClient())
        let pair = try Pair(context, client)
        try pair.exchange()
        let detached = pair.session.detach()
        var output = SealedOutput(capacity: 16)
        #expect([UInt8(1)].withUnsafeBytes { pair.session.seal($0, output: &output) } == nil)
        let sealed = await Task.detached { () -> [UInt8] in
            guard let session = TLSSession(detached) else { return [] }
            var output = SealedOutput(capacity: 16)
            _ = [UInt8(7)].withUnsafeBytes { session.seal($0, output: &output) }
            return Array(output.bytes)
        }.value
        client.receive(sealed)
        #expect(client.received == [7])
        #expect(TLSSession(detached) == nil)
    }

    @Test(arguments: [["http/1.1"], ["h2", "http/1.1"], []])
    func `agrees to HTTP 1 dot 1, or to no protocol at all`(_ protocols: [String]) throws {
        let pair = try Pair(context, TLSClient(protocols: protocols))
        try pair.exchange()
        #expect(pair.session.isEstablished)
    }

    @Test func `fails with a client that speaks only other protocols`() throws {
        let pair = try Pair(context, TLSClient(protocols: ["h2"]))
        try pair.exchange()
        #expect(pair.last == .failed)
        #expect(pair.client.error != nil)
    }

    @Test func `fails with a client that speaks only older versions`() throws {
        let pair = try Pair(context, TLSClient(version: .tlsv11))
        try pair.exchange()
        #expect(pair.last == .failed)
    }
}
