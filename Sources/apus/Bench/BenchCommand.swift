import ApusClient
import ApusLoad
import ApusTLS
import ArgumentParser
import NIOCore

/// `apus bench`: puts a server under load, checks every delivery, and reports speed and cost.
struct BenchCommand: ServerCommand {
    static let title = "apus bench"
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put a server under load: rates, latencies, and what they cost it. Every delivery is checked.",
        discussion: """
            Makes topics with a random name, connects subscribers and publishers, publishes, and deletes the topics. \
            With --window each publisher has so many messages on their way (closed loop: how much can it do?). With \
            --rate messages are due at fixed times, and latency counts from then (open loop: how long does it take?). \
            Where the server runs on this machine, its processor time and memory are in the result.

            Exit codes: 0 all well, 1 a delivery was lost without being announced, doubled or out of \
            order, or the server failed, 64 wrong or impossible options, 69 server unreachable, 77 unauthorized.

            Examples:
              apus bench --subs 100 --window 64
              apus bench --subs 100 --rate 1000 --report report.html
              apus bench --preset heavy --duration 30s
              apus bench --connections 10000
            """
    )

    @Argument(help: ArgumentHelp("The server. (env: APUS_URL; default: \(ConnectionOptions.defaultURL))"))
    var url: String?

    @Option(help: "A load by name: light, medium, heavy or extreme. Other options change single numbers of it.")
    var preset: BenchPreset?

    @Option(help: ArgumentHelp("How many subscribers, spread over the topics. (default: 100)", valueName: "n"))
    var subs: Int?

    @Option(help: ArgumentHelp("How many topics. (default: 1)", valueName: "n"))
    var topics: Int?

    @Option(help: ArgumentHelp("How many publishers; each takes all topics in turn. (default: 1)", valueName: "n"))
    var pubs: Int?

    @Option(help: ArgumentHelp("Messages that each publisher has on their way. (default: 64)", valueName: "n"))
    var window: Int?

    @Option(help: ArgumentHelp("Instead: messages per second, of all publishers together.", valueName: "n"))
    var rate: Double?

    @Option(help: ArgumentHelp("Bytes of payload of each message.", valueName: "bytes"))
    var size = 128

    @Option(help: ArgumentHelp("How long to measure.", valueName: "time"))
    var duration = DurationArgument(.seconds(5))

    @Option(help: ArgumentHelp("How long to publish before that.", valueName: "time"))
    var warmup = DurationArgument(.seconds(1))

    @Option(
        help: ArgumentHelp(
            "Instead of --subs: subscribers to which nothing is published, unless there is a --rate.",
            valueName: "n"
        )
    )
    var connections: Int?

    @Option(help: ArgumentHelp("How many of the subscribers stop reading until the end.", valueName: "n"))
    var slow = 0

    @Option(help: "What lets a publisher go on under --window: its ack, or the delivery to a subscriber.")
    var credit = LoadSettings.Credit.ack

    @Option(help: "How to wait for the next message under --rate: auto, spin (precise, takes a core) or sleep.")
    var waiting = LoadSettings.Waiting.auto

    @Option(help: ArgumentHelp("Threads of the generator.", valueName: "n"))
    var threads = 1

    @Option(
        name: .customLong("pid"),
        help: ArgumentHelp("The server's process, where it is not found by itself. Can be repeated.", valueName: "pid")
    )
    var pids: [Int32] = []

    @OptionGroup
    var context: ContextOption

    @OptionGroup
    var credentials: CredentialOptions

    @OptionGroup
    var tls: TLSArguments

    @Flag(help: "Print the result as one JSON document.")
    var json = false

    @Option(help: ArgumentHelp("Write the result with plots to this HTML file.", valueName: "file"))
    var report: String?

    func validate() throws {
        do throws(LoadFailure) {
            _ = try load()
        } catch {
            throw ValidationError(error.message)
        }
    }

    func execute() async throws {
        let layers = try context.layers(url: url)
        let address = try ConnectionOptions.address(url, from: "the argument", tls, layers)
        let credential = try credentials.credential(layers)
        let headers = try await credential.fields()
        let file = try report.map { try ReportFile(path: $0, option: "--report") }
        let control = LoadControl()
        let interrupts = await Interrupts.requests()
        do {
            var settings = try settings(address, headers: headers)
            if address.isSecure { settings.tls = try TLSClientContext(address) }
            try settings.validate()
            try settings.claimFiles()
            let topics = BenchTopics(settings: settings, client: RESTClient(address: address, credential: credential))
            let result = try await Self.run(settings, topics: topics, control: control, interrupts: interrupts)
            try file?.write(HTMLReport(result: result).text)
            try await StandardOutput.write(json ? BenchJSON.text(result) : BenchTable(result: result).text)
            if !result.violations.isEmpty { throw CommandFailure("", exitCode: .failure) }
        } catch let failure as LoadFailure {
            throw CommandFailure(failure)
        } catch let failure as TLSError {
            throw CommandFailure("\(failure)", exitCode: .badConfiguration)
        }
    }

    /// Runs with a progress line until the load is complete or a signal arrives. Deletes the topics afterwards.
    private static func run(
        _ settings: LoadSettings,
        topics: BenchTopics,
        control: LoadControl,
        interrupts: AsyncStream<Void>
    ) async throws -> LoadResult {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await BenchProgress(control: control).run() }
            group.addTask {
                // Ends with the first signal. The run then ends in an orderly way.
                for await _ in interrupts { break }
                if !Task.isCancelled { control.interrupt() }
            }
            defer { group.cancelAll() }
            do {
                try await topics.create(control: control)
                let before = await BenchLoops.read(topics.client)
                var result = try await LoadRun(settings: settings, control: control).run()
                if let before { result.serverLoops = await BenchLoops.read(topics.client)?.since(before) }
                await topics.delete()
                return result
            } catch {
                await topics.delete(quietly: true)
                throw error
            }
        }
    }

    // MARK: Options

    private func load() throws(LoadFailure) -> BenchLoad {
        try BenchLoad(
            .init(
                subscribers: subs,
                topics: topics,
                publishers: pubs,
                window: window,
                rate: rate,
                connections: connections,
                preset: preset
            )
        )
    }

    private func settings(
        _ address: ServerAddress,
        headers: [(name: String, value: String)]
    ) throws(LoadFailure) -> LoadSettings {
        let load = try load()
        let place =
            if let file = address.unixSocket {
                try LoadAddress(unixSocket: file)
            } else {
                try LoadAddress(host: address.host, port: address.port)
            }
        var settings = LoadSettings(
            wire: ApusWireProtocol(host: address.hostHeader, path: address.webSocketPath, headers: headers),
            address: place,
            topicPrefix: "apus-bench-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))-"
        )
        settings.subscribers = load.subscribers
        settings.topics = load.topics
        settings.publishers = load.publishers
        settings.pace = load.pace
        settings.payloadBytes = size
        settings.duration = duration.seconds
        settings.warmup = load.pace == .none ? 0 : warmup.seconds
        settings.stalled = slow
        settings.credit = credit
        settings.waiting = waiting
        settings.threads = threads
        settings.serverPIDs = pids.isEmpty ? nil : pids
        return settings
    }
}

extension TLSClientContext {
    fileprivate convenience init(_ address: ServerAddress) throws(TLSError) {
        let tls = address.tls
        var files: TLSFiles?
        if let certificate = tls.certificate, let key = tls.key { files = TLSFiles(certificate: certificate, key: key) }
        try self.init(host: address.host, authorities: tls.authorities, certificate: files)
    }
}

extension CommandFailure {
    /// The failure for a failure of the load generator.
    init(_ failure: LoadFailure) {
        switch failure.reason {
        case .impossible: self.init(failure.message, exitCode: .usage)
        case .unreachable: self.init(failure.message, exitCode: .unreachable)
        case .refused where failure.message.contains(" 401 "): self.init(failure.message, exitCode: .unauthorized)
        case .refused, .broken: self.init(failure.message)
        }
    }
}
