import ApusClient
import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1

/// The server of a verification with restarts: this program's `serve` on the user's folder, on a socket of its own.
actor VerifyServer {
    /// How long a start may take, and a stop.
    private static let startLimit = TimeAmount.seconds(60)
    private static let stopLimit = TimeAmount.seconds(15)

    private let data: String
    private let socket: String
    private var process: Process?

    init(data: String) {
        self.data = data
        let id = ProcessInfo.processInfo.processIdentifier
        socket = FileManager.default.temporaryDirectory.appendingPathComponent("apus-verify-\(id).sock").path
    }

    nonisolated func address() throws -> ServerAddress {
        try ServerAddress("unix:\(socket)")
    }

    /// Starts the server. Returns when it is ready. Its errors go to standard error.
    func start() async throws {
        guard let program = Bundle.main.executableURL else { throw CommandFailure("cannot find the program itself") }
        let process = Process()
        process.executableURL = program
        process.arguments = ["serve", "--listen", "unix:\(socket)", "--data", data, "--log-level", "error"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw CommandFailure("cannot start a server: \(error.localizedDescription)")
        }
        self.process = process
        let client = RESTClient(address: try address())
        let deadline = NIODeadline.now() + Self.startLimit
        while (try? await client.send(.GET, "/readyz"))?.status != 200 {
            guard process.isRunning else {
                throw CommandFailure("the server ended with exit code \(process.terminationStatus)")
            }
            guard NIODeadline.now() < deadline else { throw CommandFailure("the server is not ready after 60 s") }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Kills the server as a crash does, and starts it again.
    func restart() async throws {
        if let process {
            kill(process.processIdentifier, SIGKILL)
            await end(of: process, within: Self.stopLimit)
        }
        try await start()
    }

    /// Stops the server in good order, or kills it if that takes too long.
    func stop() async {
        guard let process, process.isRunning else { return }
        process.terminate()
        await end(of: process, within: Self.stopLimit)
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(atPath: socket)
    }

    private func end(of process: Process, within limit: TimeAmount) async {
        let deadline = NIODeadline.now() + limit
        while process.isRunning, NIODeadline.now() < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}
