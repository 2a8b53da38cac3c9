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
            The server: http, https, ws or wss, or unix:/run/apus.sock; with /v1 at the end for the v1 dialect. Several, \
            with commas or by several options, are used one at a time, the next one when one is away. (env: APUS_URL; \
            default: \(defaultURL))
            """,
            valueName: "url"
        )
    )
    var url: [String] = []

    @OptionGroup
    var context: ContextOption

    @OptionGroup
    var credentials: CredentialOptions

    @OptionGroup
    var tls: TLSArguments

    /// The addresses from the flags, the environment, a context, or the default: at least one.
    func addresses() throws -> [ServerAddress] {
        try Self.addresses(url, from: "--url", tls, layers())
    }

    /// The same for a command that talks to one server.
    func address() throws -> ServerAddress {
        try Self.only(addresses())
    }

    /// Whether a flag, the environment or a context names the server.
    func namesServer() throws -> Bool { try !url.isEmpty || layers().contains { $0.url != nil } }

    private func layers() throws -> [SettingsLayer] { try context.layers(url: url.first) }

    /// The address that a command is given, or that of a place behind the flags, or the default.
    ///
    /// - Parameter origin: where the given one is from.
    static func address(
        _ url: String?,
        from origin: String,
        _ tls: TLSArguments,
        _ layers: [SettingsLayer]
    ) throws -> ServerAddress {
        try only(addresses(url.map { [$0] } ?? [], from: origin, tls, layers))
    }

    static func addresses(
        _ urls: [String],
        from origin: String,
        _ tls: TLSArguments,
        _ layers: [SettingsLayer]
    ) throws -> [ServerAddress] {
        var addresses: [ServerAddress]
        if !urls.isEmpty {
            addresses = try urls.flatMap { try parse($0, origin: origin, exitCode: .usage) }
        } else if let layer = layers.first(where: { $0.url != nil }), let url = layer.url {
            addresses = try parse(url, origin: layer.urlOrigin, exitCode: .badConfiguration)
        } else {
            addresses = try parse(defaultURL, origin: "the default", exitCode: .failure)
        }
        guard Set(addresses.map(\.dialect)).count == 1 else {
            throw CommandFailure("of several servers, either all or none are with /v1", exitCode: .usage)
        }
        let options = try tls.options(layers)
        for index in addresses.indices { addresses[index].tls = options }
        return addresses
    }

    private static func only(_ addresses: [ServerAddress]) throws -> ServerAddress {
        guard addresses.count == 1 else {
            throw CommandFailure("this command talks to one server, and is given \(addresses.count)", exitCode: .usage)
        }
        return addresses[0]
    }

    /// Creates the options of a client, with the credential.
    func clientOptions() throws -> ApusClient.Options {
        let (apiKey, token) = try credentials.given(layers())
        return ApusClient.Options(apiKey: apiKey, token: token)
    }

    func credential() throws -> Credential { try credentials.credential(layers()) }

    /// Creates a client for the server's REST endpoints.
    func restClient() throws -> RESTClient {
        let addresses = try addresses()
        return RESTClient(address: addresses[0], others: Array(addresses.dropFirst()), credential: try credential())
    }

    /// One address or several, with commas between them.
    static func parse(_ urls: String, origin: String, exitCode: ExitCode) throws -> [ServerAddress] {
        do throws(ClientError) {
            var addresses: [ServerAddress] = []
            for url in urls.split(separator: ",", omittingEmptySubsequences: false) {
                addresses.append(try ServerAddress(String(url)))
            }
            return addresses
        } catch {
            throw CommandFailure("\(origin): \(error.message)", exitCode: exitCode)
        }
    }

    static func parseOne(_ url: String, origin: String) throws -> ServerAddress {
        try only(parse(url, origin: origin, exitCode: .failure))
    }

    // MARK: Environment

    static var variables: EnvironmentVariables { EnvironmentVariables(ProcessInfo.processInfo.environment) }

    /// A variable of the environment; `nil` if it is not set or empty.
    static func environment(_ name: String) -> String? { variables[name] }
}
