import ApusProtocol
import Foundation
import Hummingbird
import NIOCore

extension Routes {
    private struct Body: Decodable {
        let name: String
    }

    /// The `name` in the JSON object that a request's body must be.
    func topicName(from request: Request) async throws -> String {
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: Self.maxBody)
        } catch is NIOTooManyBytesError {
            throw Problem(.tooLarge, "The body is larger than \(Self.maxBody) bytes")
        }
        // Foundation's decoder takes more than JSON, a trailing comma for one.
        guard buffer.withUnsafeReadableBytes(JSONDocument.isValid) else {
            throw Problem(.badRequest, "The body is not valid JSON")
        }
        do {
            return try JSONDecoder().decode(Body.self, from: Data(buffer.readableBytesView)).name
        } catch let error as DecodingError {
            throw Problem(.badRequest, Self.explanation(of: error))
        }
    }

    private static func explanation(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound, .valueNotFound:
            "'name' is required"
        case .typeMismatch(_, let context) where context.codingPath.isEmpty:
            "The body must be a JSON object"
        case .typeMismatch:
            "'name' must be a string"
        default:
            "The body is not valid JSON"
        }
    }
}
