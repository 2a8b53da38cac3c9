import ApusClient
import ArgumentParser

/// `apus doctor`: looks for what keeps a server from working well.
struct DoctorCommand: ServerCommand {
    static let title = "apus doctor"
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what keeps a server from working well: limits, disk, clock, proxies, certificate, NATS.",
        discussion: """
            Looks at this machine (limits of open files, settings of the kernel), with --data at the folder of a server (free \
            space, file system, how long a flush takes), and at the server: version, clock, certificate, and whether \
            WebSockets and event streams get through what is in between at once, and with --idle whether they stay open when \
            nothing is sent. It changes nothing.

            With --nats it looks at the NATS servers of a cluster, as a node with the same settings would: version, JetStream, \
            how they write, limits, permissions, streams, leaders, copies that are behind. The server is then looked at only \
            if it is named.

            Run it on the machine of the server for its limits, and where clients are for the way to it. The exit code is 1 if \
            something fails; warnings do not count.

            Examples:
              apus doctor
              apus doctor --url https://apus.example.org --idle 1m
              apus doctor --data /var/lib/apus --json
              apus doctor --nats nats://10.0.0.1:4222,nats://10.0.0.2:4222 --nats-creds apus.creds
            """
    )

    @Option(help: ArgumentHelp("Look at this folder of a server and its disk, too.", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "Hold an event stream and a WebSocket open for so long, and see whether something cuts them.",
            valueName: "time"
        )
    )
    var idle: DurationArgument?

    @Flag(help: "Do not look at this machine.")
    var noMachine = false

    @Flag(help: "Print JSON: an object with `ok` and `findings`.")
    var json = false

    @OptionGroup(title: "Cluster")
    var cluster: NATSOptions

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func validate() throws {
        if let idle, !(1000...3_600_000).contains(idle.milliseconds) {
            throw ValidationError("--idle must be from 1s to 1h")
        }
    }

    func execute() async throws {
        let address = try connection.address()
        let isNamed = try connection.namesServer()
        let server = ServerChecks(
            address: address,
            credential: try connection.credential(),
            isNamed: isNamed,
            idle: idle?.duration
        )
        let machine = noMachine ? [] : MachineChecks.ofThisMachine().findings()
        let disk = data.map { DiskChecks(path: $0).findings() } ?? []
        if !json {
            try await StandardOutput.write(FindingText.text("this machine", machine))
            try await StandardOutput.write(FindingText.text("the data", disk))
        }
        let nats = try await cluster.findings()
        if !json { try await StandardOutput.write(FindingText.text("NATS", nats)) }
        let found = nats.isEmpty || isNamed ? try await server.findings() : []
        let all = machine + disk + nats + found
        try await StandardOutput.write(
            json
                ? FindingText.json(all) : FindingText.text("the server at \(address)", found) + FindingText.summary(all)
        )
        if all.contains(where: { $0.level == .fail }) { throw CommandFailure("") }
    }
}
