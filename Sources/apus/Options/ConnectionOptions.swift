import ApusClient
import ApusServer
import ArgumentParser
import Foundation

/// The server's address and the credential. The same for every client command.
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

    @OptionGroup
    var context: ContextOption

    @OptionGroup
    var credentials: CredentialOptions

    @OptionGroup
    var tls: TLSArguments

    /// The address from the flag, the environment, a context, or the default.
    func address() throws -> ServerAddress {
        try Self.address(url, from: "--url", tls, layers())
    }

    /// Whether a flag, the environment or a context names the server.
    func namesServer() throws -> Bool { try url != nil || layers().contains { $0.url != nil } }

    private func layers() throws -> [SettingsLayer] { try context.layers(url: url) }

    /// The address that a command is given, or that of a place behind the flags, or the default.
    ///
    /// - Parameter origin: where the given one is from.
    static func address(
        _ url: String?,
        from origin: String,
        _ tls: TLSArguments,
        _ layers: [SettingsLayer]
    ) throws -> ServerAddress {
        var address: ServerAddress
        if let url {
            address = try parse(url, origin: origin, exitCode: .usage)
        } else if let layer = layers.first(where: { $0.url != nil }), let url = layer.url {
            address = try parse(url, origin: layer.urlOrigin, exitCode: .badConfiguration)
        } else {
            address = try parse(defaultURL, origin: "the default", exitCode: .failure)
        }
        address.tls = try tls.options(layers)
        return address
    }

    /// Creates the options of a client, with the credential.
    func clientOptions() throws -> ApusClient.Options {
        let (apiKey, token) = try credentials.given(layers())
        return ApusClient.Options(apiKey: apiKey, token: token)
    }

    func credential() throws -> Credential { try credentials.credential(layers()) }

    /// Creates a client for the server's REST endpoints.
    func restClient() throws -> RESTClient {
        RESTClient(address: try address(), credential: try credential())
    }

    static func parse(_ url: String, origin: String, exitCode: ExitCode) throws -> ServerAddress {
        do {
            return try ServerAddress(url)
        } catch {
            throw CommandFailure("\(origin): \(error.message)", exitCode: exitCode)
        }
    }

    // MARK: Environment

    static var variables: EnvironmentVariables { EnvironmentVariables(ProcessInfo.processInfo.environment) }

    /// A variable of the environment; `nil` if it is not set or empty.
    static func environment(_ name: String) -> String? { variables[name] }
}
