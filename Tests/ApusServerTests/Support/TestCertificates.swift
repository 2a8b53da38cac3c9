import ApusTLS
import Foundation
import Testing

@testable import ApusServer

/// Makes certificates with the command `openssl`, in a folder that is removed with it. No key outlives a test.
final class TestCertificates {
    let folder = FileManager.default.temporaryDirectory.appending(path: "apus-tls-\(UUID())")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: folder)
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// Makes `NAME.pem` and `NAME.key`: a certificate that signs itself, for a name or an IPv4 address, and a number of
    /// days.
    @discardableResult
    func make(_ name: String, for host: String = "localhost", days: Int = 90) throws -> TLSFiles {
        let files = TLSFiles(certificate: path("\(name).pem"), key: path("\(name).key"))
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        let kind = host.first?.isNumber == true ? "IP" : "DNS"
        let subject = ["-subj", "/CN=\(host)", "-addext", "subjectAltName=\(kind):\(host)", "-days", "\(days)"]
        try Self.openssl(["req", "-x509"] + curve + subject + ["-keyout", files.key, "-out", files.certificate])
        return files
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    }

    /// Puts a file in the place of another one in one step.
    func replace(_ name: String, with other: String) throws {
        try #require(rename(path(other), path(name)) == 0)
    }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}
