import ApusClient
import ApusProtocol
import Foundation

/// Reads what a server tells its console.
struct ConsoleClient: Sendable {
    let rest: RESTClient

    init(_ rest: RESTClient) {
        // The console has no second dialect.
        self.rest = rest.speaking(.base)
    }

    /// The body of an answer.
    ///
    /// - Parameters:
    ///   - what: what some servers lack, for the message that says so.
    ///   - reason: why one lacks it; `nil` if only older ones do.
    func text(_ path: String, lackedAs what: String, because reason: String? = nil) async throws -> String {
        do {
            return try await rest.get(path).body
        } catch {
            guard error.problem?.status == 404, [nil, "NOT_FOUND"].contains(error.problem?.code) else { throw error }
            let reason = reason ?? "it is an older Apus server than this program (\(apusVersion)); update it"
            throw CommandFailure("\(rest.address) has no \(what): \(reason)")
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: Data(text.utf8))
        } catch {
            throw CommandFailure("the answer is not what an Apus server of this version sends")
        }
    }
}
