import ApusClient
import ApusProtocol
import ApusServer
import ArgumentParser
import NIOCore

/// `apus healthcheck`: asks for a server's health, for containers and monitors.
struct HealthcheckCommand: ServerCommand {
    static let title = "apus healthcheck"
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask a server how it is; exit code 0 when it is well, 1 otherwise.",
        discussion: """
            Without --url and APUS_URL it asks the server that the environment (APUS_LISTEN, APUS_HOST, APUS_PORT, \
            APUS_BASE_PATH, APUS_TLS_CERTIFICATE, or the file that APUS_CONFIG names) configures on this machine, so it works \
            inside the container as it is. It does not check that server's certificate, which may be for another name: it asks \
            on the machine itself. Whatever goes wrong, a mistake in its arguments too, is exit code 1.

            Examples:
              apus healthcheck
              apus healthcheck --url http://127.0.0.1:9000 --timeout 500ms
              apus healthcheck --url unix:/run/apus/apus.sock
              HEALTHCHECK CMD ["apus", "healthcheck", "--quiet"]
            """
    )

    @Option(help: ArgumentHelp("The server. (env: APUS_URL)", valueName: "url"))
    var url: String?

    @Option(
        help: ArgumentHelp("A server that `apus context add` keeps; only where it is named here.", valueName: "name")
    )
    var context: String?

    @OptionGroup
    var tls: TLSArguments

    @Option(help: ArgumentHelp("How long it may take. (default: 3s)", valueName: "time"))
    var timeout: DurationArgument?

    @Flag(help: "Print nothing.")
    var quiet = false

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    func execute() async throws {
        do {
            let address = try address()
            let client = RESTClient(address: address, timeout: timeout?.amount ?? .seconds(3))
            let answer = try await client.get("/health")
            let health = try answer.decode(Health.self)
            if quiet { return }
            let line =
                json
                ? answer.body.trimmedEnd
                : "healthy: up \(health.uptimeSeconds) s, " + counted(health.topics, "topic") + ", "
                    + counted(health.subscribers, "subscriber")
            try await StandardOutput.write(line + "\n")
        } catch is OutputClosed {
            return
        } catch {
            // A health check reports only healthy or unhealthy, whatever the reason.
            throw CommandFailure(quiet ? "" : "unhealthy: \((error as? CommandFailure)?.message ?? "\(error)")")
        }
    }
}

extension HealthcheckCommand {
    /// A context counts only when it is named: what is asked for is the server of this machine.
    private func address() throws -> ServerAddress {
        let variables = ConnectionOptions.variables
        let layers =
            try context.map { [try ContextOption.named($0), .authorities(variables)] } ?? [SettingsLayer(variables)]
        let tls = try tls.options(layers)
        guard url == nil, context != nil else {
            return try ServerAddress.ofThisMachine(url: url, tls: tls, variables: variables)
        }
        var address = try ConnectionOptions.parseOne(layers[0].url ?? "", origin: layers[0].urlOrigin)
        address.tls = tls
        return address
    }
}

extension ServerAddress {
    /// The server's address for a health check: from the flag, from `APUS_URL`, or of the server that the environment
    /// configures.
    static func ofThisMachine(
        url: String?,
        tls: ClientTLS = ClientTLS(),
        variables: EnvironmentVariables
    ) throws -> ServerAddress {
        if let (url, origin) = url.map({ ($0, "--url") }) ?? variables["APUS_URL"].map({ ($0, "APUS_URL") }) {
            var address = try ConnectionOptions.parseOne(url, origin: origin)
            address.tls = tls
            return address
        }
        let place = try ServerConfiguration.place(in: variables)
        let all = place.listen.isEmpty ? [.tcp(host: place.host, port: place.port)] : place.listen
        // Only the log shows which free port the server chose.
        guard let address = all.first(where: { $0.port != 0 }) else {
            throw CommandFailure("the server takes a free port; name it with --url or APUS_URL")
        }
        switch address {
        case .unix(let path): return ServerAddress(unixSocket: path, basePath: place.basePath)
        case .tcp(let host, let port):
            // A server that listens on all addresses also listens on the loopback address.
            let target = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
            var address = ServerAddress(
                host: target,
                port: port,
                isSecure: place.tls.isOn,
                basePath: place.basePath
            )
            address.tls = tls
            // Only a process of this machine can be there, and its certificate is for the name that others use.
            address.tls.verifiesServer = false
            return address
        }
    }
}
