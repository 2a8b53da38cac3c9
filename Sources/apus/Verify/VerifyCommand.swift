import ApusClient
import ApusVerify
import ArgumentParser
import NIOCore

/// `apus verify`: proves that a server loses, duplicates and reorders no message, or shows what it did.
struct VerifyCommand: ServerCommand {
    static let title = "apus verify"
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Prove that a server loses, doubles and reorders nothing, however often its clients are cut off.",
        discussion: """
            Publishes numbered messages to topics of its own while subscribers on every transport have their sockets \
            closed and resume from their last position; some read slowly. Checks every offset, every publisher's \
            order, every ack, that all that was acked arrived everywhere, and at the end the server's own counters. It can be \
            run against a server in use; its topics are named apus-verify-SEED-N and deleted afterwards.

            With several URLs, which have to be nodes of one cluster, publishers and subscribers move between them with \
            their positions. At the end every topic is read from each node: all must have the same, in the same order.

            With --data and --restarts it starts a server of its own, kills it while messages are on their way, and \
            starts it again on the same folder. Topics are kept on the disk, every other one with a flush. Clients \
            go on from their positions, and at the end every topic is read again: what was acked or seen must be there.

            The same seed makes the same schedule. Exit codes: 0 proven, 1 violated, 64 wrong usage, 69 server \
            unreachable, 77 unauthorized.

            Examples:
              apus verify http://127.0.0.1:8080
              apus verify https://example.org --duration 10m --subscribers 200 --rate 2000
              apus verify --url http://10.0.0.1:8080,http://10.0.0.2:8080
              apus verify --transports sse,poll --seed 42 --json
              apus verify --data /tmp/kept --restarts 10 --duration 1m
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The server, or nodes of a cluster, with commas. (env: APUS_URL; default: \(ConnectionOptions.defaultURL))",
            valueName: "url"
        )
    )
    var place: String?

    @Option(help: ArgumentHelp("The same, as an option that may be given several times.", valueName: "url"))
    var url: [String] = []

    @Option(help: ArgumentHelp("How long to publish.", valueName: "time"))
    var duration = DurationArgument(.seconds(30))

    @Option(help: ArgumentHelp("What the schedule is made from; made up, and printed, when not given.", valueName: "n"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("How many subscribers.", valueName: "n"))
    var subscribers = 100

    @Option(help: ArgumentHelp("How many publishers; WebSocket and HTTP take turns.", valueName: "n"))
    var publishers = 4

    @Option(help: ArgumentHelp("How many topics.", valueName: "n"))
    var topics = 4

    @Option(help: ArgumentHelp("Messages per second, of all publishers together.", valueName: "n"))
    var rate = 500.0

    @Option(
        help: ArgumentHelp(
            "How subscribers are connected: of ws, v1, sse and poll. (default: all that the server has)",
            valueName: "list"
        )
    )
    var transports: TransportList?

    @Option(
        help: ArgumentHelp(
            "After how long a subscriber's socket is closed. (default: 200ms..2s)",
            valueName: "from..to"
        )
    )
    var dropEvery: DurationRange?

    @Flag(help: "Do not count what the server announced as dropped.")
    var allowDrops = false

    @Option(
        help: ArgumentHelp(
            "Verify a server of its own, which keeps this folder, in place of one at a URL; with --restarts.",
            valueName: "dir"
        )
    )
    var data: String?

    @Option(help: ArgumentHelp("How often that server is killed (kill -9) and started again.", valueName: "n"))
    var restarts: Int?

    @OptionGroup
    var context: ContextOption

    @OptionGroup
    var credentials: CredentialOptions

    @OptionGroup
    var tls: TLSArguments

    @Flag(help: "Print the verdict as JSON.")
    var json = false

    func validate() throws {
        if !(1...100_000).contains(subscribers) { throw ValidationError("--subscribers must be from 1 to 100000") }
        if !(1...1_000).contains(publishers) { throw ValidationError("--publishers must be from 1 to 1000") }
        if !(1...1_000).contains(topics) { throw ValidationError("--topics must be from 1 to 1000") }
        if !(0.1...1_000_000).contains(rate) { throw ValidationError("--rate must be from 0.1 to 1000000") }
        if (data == nil) != (restarts == nil) { throw ValidationError("--data and --restarts belong together") }
        if place != nil, !url.isEmpty { throw ValidationError("give the server either as an argument or by --url") }
        if data != nil, !urls.isEmpty { throw ValidationError("--data starts a server of its own, so give no URL") }
        if let restarts, !(1...1_000).contains(restarts) {
            throw ValidationError("--restarts must be from 1 to 1000")
        }
    }

    private static let mostNodes = 64

    private var urls: [String] { place.map { [$0] } ?? url }

    func execute() async throws {
        let interrupts = await Interrupts.requests()
        guard let data, let restarts else { return try await verify(settings(), interrupts) }
        let server = VerifyServer(data: data)
        let settings = try settings(server, restarts: restarts)
        do {
            try await server.start()
            try await verify(settings, interrupts)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func verify(_ settings: VerifySettings, _ interrupts: AsyncStream<Void>) async throws {
        let control = VerifyControl()
        StandardError.write("verifying \(settings.place) with seed \(settings.seed)\n")
        let verdict: Verdict
        do {
            verdict = try await Self.run(settings, control: control, interrupts: interrupts)
        } catch let failure as VerifyFailure {
            throw CommandFailure(failure)
        }
        try await StandardOutput.write(json ? verdict.json : verdict.text)
        if !verdict.isProven { throw CommandFailure("", exitCode: .failure) }
    }

    /// Runs with a progress line until the verification is complete. A signal ends it early.
    private static func run(
        _ settings: VerifySettings,
        control: VerifyControl,
        interrupts: AsyncStream<Void>
    ) async throws -> Verdict {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await VerifyProgress(control: control).run() }
            group.addTask {
                // Ends with the first signal. The run then ends in an orderly way.
                for await _ in interrupts { break }
                if !Task.isCancelled { control.interrupt() }
            }
            defer { group.cancelAll() }
            return try await VerifyRun(settings: settings, control: control).run()
        }
    }

    private func settings(_ server: VerifyServer? = nil, restarts: Int = 0) throws -> VerifySettings {
        let layers = try context.layers(url: urls.first)
        let addresses =
            try server.map { [try $0.address()] }
            ?? ConnectionOptions.addresses(urls, from: place == nil ? "--url" : "the argument", tls, layers)
        guard addresses.count <= Self.mostNodes else {
            throw CommandFailure("at most \(Self.mostNodes) nodes are verified at once", exitCode: .usage)
        }
        return VerifySettings(
            address: addresses[0],
            others: Array(addresses.dropFirst()),
            credential: try credentials.credential(layers),
            seed: seed ?? UInt64.random(in: 1...0xFFFF_FFFF),
            duration: duration.seconds,
            subscribers: subscribers,
            publishers: publishers,
            topics: topics,
            rate: rate,
            transports: transports?.transports,
            dropEvery: dropEvery?.seconds ?? 0.2...2,
            allowsDrops: allowDrops,
            restarts: server.map { server in VerifyRestarts(count: restarts) { try await server.restart() } }
        )
    }
}

extension CommandFailure {
    /// The failure for a verification that cannot begin.
    init(_ failure: VerifyFailure) {
        self.init(failure.message, exitCode: failure.reason == .unauthorized ? .unauthorized : .failure)
    }
}
