import ApusTLS
import Testing

@testable import ApusServer

@Suite("A TLS client's context")
struct TLSClientContextTests {
    private let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
    }

    /// A client and a server, with nothing between them.
    private struct Pair {
        let client: TLSSession
        let server: TLSSession
        private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

        init(_ client: TLSClientContext, _ server: TLSContext) throws {
            self.client = try #require(TLSSession(client))
            self.server = try #require(TLSSession(server))
        }

        /// Passes on what each has for the other until neither has anything, or one has failed.
        ///
        /// - Returns: what was opened last.
        func exchange() -> [UInt8] {
            defer { room.deallocate() }
            var onTheWay: [UInt8] = []
            var opened: [UInt8] = []
            for turn in 0..<20 {
                let session = turn.isMultiple(of: 2) ? client : server
                var output = SealedOutput(capacity: 1024)
                onTheWay.withUnsafeBytes { bytes in
                    var sealed = bytes
                    if case .bytes(let count) = session.open(&sealed, into: room, output: &output), count > 0 {
                        opened = Array(room[..<count])
                    }
                }
                if turn == 2, session.isEstablished {
                    withUnsafeBytes(of: 0x0102_0304) { _ = session.seal($0, output: &output) }
                }
                onTheWay = Array(output.bytes)
            }
            return opened
        }
    }

    @Test(arguments: ["localhost", "127.0.0.1"])
    func `trusts who an authority vouches for, by name or address`(_ host: String) throws {
        let files = try certificates.make("server", for: host)
        let client = try TLSClientContext(host: host, authorities: files.certificate)
        let pair = try Pair(client, TLSContext(certificates: [files]))
        let opened = pair.exchange()
        #expect(pair.client.isEstablished && pair.server.isEstablished)
        #expect(opened == withUnsafeBytes(of: 0x0102_0304) { Array($0) })
    }

    @Test(arguments: [("localhost", "other.example"), ("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "localhost")])
    func `does not trust a certificate for another host`(_ certified: String, _ asked: String) throws {
        let files = try certificates.make("server", for: certified)
        let client = try TLSClientContext(host: asked, authorities: files.certificate)
        let pair = try Pair(client, TLSContext(certificates: [files]))
        _ = pair.exchange()
        #expect(pair.client.failure == "certificate verify failed")
        #expect(!pair.server.isEstablished)
    }

    @Test(arguments: [true, false])
    func `does not trust a certificate of nobody it knows`(_ hasOtherAuthority: Bool) throws {
        let other = try certificates.make("other").certificate
        let client = try TLSClientContext(host: "localhost", authorities: hasOtherAuthority ? other : nil)
        let pair = try Pair(client, TLSContext(certificates: [certificates.make("server")]))
        _ = pair.exchange()
        #expect(pair.client.failure == "certificate verify failed")
    }

    @Test func `shows its certificate to a server that asks for one`() throws {
        let (server, own) = (try certificates.make("server"), try certificates.make("own", for: "me"))
        let client = try TLSClientContext(host: "localhost", authorities: server.certificate, certificate: own)
        let pair = try Pair(client, TLSContext(certificates: [server], clientCA: own.certificate))
        _ = pair.exchange()
        #expect(pair.server.isEstablished)
        #expect(pair.server.peerCommonName == "me")
    }

    @Test func `names the file that it cannot use`() throws {
        try certificates.write("garbage", to: "garbage.pem")
        let garbage = certificates.path("garbage.pem")
        for file in [garbage, certificates.path("none.pem")] {
            let authorities = #expect(throws: TLSError.self) { try TLSClientContext(host: "a", authorities: file) }
            #expect(authorities?.file == file)
            let files = TLSFiles(certificate: file, key: file)
            let own = #expect(throws: TLSError.self) { try TLSClientContext(host: "a", certificate: files) }
            #expect(own?.file == file)
        }
    }
}
