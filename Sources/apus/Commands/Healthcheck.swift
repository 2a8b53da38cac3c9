import ApusClient
import ArgumentParser
import NIOCore

/// `apus healthcheck`: asks a server how it is, for containers and monitors.
struct HealthcheckCommand: ServerCommand {
    static let title = "apus healthcheck"
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Ask a server how it is; exit code 0 when it is well, 1 otherwise.",
        discussion: """
            Without --url and APUS_URL it asks the server that APUS_HOST and APUS_PORT (or their aliases) configure on \
            this machine, so it works inside the container as it is.

            Examples:
              apus healthcheck
              apus healthcheck --url http://127.0.0.1:9000 --timeout 500ms
              HEALTHCHECK CMD ["apus", "healthcheck", "--quiet"]
            """
    )

    @Option(help: ArgumentHelp("The server. (env: APUS_URL)", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("How long it may take: 3s, 500ms, or seconds. (default: 3s)", valueName: "time"))
    var timeout: DurationArgument?

    @Flag(help: "Print nothing.")
    var quiet = false

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    func execute() async throws {
        do {
            let address = try ServerAddress.ofThisMachine(url: url, environment: ConnectionOptions.environment)
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
        } catch let error as ClientError {
            // Whatever the reason: a health check knows two answers.
            throw CommandFailure(quiet ? "" : "unhealthy: \(error)")
        }
    }
}

extension ServerAddress {
    /// The address to ask for a server's health: the flag's, `APUS_URL`'s, or that of the server that the
    /// environment configures.
    static func ofThisMachine(url: String?, environment: (String) -> String?) throws -> ServerAddress {
        if let url { return try ConnectionOptions.parse(url, origin: "--url", exitCode: .usage) }
        if let url = environment("APUS_URL") {
            return try ConnectionOptions.parse(url, origin: "APUS_URL", exitCode: .badConfiguration)
        }
        let host = ["APUS_HOST", "PUBSUB_HOST", "HOST"].lazy.compactMap(environment).first ?? "127.0.0.1"
        let port = ["APUS_PORT", "PUBSUB_PORT", "PORT"].lazy.compactMap(environment).first ?? "8080"
        // A server that listens on every address listens on the loopback one.
        let target =
            switch host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "[::1]"
            default: host.contains(":") ? "[\(host)]" : host
            }
        return try ConnectionOptions.parse(
            "http://\(target):\(port)",
            origin: "APUS_HOST and APUS_PORT",
            exitCode: .badConfiguration
        )
    }
}
