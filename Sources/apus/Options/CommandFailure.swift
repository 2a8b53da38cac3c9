import ApusClient
import ApusProtocol
import ArgumentParser

/// Why a command fails: a line for people, and an exit code for scripts.
struct CommandFailure: Error {
    /// One clause without a full stop; empty if everything was reported already.
    let message: String
    let exitCode: ExitCode

    init(_ message: String, exitCode: ExitCode = .failure) {
        self.message = message
        self.exitCode = exitCode
    }

    /// The failure for a client's error.
    init(_ error: ClientError, topic: String? = nil, hints: Bool = true) {
        let text = Self.explain(code: error.problem?.code, message: error.message, topic: topic, hints: hints)
        switch error.code {
        case .unreachable, .timedOut:
            self.init(text + Self.reachingHint(text), exitCode: .unreachable)
        case .untrusted:
            self.init(text + Self.certificateHint, exitCode: .unreachable)
        case .unauthorized:
            self.init(text + Self.credentialHint, exitCode: .unauthorized)
        case .tokenUnavailable, .unusableFile:
            self.init(text, exitCode: .badConfiguration)
        case .refused where error.problem?.code == nil && error.problem?.status == 404:
            self.init(text + "; is this an Apus server, and its path right?")
        case .refused where error.problem?.code == ErrorCode.notFound.rawValue && text.hasPrefix("there is nothing at"):
            self.init(text + "; is the path in the server's address right?")
        default:
            // The client has waited already, unless the server asked for more patience than it has.
            let wait = error.problem?.code == ErrorCode.rateLimited.rawValue ? error.problem?.retryAfter : nil
            self.init(wait.map { text + "; try again in \($0) s" } ?? text)
        }
    }

    /// The failure for an error message from the server.
    init(_ reply: ServerMessage.ErrorReply, topic: String?, hints: Bool = true) {
        let text = Self.explain(code: reply.code, message: reply.message, topic: topic, hints: hints)
        if reply.code == ErrorCode.unauthorized.rawValue {
            self.init(text + Self.credentialHint, exitCode: .unauthorized)
        } else {
            self.init(text)
        }
    }

    /// The failure for a connection that the server closed.
    init(_ close: WebSocketClose) {
        let meaning: String? =
            switch (close.code, close.reason) {
            case (WebSocketClose.abnormal, _): "the connection broke"
            case (1001, _): "server is shutting down"
            case (1009, _): "the message is larger than the server takes"
            case (_, Disconnect.slowConsumer.reason): "this reader was too slow"
            case (_, Disconnect.topicDeleted.reason): "the topic was deleted"
            case (_, Disconnect.rateLimited.reason): "more commands were sent than the server's rate limit allows"
            case (_, Disconnect.overloaded.reason): "the server has too many connections"
            case (_, Disconnect.tokenExpired.reason): "the key or token has expired"
            case (_, Disconnect.revoked.reason): "the key or token was revoked"
            case (_, Disconnect.kicked.reason): "an administrator closed the connection"
            default: nil
            }
        let code = close.reason.isEmpty ? "\(close.code)" : "\(close.code) \(close.reason)"
        let needsCredential = [Disconnect.unauthorized, .tokenExpired, .revoked].map(\.reason).contains(close.reason)
        self.init(
            meaning.map { "\($0) (\(code))" } ?? "the server closed the connection (\(code))",
            exitCode: needsCredential ? .unauthorized : .failure
        )
    }

    /// What to do about a server that cannot be reached.
    private static func reachingHint(_ text: String) -> String {
        if text.hasSuffix(ClientError.speaksNoTLS) { return "; use http:// or ws://" }
        if text.hasSuffix(ClientError.noSuchHost) { return "; is the name in the server's address right?" }
        return "; is the server running? Start one with: apus serve"
    }

    private static let certificateHint =
        "; --ca or APUS_CA names the file of a private authority, --cert and --cert-key a certificate of this client"
    private static let credentialHint =
        "; give a key with --api-key or APUS_API_KEY, or a token with --token-file or APUS_TOKEN_FILE"

    /// The server's message with its code, and a hint on what to do.
    private static func explain(code: String?, message: String, topic: String?, hints: Bool) -> String {
        switch (code, topic) {
        case (ErrorCode.topicNotFound.rawValue, let topic?):
            let hint = hints ? "; create it with: apus topics create \(quoted(topic))" : ""
            return "topic '\(topic)' not found (TOPIC_NOT_FOUND)\(hint)"
        case (ErrorCode.topicExists.rawValue, let topic?):
            return "topic '\(topic)' already exists (TOPIC_EXISTS)"
        default:
            let text = message.prefix(1).lowercased() + message.dropFirst()
            return code.map { "\(text) (\($0))" } ?? text
        }
    }

    /// A word quoted for a shell.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        if isPlain, !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

extension ExitCode {
    /// EX_USAGE: the arguments are wrong.
    static let usage = ExitCode(64)
    /// EX_UNAVAILABLE: the server cannot be reached.
    static let unreachable = ExitCode(69)
    /// EX_NOPERM: the key or token is missing or wrong.
    static let unauthorized = ExitCode(77)
    /// EX_CONFIG: the configuration is invalid.
    static let badConfiguration = ExitCode(78)
    /// EX_CANTCREAT: files cannot be made or used where they should be.
    static let cannotCreate = ExitCode(73)
}
