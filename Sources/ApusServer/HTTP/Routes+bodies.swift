import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore

// Request bodies: requested from the client, read up to a limit, and decoded.

extension Routes {
    /// Reads and decodes a request's body.
    ///
    /// - Parameter setting: the setting that the limit comes from, if any.
    /// - Throws: ``Problem``, before the client has to send the body where possible.
    func collect(
        _ request: Request,
        _ context: ApusRequestContext,
        upTo limit: Int,
        setBy setting: String? = nil
    ) async throws -> ByteBuffer {
        let codings = try ContentCoding.list(of: request.headers)
        let body = try await collectAsSent(request, context, upTo: limit, setBy: setting)
        return try ContentCoding.decode(body, codings, limit: limit)
    }

    /// Reads a request's body without decoding it.
    func collectAsSent(
        _ request: Request,
        _ context: ApusRequestContext,
        upTo limit: Int,
        setBy setting: String? = nil
    ) async throws -> ByteBuffer {
        let origin = setting.map { ", the server's \($0)" } ?? ""
        let tooLarge = Problem(.tooLarge, "The body is larger than \(limit) bytes\(origin)")
        if let size = request.headers[.contentLength].flatMap({ Int($0) }), size > limit { throw tooLarge }
        if request.awaitsContinue { try await context.inFlight.askForBody() }
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
    /// Whether the client may hold its body back until the server asks for it. Refuse such a request without the body
    /// where possible.
    var awaitsContinue: Bool { headers[.expect] != nil }
}
