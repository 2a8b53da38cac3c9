import ApusClient
import ApusConformance
import ApusProtocol
import ArgumentParser
import NIOCore

/// `apus conformance`: whether a server or a client does what the specification says.
struct ConformanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conformance",
        abstract: "Check whether a server, or a client, does what the protocol says.",
        discussion: """
            Checks any server that claims to speak the protocol, or is a server that checks the client which connects to \
            it.

            Examples:
              apus conformance http://127.0.0.1:8080
              apus conformance http://127.0.0.1:8080 --only 'extension 1' --junit report.xml
              apus conformance client --port 9000
            """,
        subcommands: [ConformanceServerCommand.self, ConformanceClientCommand.self],
        defaultSubcommand: ConformanceServerCommand.self
    )
}

/// `apus conformance server`: the suite for servers.
struct ConformanceServerCommand: ServerCommand {
    static let title = "apus conformance"
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Check whether a server does what the protocol says.",
        discussion: """
            Makes one named check after the other, in both dialects. Which extensions a server has is found out by its \
            answers; checks of the others are skipped. Its topics are named apus-conformance-…, and deleted. Needs the \
            right to do everything with such topics.

            A first Ctrl-C ends it after its topics are deleted, with exit code 1.

            Exit codes: 0 all checks passed or were skipped, 1 one failed, 64 wrong usage, 69 server unreachable, 77 \
            unauthorized.

            Examples:
              apus conformance http://127.0.0.1:8080
              apus conformance server --list
              apus conformance server --only 'v1/publish*' --json
            """
    )

    @Argument(help: ArgumentHelp("The server. (env: APUS_URL; default: \(ConnectionOptions.defaultURL))"))
    var url: String?

    @Option(
        help: ArgumentHelp(
            "Only checks with this in their name, group or section; * stands for anything. May be repeated.",
            valueName: "pattern"
        )
    )
    var only: [String] = []

    @Flag(help: "List the checks with what each expects, and make none.")
    var list = false

    @Option(help: ArgumentHelp("How long an answer may take.", valueName: "time"))
    var timeout = DurationArgument(.seconds(5))

    @Option(help: ArgumentHelp("How long all checks together may take.", valueName: "time"))
    var limit = DurationArgument(.minutes(5))

    @Option(help: ArgumentHelp("Also write the results to this file, as JUnit XML.", valueName: "file"))
    var junit: String?

    @OptionGroup
    var context: ContextOption

    @OptionGroup
    var credentials: CredentialOptions

    @OptionGroup
    var tls: TLSArguments

    @Flag(help: "Print the results as JSON.")
    var json = false

    private var cases: [ConformanceCase] {
        ConformanceCase.all.filter { each in only.isEmpty || only.contains { each.matches($0) } }
    }

    func execute() async throws {
        let cases = cases
        if cases.isEmpty {
            throw CommandFailure("no check matches \(only.joined(separator: ", ")); see --list", exitCode: .usage)
        }
        if list { return try await StandardOutput.write(json ? Self.listJSON(cases) : Self.listText(cases)) }
        let file = try junit.map { try ReportFile(path: $0, option: "--junit") }
        let layers = try context.layers(url: url)
        let address = try ConnectionOptions.address(url, from: "the argument", tls, layers)
        let server = ServerUnderTest(
            address: address.speaking(.base),
            credential: try credentials.credential(layers),
            patience: timeout.duration
        )
        // A server that is not there, or that does not let this client in, is no server that fails.
        _ = try await RESTClient(address: server.address, credential: server.credential).get("/topics")
        let results = try await uninterrupted { try await self.results(of: cases, server) }
        let report = ConformanceReport(subject: address.description, results: results)
        if json { try await StandardOutput.write(report.json) }
        try file?.write(report.junit)
        if results.count < cases.count {
            throw CommandFailure("interrupted: \(results.count) of \(counted(cases.count, "check")) were made")
        }
        if !report.isConformant { throw CommandFailure("", exitCode: .failure) }
    }

    /// Cancels the work with the first signal, and waits until it has cleaned up.
    private func uninterrupted(
        _ work: @escaping @Sendable () async throws -> [ConformanceResult]
    ) async throws -> [ConformanceResult] {
        let interrupts = await Interrupts.requests()
        let working = Task { try await work() }
        let watching = Task {
            for await _ in interrupts { return working.cancel() }
        }
        defer { watching.cancel() }
        return try await working.value
    }

    /// The results until the end, or until the task is cancelled.
    private func results(of cases: [ConformanceCase], _ server: ServerUnderTest) async throws -> [ConformanceResult] {
        let run: ConformanceRun
        do {
            run = try await ConformanceRun(server: server, limit: limit.duration)
        } catch let fault as Fault {
            throw CommandFailure(fault.what)
        } catch is CancellationError {
            return []
        }
        var results: [ConformanceResult] = []
        var printer = ConformancePrinter()
        do {
            for test in cases {
                let result = await run.run(test)
                try Task.checkCancellation()
                results.append(result)
                if !json { try await StandardOutput.write(printer.lines(result)) }
            }
            if !json {
                try await StandardOutput.write("\n" + ConformanceReport(subject: "", results: results).summary + "\n")
            }
        } catch is CancellationError {
            // What was made until then counts.
        }
        return results
    }

    // MARK: Lists

    private static func listText(_ cases: [ConformanceCase]) -> String {
        var table = TextTable(["CHECK", "SECTION", "EXPECTS"])
        for each in cases { table.add([each.name, each.check.place.section, each.check.expects]) }
        return table.text
    }

    private static func listJSON(_ cases: [ConformanceCase]) -> String {
        let checks = cases.map { each in
            let texts = [
                ("name", each.name), ("group", each.check.place.group), ("section", each.check.place.section),
                ("expects", each.check.expects),
            ]
            return "{" + texts.map { "\"\($0)\":\(JSONText.string($1))" }.joined(separator: ",") + "}"
        }
        return "{\"checks\":[\(checks.joined(separator: ","))]}\n"
    }
}
