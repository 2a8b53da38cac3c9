import ApusClient
import ArgumentParser
import Foundation

/// A command that talks to a server. It reports an error in one line and exits with the error's code.
protocol ServerCommand: AsyncParsableCommand {
    /// The command as the user types it, for the start of an error line.
    static var title: String { get }

    func execute() async throws
}

extension ServerCommand {
    mutating func run() async throws {
        // When the reader of standard output exits, writing fails with EPIPE. The signal would end the process in the
        // middle of a close handshake.
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
