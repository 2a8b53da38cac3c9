import ApusProtocol
import ApusTLS
import Foundation
import Testing

@testable import ApusServer

/// What a server makes of its settings for TLS, and what it says about files that it cannot use.
@Suite struct CertificateSettingsTests {
    private func settings(_ files: TLSFiles) -> ServerConfiguration.TLS {
        var settings = ServerConfiguration.TLS()
        (settings.certificate, settings.key) = (files.certificate, files.key)
        return settings
    }

    private func fault(_ settings: ServerConfiguration.TLS) -> ConfigurationError? {
        do throws(ConfigurationError) {
            _ = try settings.load()
            return nil
        } catch {
            return error
        }
    }

    @Test func `without settings there is no TLS`() throws {
        #expect(try ServerConfiguration.TLS().load() == nil)
    }

    @Test func `a certificate is valid until it ends, and of several the first counts`() throws {
        let folder = try TestCertificates()
        var settings = settings(try folder.make("a", days: 90))
        let now = ServerClock.now.wall
        func days(_ settings: ServerConfiguration.TLS) throws -> Int64 {
            ((try #require(try settings.load()).context.expires - now) + 43_200_000) / 86_400_000
        }
        #expect(try days(settings) == 90)
        settings.more = [try folder.make("b", for: "b.example", days: 30)]
        #expect(try days(settings) == 30)
        #expect(settings.files == ["a.pem", "a.key", "b.pem", "b.key"].map(folder.path))
    }

    @Test(arguments: [
        ("tls.certificate", "tls: {certificate: a.pem}", "cannot be used without tls.key"),
        ("tls.key", "tls: {key: a.key}", "cannot be used without tls.certificate"),
        ("tls.more", "tls: {more: [{certificate: a.pem, key: a.key}]}", "cannot be used without tls.certificate"),
        ("tls.client_ca", "tls: {client_ca: ca.pem}", "cannot be used without tls.certificate"),
        ("tls.ticket_keys", "tls: {ticket_keys: t}", "cannot be used without tls.certificate"),
    ])
    func `what needs another setting is refused without it`(setting: String, file: String, reason: String) throws {
        let error = try #require(fault(load(file).configuration.tls))
        #expect(error.code == .conflict && error.setting == setting && error.reason == reason)
    }

    @Test func `a file that cannot be used is named with its setting`() throws {
        let folder = try TestCertificates()
        let (a, b, c) = (try folder.make("a"), try folder.make("b"), try folder.make("c"))
        try folder.write("nothing", to: "text")
        let (missing, text) = (folder.path("missing"), folder.path("text"))
        func expect(_ setting: String, _ file: String, _ change: (inout ServerConfiguration.TLS) -> Void) {
            var settings = settings(a)
            change(&settings)
            let error = fault(settings)
            #expect(error?.code == .unusableFile && error?.setting == setting, "\(error as Any)")
            #expect(error?.value == file, "\(error as Any)")
        }
        expect("tls.certificate", missing) { $0.certificate = missing }
        expect("tls.certificate", text) { $0.certificate = text }
        expect("tls.key", missing) { $0.key = missing }
        expect("tls.key", text) { $0.key = text }
        expect("tls.key", b.key) { $0.key = b.key }
        expect("tls.more", missing) { $0.more = [TLSFiles(certificate: b.certificate, key: missing)] }
        expect("tls.more", c.key) { $0.more = [TLSFiles(certificate: b.certificate, key: c.key)] }
        expect("tls.client_ca", text) { $0.clientCA = text }
        expect("tls.ticket_keys", text) { $0.ticketKeys = text }
    }

    @Test func `a reload turns TLS neither on nor off`() throws {
        let folder = try TestCertificates()
        let settings = settings(try folder.make("a"))
        let running = TLSInForce(try #require(try settings.load()))
        #expect(try settings.load(afterReloadFrom: running) != nil)
        #expect(try ServerConfiguration.TLS().load(afterReloadFrom: nil) == nil)
        for (next, before) in [(settings, nil), (ServerConfiguration.TLS(), running)] {
            let error = #expect(throws: ConfigurationError.self) { try next.load(afterReloadFrom: before) }
            #expect(error?.reason.hasSuffix("which only a restart does") == true)
        }
    }
}
