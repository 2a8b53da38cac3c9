import ApusClient
import ApusServer
import ArgumentParser
import Foundation

/// The server's address and the API key. The same for every client command.
struct ConnectionOptions: ParsableArguments {
    static let defaultURL = "http://127.0.0.1:8080"

    @Option(
        help: ArgumentHelp(
            """
            The server: http, https, ws or wss, or unix:/run/apus.sock; with /v1 at the end for the v1 dialect. (env: \
            APUS_URL; default: \(defaultURL))
            """,
            valueName: "url"
        )
    )
    var url: String?

    @Option(help: keyHelp)
    var apiKey: String?

    static let keyHelp = ArgumentHelp(
        "The API key, where the server wants one. (env: APUS_API_KEY, or its file: APUS_API_KEY_FILE)",
        valueName: "key"
    )

    /// The address from the flag, the environment, or the default.
    func address() throws -> ServerAddress {
        if let url { return try Self.parse(url, origin: "--url", exitCode: .usage) }
        if let url = Self.environment("APUS_URL") {
            return try Self.parse(url, origin: "APUS_URL", exitCode: .badConfiguration)
        }
        return try Self.parse(Self.defaultURL, origin: "the default", exitCode: .failure)
    }

    /// The API key from the flag or the environment.
    func key() throws -> String? {
        try Self.key(apiKey)
    }

    /// Opens a WebSocket connection to the server.
    func connect() async throws -> WebSocketConnection {
        try await WebSocketConnection.connect(to: address(), configuration: .init(apiKey: key()))
    }

    /// Creates a client for the server's REST endpoints.
    func restClient() throws -> RESTClient {
        RESTClient(address: try address(), apiKey: try key())
    }

    static func parse(_ url: String, origin: String, exitCode: ExitCode) throws -> ServerAddress {
        do {
            return try ServerAddress(url)
        } catch {
            throw CommandFailure("\(origin): \(error.message)", exitCode: exitCode)
        }
    }

    // MARK: Environment

    /// The API key from the flag, from the environment, or from the file that the environment names.
    static func key(_ flag: String?) throws -> String? {
        if let flag { return flag }
        do throws(ConfigurationError) {
            return try variables.secret("APUS_API_KEY", setting: "api_key")?.text
        } catch {
            throw CommandFailure("\(error)", exitCode: .badConfiguration)
        }
    }

    static var variables: EnvironmentVariables { EnvironmentVariables(ProcessInfo.processInfo.environment) }

    /// A variable of the environment; `nil` if it is not set or empty.
    static func environment(_ name: String) -> String? { variables[name] }
}
