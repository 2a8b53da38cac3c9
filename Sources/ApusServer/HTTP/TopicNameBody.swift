import ApusProtocol
import Hummingbird
import NIOCore

extension Routes {
    /// The `name` member of the request's body, which must be a JSON object.
    func topicName(from request: Request, _ context: ApusRequestContext) async throws -> String {
        let buffer = try await collect(request, context, upTo: Self.maxBody)
        switch buffer.withUnsafeReadableBytes(TopicNameField.read) {
        case .success(let name): return name
        case .failure(let error): throw Problem(.badRequest, error.message)
        }
    }
}
