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
        // A reader that goes away shows as EPIPE where we write; the signal would end us in the middle of a close
        // handshake.
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
