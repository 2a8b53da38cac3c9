#if NATS
import Foundation
import NIOCore
import Testing

@testable import ApusNATS

/// Servers that demand TLS, with certificates made for the test.
@Suite struct TLSTests {
    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    /// A certificate that vouches for itself, and its key.
    private func certificate(_ names: String) throws -> (certificate: String, key: String) {
        let base = FileManager.default.temporaryDirectory.appending(path: "apus-nats-\(UUID().uuidString)").path
        try openssl(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=apus-nats",
            "-addext",
            "subjectAltName=\(names)",
            "-keyout",
            "\(base).key",
            "-out",
            "\(base).pem"
        )
        return ("\(base).pem", "\(base).key")
    }

    private func withTLS(_ names: String, _ body: (NATSServers, String) async throws -> Void) async throws {
        let (certificate, key) = try certificate(names)
        defer { for file in [certificate, key] { try? FileManager.default.removeItem(atPath: file) } }
        try await withServers(more: "tls { cert_file: \"\(certificate)\", key_file: \"\(key)\" }") { servers in
            try await body(servers, certificate)
        }
    }

    private func connect(_ url: String, _ authorities: String?) async throws {
        var settings = NATSSettings(urls: [url])
        settings.authorities = authorities
        settings.replicas = 1
        settings.syncing = .vouched
        try await withConnection(settings) { try await StartupCheck($0).run() }
    }

    @Test func aTrustedServerIsUsed() async throws {
        try await withTLS("IP:127.0.0.1,DNS:localhost") { servers, certificate in
            try await connect(servers.urls[0], certificate)
            try await connect("tls://localhost:\(servers.nodes[0].port)", certificate)
        }
    }

    @Test func aServerThatNobodyVouchesForIsRefused() async throws {
        let (other, key) = try certificate("IP:127.0.0.1")
        defer { for file in [other, key] { try? FileManager.default.removeItem(atPath: file) } }
        try await withTLS("IP:127.0.0.1") { servers, _ in
            let failure = try await failure { try await connect(servers.urls[0], other) }
            #expect(failure.reason == .untrusted)
            #expect(failure.description.contains("--nats-ca"))
        }
    }

    @Test func aCertificateOfAnotherHostIsRefused() async throws {
        try await withTLS("DNS:elsewhere.example") { servers, certificate in
            let byAddress = try await failure { try await connect(servers.urls[0], certificate) }
            #expect(byAddress.reason == .untrusted)
            let byName = try await failure {
                try await connect("tls://localhost:\(servers.nodes[0].port)", certificate)
            }
            #expect(byName.reason == .untrusted)
        }
    }

    @Test func aServerThatDemandsTLSGetsIt() async throws {
        try await withTLS("IP:127.0.0.1") { servers, _ in
            let failure = try await failure { try await connect(servers.urls[0], nil) }
            #expect(failure.reason == .untrusted)
        }
    }

    @Test func aServerWithoutTLSIsRefusedWhereItWasDemanded() async throws {
        try await withServers { servers in
            let failure = try await failure { try await connect("tls://127.0.0.1:\(servers.nodes[0].port)", nil) }
            #expect(failure.reason == .withoutTLS)
            #expect(failure.description.contains("nats://"))
        }
    }
}
#endif
