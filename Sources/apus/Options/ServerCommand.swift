import ApusClient
import ArgumentParser
import Foundation

/// A command that talks to a server; says what went wrong in one line and exits with the code for it.
protocol ServerCommand: AsyncParsableCommand {
    /// The command as people type it, for the start of an error line.
    static var title: String { get }

    func execute() async throws
}

extension ServerCommand {
    mutating func run() async throws {
        // A reader that goes away shows as EPIPE where we write; the signal would end us in the middle of a close handshake.
        signal(SIGPIPE, SIG_IGN)
        do {
            try await execute()
        } catch is OutputClosed {
            return
        } catch let failure as CommandFailure {
            throw Self.report(failure)
        } catch let error as ClientError {
            throw Self.report(CommandFailure(error))
        }
    }

    private static func report(_ failure: CommandFailure) -> ExitCode {
        if !failure.message.isEmpty { say(failure.message) }
        return failure.exitCode
    }

    /// Writes a line to standard error, after the command's name.
    static func say(_ message: String) {
        StandardError.write("\(title): \(message)\n")
    }
}

/// Why a command fails: the line for people and the exit code for scripts.
struct CommandFailure: Error {
    /// One clause without a full stop; empty when all was said already.
    let message: String
    let exitCode: ExitCode

    init(_ message: String, exitCode: ExitCode = .failure) {
        self.message = message
        self.exitCode = exitCode
    }

    /// The failure for a client's error.
    init(_ error: ClientError, topic: String? = nil) {
        let text = Self.explain(code: error.problem?.code, message: error.message, topic: topic)
        switch error.code {
        case .unreachable, .timedOut:
            self.init(text + "; is the server running? Start one with: apus serve", exitCode: .unreachable)
        case .unauthorized:
            self.init(text + "; give the key with --api-key or APUS_API_KEY", exitCode: .unauthorized)
        case .refused where error.problem?.code == nil && error.problem?.status == 404:
            self.init(text + "; is this an Apus server, and its path right?")
        default:
            self.init(text)
        }
    }

    /// The failure for an error message of the server.
    init(_ reply: ServerMessage.ErrorReply, topic: String?) {
        let text = Self.explain(code: reply.code, message: reply.message, topic: topic)
        if reply.code == "UNAUTHORIZED" {
            self.init(text + "; give the key with --api-key or APUS_API_KEY", exitCode: .unauthorized)
        } else {
            self.init(text)
        }
    }

    /// The failure for a connection that the server ended.
    init(_ close: WebSocketClose) {
        let meaning: String? =
            switch (close.code, close.reason) {
            case (WebSocketClose.abnormal, _): "the connection broke"
            case (1001, _): "server is shutting down"
            case (1009, _): "the message is larger than the server takes"
            case (_, "SLOW_CONSUMER"): "this reader was too slow"
            case (_, "TOPIC_DELETED"): "the topic was deleted"
            case (_, "OVERLOADED"): "the server has too many connections"
            default: nil
            }
        let code = close.reason.isEmpty ? "\(close.code)" : "\(close.code) \(close.reason)"
        self.init(
            meaning.map { "\($0) (\(code))" } ?? "the server closed the connection (\(code))",
            exitCode: close.reason == "UNAUTHORIZED" ? .unauthorized : .failure
        )
    }

    /// The server's words with the code, and what to do about it.
    static func explain(code: String?, message: String, topic: String?) -> String {
        switch (code, topic) {
        case ("TOPIC_NOT_FOUND", let topic?):
            return "topic '\(topic)' not found (TOPIC_NOT_FOUND); create it with: apus topics create \(quoted(topic))"
        case ("TOPIC_EXISTS", let topic?):
            return "topic '\(topic)' already exists (TOPIC_EXISTS)"
        default:
            let text = message.prefix(1).lowercased() + message.dropFirst()
            return code.map { "\(text) (\($0))" } ?? text
        }
    }

    /// A word as a shell takes it.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-_./".unicodeScalars.contains(scalar))
        }
        return isPlain && !word.isEmpty ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

extension ExitCode {
    /// EX_USAGE.
    static let usage = ExitCode(64)
    /// EX_UNAVAILABLE: the server cannot be reached.
    static let unreachable = ExitCode(69)
    /// EX_NOPERM: the key is missing or wrong.
    static let unauthorized = ExitCode(77)
    /// EX_CONFIG.
    static let badConfiguration = ExitCode(78)
}
