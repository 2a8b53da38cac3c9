import ApusClient
import ArgumentParser

/// `apus doctor`: looks for what keeps a server from working well.
struct DoctorCommand: ServerCommand {
    static let title = "apus doctor"
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what keeps a server from working well: limits, disk, clock, proxies, certificate.",
        discussion: """
            Looks at this machine (limits of open files, settings of the kernel), with --data at the folder of a server (free \
            space, file system, how long a flush takes), and at the server: version, clock, certificate, and whether \
            WebSockets and event streams get through what is in between at once. It changes nothing.

            Run it on the machine of the server for its limits, and where clients are for the way to it. The exit code is 1 if \
            something fails; warnings do not count.

            Examples:
              apus doctor
              apus doctor --url https://apus.example.org
              apus doctor --data /var/lib/apus --json
            """
    )

    @Option(help: ArgumentHelp("Look at this folder of a server and its disk, too.", valueName: "dir"))
    var data: String?

    @Flag(help: "Do not look at this machine.")
    var noMachine = false

    @Flag(help: "Print JSON: an object with `ok` and `findings`.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func execute() async throws {
        let address = try connection.address()
        let isNamed = try connection.namesServer()
        let server = ServerChecks(address: address, credential: try connection.credential(), isNamed: isNamed)
        let machine = noMachine ? [] : MachineChecks.ofThisMachine().findings()
        let disk = data.map { DiskChecks(path: $0).findings() } ?? []
        if !json {
            try await StandardOutput.write(FindingText.text("this machine", machine))
            try await StandardOutput.write(FindingText.text("the data", disk))
        }
        let found = try await server.findings()
        let all = machine + disk + found
        try await StandardOutput.write(
            json
                ? FindingText.json(all) : FindingText.text("the server at \(address)", found) + FindingText.summary(all)
        )
        if all.contains(where: { $0.level == .fail }) { throw CommandFailure("") }
    }
}
