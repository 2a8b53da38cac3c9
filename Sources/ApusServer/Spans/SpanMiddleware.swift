import ApusProtocol
import HTTPTypes
import Hummingbird
import NIOCore
import Tracing

/// Makes the span of a request. Event streams have none: they do not end.
struct SpanMiddleware: RouterMiddleware {
    /// Other methods are one: clients may send anything.
    private static let methods: Set<HTTPRequest.Method> = [
        .connect, .delete, .get, .head, .options, .patch, .post, .put, .trace,
    ]

    let source: SpanSource
    let basePath: BasePath
    /// `https` where the server speaks TLS.
    let scheme: String

    func handle(
        _ request: Request,
        context: ApusRequestContext,
        next: (Request, ApusRequestContext) async throws -> Response
    ) async throws -> Response {
        let parent = request.trace
        let endpoint = basePath.endpoint(at: request.uri.path)?.endpoint
        guard endpoint?.isStream != true, parent?.isSampled ?? begins(at: endpoint) else {
            return try await next(request, context)
        }
        let method = Self.methods.contains(request.method) ? request.method.rawValue : "HTTP"
        let name = endpoint.map { "\(method) \($0.path)" } ?? method
        return try await source.tracer.withSpan(name, context: ServiceContext(parent), ofKind: .server) { span in
            var attributes: SpanAttributes = [
                "http.request.method": .string(method == "HTTP" ? "_OTHER" : method),
                "url.path": .string(request.uri.path), "url.scheme": .string(scheme),
                "client.address": .string(context.inFlight.address),
            ]
            if let endpoint { attributes["http.route"] = basePath.text + endpoint.path }
            span.attributes = attributes
            let response = try await next(request, context)
            let status = Int(response.status.code)
            span.attributes["http.response.status_code"] = status
            if status >= 500 {
                span.attributes["error.type"] = "\(status)"
                span.setStatus(SpanStatus(code: .error))
            }
            return response
        }
    }

    /// Whether a request without a trace begins one. Probes and documents never do.
    private func begins(at endpoint: Endpoint?) -> Bool {
        guard let endpoint, !endpoint.isProbe, endpoint.kind == .rest else { return false }
        return source.samples()
    }
}

extension Request {
    /// The trace that a request belongs to. More than one, or one that is none, is passed over.
    var trace: TraceContext? {
        var trace = HTTPField.Name("traceparent").flatMap { headers[$0] }.flatMap { TraceContext($0) }
        // Of several headers with that name, the standard makes one list, and so do these headers.
        trace?.state = HTTPField.Name("tracestate").flatMap { headers[$0] }.flatMap { TraceState($0) }
        return trace
    }
}
