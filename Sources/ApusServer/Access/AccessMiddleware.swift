import ApusAccess
import ApusProtocol
import HTTPTypes
import Hummingbird

/// Finds out who a request is from, and refuses one without a valid credential where the table of endpoints asks for
/// one.
struct AccessMiddleware: RouterMiddleware {
    let access: AccessControl

    func handle(
        _ request: Request,
        context: ApusRequestContext,
        next: (Request, ApusRequestContext) async throws -> Response
    ) async throws -> Response {
        let need = context.match?.endpoint.needs(request.method) ?? .credential
        guard need != .nothing else { return try await next(request, context) }
        // A browser's event stream cannot set its own header fields.
        let isStream = context.match?.endpoint.kind == .eventStream
        let credentials = Credentials(
            query: isStream ? request.uri.query ?? "" : "",
            certificateName: context.inFlight.caller.commonName
        ) { name in
            HTTPField.Name(name).flatMap { request.headers[$0] }
        }
        let admission = await access.admit(credentials)
        var context = context
        switch admission {
        case .open, .admitted:
            context.access = admission.access ?? context.access
        case .anonymous:
            guard need == .identity else { throw Problem.unauthorized(admission.refusal, access.challenge) }
        case .refused:
            throw Problem.unauthorized(admission.refusal, access.challenge)
        }
        return try await next(request, context)
    }
}

extension Problem {
    /// A credential is missing or wrong.
    ///
    /// - Parameter challenge: the value of `WWW-Authenticate`.
    static func unauthorized(_ detail: String, _ challenge: String) -> Problem {
        Problem(.unauthorized, detail, headers: [(.wwwAuthenticate, challenge)])
    }
}

extension AccessControl.Admission {
    /// Why a client is not admitted, in a sentence for the client.
    var refusal: String {
        guard case .refused(let error) = self else {
            return "A valid API key or token is required: X-API-Key: KEY or Authorization: Bearer TOKEN"
        }
        return error.reason.prefix(1).uppercased() + error.reason.dropFirst()
    }
}
