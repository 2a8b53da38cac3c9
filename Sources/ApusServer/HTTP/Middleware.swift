import ApusProtocol
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Logs each request, and converts every error to a problem document.
struct RequestMiddleware: RouterMiddleware {
    let basePath: BasePath
    let log: RequestLog

    func handle(
        _ request: Request,
        context: ApusRequestContext,
        next: (Request, ApusRequestContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        // Not `context.id`, which needs a log handler that stores metadata.
        let id = context.logger[metadataKey: "hb.request.id"].map { "\($0)" } ?? ""
        var context = context
        context.match = basePath.endpoint(at: request.uri.path)
        var response: Response
        do {
            if let refusal = context.inFlight.refusal { throw refusal }
            if basePath.isWithoutSlash(request.uri.path), [.get, .head].contains(request.method) {
                // The page's addresses are relative to the slash.
                let query = request.uri.query.map { "?" + $0 } ?? ""
                response = Response(status: .permanentRedirect, headers: [.location: basePath.text + "/" + query])
            } else {
                // The router also accepts paths with a double slash or a slash at the end.
                guard context.match != nil else { throw HTTPError(.notFound) }
                response = try await next(request, context)
            }
        } catch {
            let problem = problem(for: error, request: request, allow: context.match?.endpoint.allow)
            log.metrics.count(problem.code.rawValue)
            if problem.code == .internal {
                log.logger.error(
                    "request failed",
                    metadata: ["request.id": "\(id)", "error": "\(String(reflecting: error))"]
                )
            }
            response = try problem.response(from: request, context: context)
        }
        log.answered(
            id,
            method: request.method.rawValue,
            path: request.uri.path,
            status: response.status.code,
            took: ContinuousClock.now - start,
            address: context.inFlight.address
        )
        return response
    }

    /// That a path does not exist, and where to look.
    private func absence(of path: String) -> String {
        let text = "There is nothing at \(path)"
        if path.hasSuffix("/"), basePath.endpoint(at: path.dropLast()) != nil {
            return text + "; leave out the last slash"
        }
        return text + "; GET \(basePath.text)/ lists what there is"
    }

    /// - Parameter allow: the methods of the request's path; `nil` if the path does not exist.
    private func problem(for error: any Error, request: Request, allow: String?) -> Problem {
        switch error {
        case let problem as Problem:
            return problem
        // The client is gone, so nobody gets this response.
        case is CancellationError, is ChannelError, is IOError:
            return .unavailable("The connection or the server ended before the request was done")
        case let error as any HTTPResponseError where error.status == .notFound:
            guard let allow else { return Problem(.notFound, absence(of: request.uri.path)) }
            return Problem(
                .methodNotAllowed,
                "\(request.method.rawValue) is not allowed here; use one of: \(allow)",
                headers: [(.allow, allow)]
            )
        case let error as any HTTPResponseError where error.status == .contentTooLarge:
            return Problem(.tooLarge, "The body is larger than \(Routes.maxBody) bytes")
        case let error as any HTTPResponseError where error.status.kind == .clientError:
            return Problem(.badRequest, "The request can not be understood")
        default:
            return Problem(.internal, "Something unexpected went wrong; the server's log says more")
        }
    }
}
