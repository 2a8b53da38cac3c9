import ApusProtocol
import ApusTLS
import Foundation
import Logging
import Testing

@testable import ApusServer

/// Certificates whose files change while the server runs. Each look stands for a second.
@Suite struct CertificateWatchTests {
    /// A watch over `a.pem` and `a.key`, and what it has logged.
    private final class Place {
        let folder: TestCertificates
        let tls: TLSInForce
        let log: LogLines
        private var watch: CertificateWatch
        private var now = Moment(wall: ServerClock.now.wall, steady: 0)

        init(days: Int = 90, _ settings: (TestCertificates) throws -> ServerConfiguration.TLS) throws {
            folder = try TestCertificates()
            tls = TLSInForce(try #require(try settings(folder).load()))
            let log = LogLines()
            self.log = log
            watch = CertificateWatch(tls, logger: Logger(label: "test") { _ in log.handler })
        }

        convenience init(days: Int = 90) throws {
            try self.init { folder in try Self.settings(folder.make("a", days: days)) }
        }

        static func settings(_ files: TLSFiles) -> ServerConfiguration.TLS {
            var settings = ServerConfiguration.TLS()
            (settings.certificate, settings.key) = (files.certificate, files.key)
            return settings
        }

        func look(times: Int = 1, after milliseconds: Int64 = 1000) {
            for _ in 0..<times {
                now = Moment(wall: now.wall + milliseconds, steady: now.steady + milliseconds)
                watch.look(now: now)
            }
        }
    }

    @Test func `what is in force is logged with its end`() throws {
        let place = try Place()
        let line = try #require(place.log.take().first)
        let file = place.folder.path("a.pem")
        #expect(line.hasPrefix("notice certificates in force certificates=\(file) valid_until=20"))
        place.look(times: 5)
        #expect(place.log.take().isEmpty)
    }

    @Test func `new files come into force when both are there, and the old certificate stays until then`() throws {
        let place = try Place()
        _ = place.log.take()
        let old = place.tls.current
        try place.folder.make("b", days: 200)
        try place.folder.replace("a.pem", with: "b.pem")
        place.look()
        try place.folder.replace("a.key", with: "b.key")
        place.look()
        #expect(place.tls.current === old && place.log.take().isEmpty)
        place.look()
        #expect(place.tls.current.expires > old.expires)
        #expect(place.log.take().map { $0.hasPrefix("notice certificates reloaded certificates=") } == [true])
        place.look(times: 5)
        #expect(place.log.take().isEmpty)
    }

    @Test func `a bad file keeps the old certificate and is logged once, each time it changes`() throws {
        let place = try Place()
        _ = place.log.take()
        let old = place.tls.current
        for text in ["one", "another one"] {
            try place.folder.write(text, to: "a.pem")
            place.look(times: 6)
            let lines = place.log.take()
            #expect(lines.count == 1)
            #expect(lines.first?.hasPrefix("error certificates not reloaded, the old ones stay reason=") == true)
            #expect(lines.first?.contains(place.folder.path("a.pem")) == true)
        }
        try FileManager.default.removeItem(atPath: place.folder.path("a.pem"))
        place.look(times: 3)
        #expect(place.log.take().count == 1)
        #expect(place.tls.current === old)
        let failures = place.tls.families.first { $0.name == "apus_tls_certificate_failures_total" }
        #expect(failures?.samples.map(\.value) == [.integer(3)])
        try place.folder.make("a", days: 100)
        place.look(times: 2)
        #expect(place.tls.current !== old)
        #expect(place.log.take().map { $0.hasPrefix("notice certificates reloaded") } == [true])
    }

    @Test func `a link that leads to another folder counts as a change, as Kubernetes makes it`() throws {
        let place = try Place { folder in
            for name in ["one", "two"] {
                let place = folder.folder.appending(path: name)
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                try folder.make("\(name)/tls", days: name == "one" ? 90 : 200)
            }
            try FileManager.default.createSymbolicLink(atPath: folder.path("data"), withDestinationPath: "one")
            for file in ["tls.pem", "tls.key"] {
                try FileManager.default.createSymbolicLink(
                    atPath: folder.path(file),
                    withDestinationPath: "data/\(file)"
                )
            }
            return Place.settings(TLSFiles(certificate: folder.path("tls.pem"), key: folder.path("tls.key")))
        }
        let old = place.tls.current
        try FileManager.default.createSymbolicLink(atPath: place.folder.path("next"), withDestinationPath: "two")
        try place.folder.replace("data", with: "next")
        place.look(times: 2)
        #expect(place.tls.current.expires > old.expires)
    }

    @Test func `what a reload of the configuration put in force is watched, and not read again`() throws {
        let place = try Place()
        _ = place.log.take()
        let next = try #require(try Place.settings(place.folder.make("b")).load(replacing: place.tls.current))
        place.tls.replace(with: next)
        place.look(times: 4)
        #expect(place.tls.current === next.context)
        try place.folder.write("nothing", to: "a.pem")
        place.look(times: 4)
        #expect(place.log.take().isEmpty)
        try place.folder.write("nothing", to: "b.pem")
        place.look(times: 4)
        #expect(place.log.take().count == 1)
    }

    @Test func `what was read for other settings than those in force is dropped`() throws {
        let place = try Place()
        let stale = try #require(try place.tls.certificates.settings.load())
        let next = try #require(try Place.settings(place.folder.make("b")).load())
        place.tls.replace(with: next)
        #expect(!place.tls.renew(with: stale))
        #expect(place.tls.current === next.context)
    }

    @Test func `a certificate that ends within 14 days is a warning at once and then once a day`() throws {
        let place = try Place(days: 10)
        _ = place.log.take()
        place.look(times: 3600)
        let warnings = place.log.take()
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasPrefix("warning a certificate ends soon certificates=") == true)
        place.look(times: 48, after: 3_600_000)
        #expect(place.log.take().count == 2)
        place.look(times: 2, after: 6 * 86_400_000)
        #expect(place.log.take().last?.hasPrefix("warning a certificate has ended") == true)
        try place.folder.make("a", days: 90)
        place.look(times: 3)
        #expect(place.log.take().map { $0.prefix(27) } == ["notice certificates reloade"])
    }
}
