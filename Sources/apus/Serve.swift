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
              apus serve --listen unix:/run/apus.sock --listen 127.0.0.1:8080
              APUS_API_KEYS=secret apus serve

            SIGTERM or SIGINT stops it in good order: no new connections, what was acknowledged is delivered, sockets are \
            closed with 1001. A second signal ends it at once. SIGHUP reads the file, and the files that it names, again \
            (try `apus config check` before): no connection is closed, and settings that need a restart are in the log.
            """
    )

    @OptionGroup var options: ServerOptions

    func run() async throws {
        try await serve(options, mode: .pubSub)
    }
}

/// A WebSocket echo server on the same connection handler, for RFC 6455 test suites.
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
    // First of all: until then, a SIGHUP would end the process.
    let signals = await ServerSignals.trap()
    let loaded = try options.load()
    var configuration = loaded.configuration
    // RFC 6455 test suites send messages of 16 MiB.
    if mode == .echo { configuration.limits.maxMessage = max(configuration.limits.maxMessage, 64 << 20) }
    let level = LogLevel(configuration.log.level)
    let logger = LogOutput.logger(label: "apus", format: configuration.log.format, level: level).keepingWarnings()
    for warning in loaded.warnings { logger.warning("\(warning)") }
    OpenFiles.raiseLimit()
    let systemd = try systemd()
    let (basePath, isSecure) = (configuration.basePath, configuration.tls.isOn)
    let cluster = try await configuration.connectToCluster(loaded, logger: logger)
    var service: ApusService
    do {
        service = try ApusService(
            configuration: configuration,
            systemd: systemd,
            reloading: mode == .echo ? nil : Reloading(requests: signals.reloads, logLevel: level, load: options.read),
            cluster: cluster,
            logger: logger
        ) { addresses in
            for address in addresses {
                var metadata: Logger.Metadata = ["address": "\(address.url(isSecure: isSecure))"]
                if !basePath.isEmpty { metadata["base_path"] = "\(basePath)" }
                logger.notice("listening", metadata: metadata)
            }
            Task {
                // Wait until startup is complete. If the server is busy by then, it only reads some of its pages again.
                try? await Task.sleep(for: .seconds(1))
                StartupPages.release()
            }
        }
    } catch let error as DataError {
        StandardError.write("apus: data: \(error) (from \(loaded.sources["data"] ?? "default"))\n")
        throw error.isUnusable ? ExitCode.badConfiguration : ExitCode.cannotCreate
    }
    service.mode = mode
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .critical)
    let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
    let stopping = Task {
        for await _ in signals.ends { await group.triggerGracefulShutdown() }
    }
    defer { stopping.cancel() }
    do {
        try await group.run()
    } catch let failure as ListenFailure {
        let problem = ListenProblem(failure, loaded)
        StandardError.write("apus: \(problem.text)\n")
        throw problem.exitCode
    } catch let error as ConfigurationError {
        StandardError.write("apus: \(error.naming(loaded.sources))\n")
        throw ExitCode.badConfiguration
    } catch {
        StandardError.write("apus: the server failed: \(error)\n")
        throw ExitCode.failure
    }
    logger.info("stopped")
}

/// The sockets and the state socket that systemd passes, if it started this process. If they cannot be used, prints the
/// reason and exits with code 78.
private func systemd() throws -> Systemd {
    do throws(ConfigurationError) {
        return try Systemd(environment: ProcessInfo.processInfo.environment)
    } catch {
        StandardError.write("apus: \(error)\n")
        throw ExitCode.badConfiguration
    }
}

/// What an address at which the server cannot listen means for the user.
private struct ListenProblem {
    let text: String
    let exitCode: ExitCode

    init(_ failure: ListenFailure, _ loaded: LoadedConfiguration) {
        let settings = loaded.configuration.listen.isEmpty ? ["host", "port"] : ["listen"]
        let sources = settings.map { "\($0) from \(loaded.sources[$0] ?? "default")" }.joined(separator: ", ")
        let (reason, isMistake) = Self.reason(failure.cause)
        let advice = Self.advice(failure.cause).map { "; \($0)" } ?? ""
        text = "cannot listen on \(failure.address): \(reason) (\(sources))\(advice)"
        exitCode = isMistake ? .badConfiguration : .failure
    }

    /// What to do about it, where that is not clear from the reason.
    private static func advice(_ error: SocketError) -> String? {
        switch error.code {
        case EADDRINUSE: "stop what listens there, or choose another address or port"
        case EACCES, EPERM:
            "ports below 1024 need root or CAP_NET_BIND_SERVICE, a Unix socket a folder that can be written to"
        case EADDRNOTAVAIL: "name an address of this machine, or 0.0.0.0 for all of them"
        default: nil
        }
    }

    /// The reason for the error, and whether it is permanent. If it is, a service manager need not try again.
    private static func reason(_ error: SocketError) -> (text: String, isMistake: Bool) {
        switch (error.call, error.code) {
        case ("getaddrinfo", ENOENT): ("unknown host", true)
        case ("getaddrinfo", EAGAIN): ("the host's name cannot be looked up now", false)
        case (_, EADDRINUSE): ("address already in use", false)
        case (_, EACCES), (_, EPERM): ("permission denied", false)
        case (_, EADDRNOTAVAIL): ("this machine does not have the address", false)
        case (_, EAFNOSUPPORT): ("this machine does not have addresses of this kind", false)
        case (_, ENOENT), (_, ENOTDIR): ("there is no such folder", true)
        case (_, EEXIST): ("there is a file of this name that is no socket", true)
        default: ("\(error)", false)
        }
    }
}
