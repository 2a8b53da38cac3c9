import Foundation
import Testing

@testable import ApusClient

@Suite("Files for TLS")
struct ClientTLSTests {
    private func fault(_ change: (inout ClientTLS) -> Void) -> ClientError? {
        var tls = ClientTLS()
        change(&tls)
        do throws(ClientError) {
            _ = try tls.context()
            return nil
        } catch {
            return error
        }
    }

    @Test func `need not be there`() {
        #expect(fault { _ in } == nil)
        #expect(fault { $0.verifiesServer = false } == nil)
    }

    @Test func `are named when they are missing or something else`() throws {
        let text = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID())").path
        try "nothing".write(toFile: text, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: text) }
        for (file, reason) in [("/nowhere/a.pem", "no such file or directory"), (text, "it has no")] {
            for error in [
                fault { $0.authorities = file }, fault { $0.certificate = file }, fault { $0.key = file },
            ] {
                #expect(error?.code == .unusableFile)
                #expect(error?.message.hasPrefix("'\(file)' cannot be used: \(reason)") == true, "\(error as Any)")
            }
        }
    }

    @Test func `belong to an address, whichever dialect it is used with`() throws {
        var address = try ServerAddress("https://a.example")
        address.tls.authorities = "ca.pem"
        #expect(address.speaking(.v1).tls == address.tls)
        #expect(address.speaking(.v1).isSecure)
    }
}
