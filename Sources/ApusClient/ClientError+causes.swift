import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

extension ClientError {
    /// The client error for a failed connection or request to `address`.
    static func network(_ error: any Error, to address: ServerAddress) -> ClientError {
        if let error = error as? ClientError { return error }
        if error is CancellationError { return ClientError(.cancelled, "cancelled", cause: error) }
        if isTimeout(error) {
            return ClientError(.timedOut, "\(address.authority) does not answer (timed out)", cause: error)
        }
        let isCut = [HTTPParserError.invalidEOFState, .closedConnection].contains { $0 == error as? HTTPParserError }
        if error is HTTPParserError, !isCut {
            let message = "\(address.authority) does not answer like an HTTP server"
            return ClientError(.protocolViolation, message, cause: error)
        }
        let code: Code = distrust(of: error) == nil ? .unreachable : .untrusted
        return ClientError(code, "cannot reach \(address.authority): \(reason(of: error))", cause: error)
    }

    /// The client error for an HTTP error status. `body` is parsed if it is problem+json.
    static func refusal(status: Int, body: String, retryAfter: Int? = nil) -> ClientError {
        struct Members: Decodable {
            var code: String?
            var title: String?
            var detail: String?
        }
        let members = try? JSONDecoder().decode(Members.self, from: Data(body.utf8))
        let problem = Problem(
            status: status,
            code: members?.code,
            title: members?.title,
            detail: members?.detail,
            retryAfter: retryAfter
        )
        let said = problem.detail ?? problem.title
        if status == 401 {
            return ClientError(.unauthorized, said ?? "the server wants an API key or a token", problem: problem)
        }
        return ClientError(.refused, said ?? "the server answered with status \(status)", problem: problem)
    }

    /// Whether it came before there was a connection, so that nothing was sent.
    var isBeforeConnection: Bool {
        switch cause {
        case is NIOConnectionError: true
        case let error as HTTPClientError: error == .connectTimeout
        case let error as IOError: [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT].contains(error.errnoCode)
        default: false
        }
    }

    private static func isTimeout(_ error: any Error) -> Bool {
        if let error = error as? HTTPClientError {
            return [.connectTimeout, .readTimeout, .writeTimeout, .deadlineExceeded].contains(error)
        }
        if let error = error as? ChannelError, case .connectTimeout = error { return true }
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.contains { isTimeout($0.error) }
        }
        return false
    }

    /// The ends of the messages about two mistakes in an address.
    package static let noSuchHost = "no such host"
    package static let speaksNoTLS = "it does not speak TLS"

    private static func reason(of error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // Happy Eyeballs tries every address of the host. Report the last failure.
            if let last = error.connectionErrors.last { return reason(of: last.error) }
            return noSuchHost
        case let error as IOError:
            return String(cString: strerror(error.errnoCode)).lowercased()
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            return distrust(of: error) ?? tlsReason(of: error)
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return "the server closed the connection"
        case is HTTPParserError, ChannelError.eof, ChannelError.inputClosed, ChannelError.ioOnClosedChannel:
            return "the server closed the connection"
        default:
            return "\(error)"
        }
    }

    /// BoringSSL's own messages name source files. These texts cover the common cases.
    private static func tlsReason(of error: any Error) -> String {
        "\(error)".contains("WRONG_VERSION_NUMBER") ? speaksNoTLS : "the TLS handshake failed"
    }

    /// Which certificate is not accepted, and why; `nil` for any other error.
    private static func distrust(of error: any Error) -> String? {
        if let error = error as? NIOConnectionError {
            return error.connectionErrors.last.flatMap { distrust(of: $0.error) }
        }
        guard error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError else { return nil }
        let text = "\(error)"
        func says(_ reasons: String...) -> Bool { reasons.contains { text.contains($0) } }
        if says("CERTIFICATE_VERIFY_FAILED") {
            return "its certificate is not trusted: no known authority vouches for it, or it has expired"
        }
        if error is NIOSSLExtraError { return "its certificate is for another name" }
        if says("CERTIFICATE_REQUIRED") { return "it asks for a certificate of this client" }
        // What a server answers (RFC 8446 section 6.2).
        if says("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED", "ACCESS_DENIED") {
            return "it does not accept this client's certificate"
        }
        return nil
    }

    /// Why a file cannot be read, in the system's words; `nil` if it can.
    static func reasonNotToRead(_ file: String) -> String? {
        guard let stream = fopen(file, "re") else { return String(cString: strerror(errno)).lowercased() }
        fclose(stream)
        return nil
    }
}
