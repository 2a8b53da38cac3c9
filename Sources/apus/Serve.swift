import ApusServer
import ApusSockets
import ArgumentParser
import Foundation
import Logging
import NIOCore
import ServiceLifecycle

/// Runs the server until a signal ends it.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Settings come from flags, the environment (APUS_PORT, …), a file (--config, JSON or YAML) and defaults, in this \
            order. Logs go to stderr.

              apus serve
              apus serve --port 9000 --overflow disconnect --queue 100
              apus serve --config Configurations/r1.yaml --log-format json
              APUS_API_KEYS=secret apus serve

            SIGTERM or SIGINT stops it in good order: no new connections, what was acknowledged is delivered, sockets are \
            closed with 1001. A second signal ends it at once.
            """
    )

    @OptionGroup var options: ServerOptions

    func run() async throws {
        try await serve(options, mode: .pubSub)
    }
}

/// A WebSocket echo server on the same connection handler, for suites that test RFC 6455.
struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo",
        abstract: "Send every WebSocket message back.",
        shouldDisplay: false
    )

    @OptionGroup var options: ServerOptions

    func run() async throws {
        try await serve(options, mode: .echo)
    }
}

private func serve(_ options: ServerOptions, mode: ApusService.Mode) async throws {
    let loaded = try options.load()
    var configuration = loaded.configuration
    // The suites for RFC 6455 send messages of 16 MiB.
    if mode == .echo { configuration.maxMessage = max(configuration.maxMessage, 64 << 20) }
    let logger = LogOutput.logger(
        label: "apus",
        format: configuration.logFormat,
        level: configuration.logLevel
    )
    for warning in loaded.warnings { logger.warning("\(warning)") }
    OpenFiles.raiseLimit()
    let service = ApusService(configuration: configuration, mode: mode, logger: logger) { address in
        let host = address.ipAddress.map { $0.contains(":") ? "[\($0)]" : $0 } ?? "?"
        logger.info("listening", metadata: ["address": "http://\(host):\(address.port ?? 0)"])
        Task {
            // When the start has settled; a server that is busy by then only reads some of its pages again.
            try? await Task.sleep(for: .seconds(1))
            StartupPages.release()
        }
    }
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .critical)
    let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
    let signals = await Interrupts.requests()
    let stopping = Task {
        for await _ in signals { await group.triggerGracefulShutdown() }
    }
    defer { stopping.cancel() }
    do {
        try await group.run()
    } catch {
        StandardError.write("apus: \(explanation(of: error, configuration))\n")
        throw ExitCode.failure
    }
    logger.info("stopped")
}

/// What a failure to run means to the one who started it.
private func explanation(of error: any Error, _ configuration: ServerConfiguration) -> String {
    let place = "\(configuration.host):\(configuration.port)"
    switch error {
    case let error as SocketError where error.call == "getaddrinfo":
        return "cannot listen on \(place): unknown host"
    case let error as SocketError where error.code == EADDRINUSE:
        return "cannot listen on \(place): address already in use"
    case let error as SocketError where error.code == EACCES:
        return "cannot listen on \(place): permission denied"
    case let error as SocketError where error.code == EADDRNOTAVAIL:
        return "cannot listen on \(place): this machine does not have the address"
    default:
        return "the server failed: \(error)"
    }
}
