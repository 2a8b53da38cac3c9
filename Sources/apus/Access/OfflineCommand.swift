import ApusAccess
import ArgumentParser
import Foundation

/// A command about keys or tokens, which needs no server: what it prints depends on its arguments, files and the time.
protocol OfflineCommand: ServerCommand {
    /// What goes to standard output.
    ///
    /// - Parameter now: milliseconds since 1970.
    func output(at now: Int64) async throws -> String
}

extension OfflineCommand {
    func execute() async throws {
        try await StandardOutput.write(output(at: Int64(Date().timeIntervalSince1970 * 1000)))
    }

    /// Has an error of a file name that file.
    func naming<Value>(_ path: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as AccessError {
            let exitCode: ExitCode = error.code == .unknownKey ? .failure : .badConfiguration
            throw CommandFailure("'\(path)': \(error.reason)", exitCode: exitCode)
        }
    }
}
