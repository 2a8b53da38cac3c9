import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Bodies of requests: asked for, read within a bound, and decoded.

extension Routes {
    /// A request's body, decoded.
    ///
    /// - Throws: ``Problem``, before the client has to send anything where that can be known.
    func collect(_ request: Request, _ context: ApusRequestContext, upTo limit: Int) async throws -> ByteBuffer {
        let codings = try ContentCoding.list(of: request.headers)
        let body = try await collectAsSent(request, context, upTo: limit)
        return try ContentCoding.decode(body, codings, limit: limit)
    }

    /// A request's body as it was sent.
    func collectAsSent(_ request: Request, _ context: ApusRequestContext, upTo limit: Int) async throws -> ByteBuffer {
        let tooLarge = Problem(.tooLarge, "The body is larger than \(limit) bytes")
        if let size = request.headers[.contentLength].flatMap({ Int($0) }), size > limit { throw tooLarge }
        if request.awaitsContinue {
            try await context.channel.triggerUserOutboundEvent(BodyIsWanted()).get()
        }
        do {
            return try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch let problem as Problem {
            throw problem
        } catch is CancellationError {
            throw Problem.unavailable("The server is shutting down")
        } catch {
            throw Problem(.badRequest, "The request broke off")
        }
    }
}

extension Request {
    /// Whether the client may hold its body back until it is told to go on: what can be refused without it, should be.
    var awaitsContinue: Bool { headers[.expect] != nil }
}
