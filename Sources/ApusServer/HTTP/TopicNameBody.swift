import ApusProtocol
import Foundation
import Hummingbird
import NIOCore

extension Routes {
    /// The `name` member of the request's body, which must be a JSON object.
    func topicName(from request: Request, _ context: ApusRequestContext) async throws -> String {
        let buffer = try await collect(request, context, upTo: Self.maxBody)
        // Foundation's parser accepts more than JSON, for example a trailing comma. For a duplicate member it takes the
        // last value, as the command scanner does.
        guard
            buffer.withUnsafeReadableBytes(JSONDocument.isValid),
            let document = try? JSONSerialization.jsonObject(
                with: Data(buffer.readableBytesView),
                options: .fragmentsAllowed
            )
        else { throw Problem(.badRequest, "The body is not valid JSON") }
        guard let object = document as? [String: Any] else {
            throw Problem(.badRequest, "The body must be a JSON object")
        }
        guard let name = object["name"], !(name is NSNull) else { throw Problem(.badRequest, "'name' is required") }
        guard let name = name as? String else { throw Problem(.badRequest, "'name' must be a string") }
        return name
    }
}
