import ApusConformance
import ArgumentParser
import NIOCore

/// `apus conformance client`: a server that checks the client which connects to it.
struct ConformanceClientCommand: ServerCommand {
    static let title = "apus conformance"
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Be a server that checks whether the client which connects does what the protocol says.",
        discussion: """
            Listens, prints the address, and goes through a script with the first client that comes: it drops the \
            connection, refuses handshakes, shuts down, and revokes. The client under test must:

            \(ClientScript.task)

            Exit codes: 0 all checks passed, 1 one failed or was not reached, 64 wrong usage.

            Example:
              apus conformance client --port 9000
            """
    )

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes a free one.")
    var port = 0

    @Option(help: ArgumentHelp("How long the client may take for an answer, or to come back.", valueName: "time"))
    var timeout = DurationArgument(.seconds(10))

    @Option(help: ArgumentHelp("How long the client may take to come.", valueName: "time"))
    var wait = DurationArgument(.minutes(1))

    @Option(help: ArgumentHelp("Also write the results to this file, as JUnit XML.", valueName: "file"))
    var junit: String?

    @Flag(help: "Print the results as JSON.")
    var json = false

    func validate() throws {
        if !(0...65535).contains(port) { throw ValidationError("--port must be from 0 to 65535") }
    }

    func execute() async throws {
        let file = try junit.map { try ReportFile(path: $0, option: "--junit") }
        let script: ClientScript
        do {
            script = try await ClientScript.listen(
                host: host,
                port: port,
                patience: timeout.duration,
                wait: wait.duration
            )
        } catch {
            throw CommandFailure("cannot listen on \(host):\(port): \(error)")
        }
        StandardError.write("waiting for a client at ws://\(host):\(script.port)/ws\n")
        let results = await script.run()
        let report = ConformanceReport(subject: "a client", results: results)
        if json {
            try await StandardOutput.write(report.json)
        } else {
            var printer = ConformancePrinter()
            try await StandardOutput.write(results.map { printer.lines($0) }.joined() + "\n" + report.summary + "\n")
        }
        try file?.write(report.junit)
        if !report.isConformant || report.skipped > 0 { throw CommandFailure("", exitCode: .failure) }
    }
}
