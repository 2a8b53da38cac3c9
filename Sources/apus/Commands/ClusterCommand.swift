import ApusClient
import ArgumentParser

/// `apus cluster`: the nodes and streams of a cluster.
struct ClusterCommand: ServerCommand {
    static let title = "apus cluster"
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Show the nodes and the streams of a cluster, as one of its nodes knows them.",
        discussion: """
            Needs the right stats or admin on all topics.

            Examples:
              apus cluster
              apus cluster --json | jq '.nodes[] | select(.ready | not)'
            """
    )

    @Flag(help: "Print the server's answer as JSON.")
    var json = false

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    func execute() async throws {
        let text = try await ConsoleClient(connection.restClient())
            .text("/cluster", lackedAs: "cluster", because: "it was not started with --nats")
        if json { return try await StandardOutput.write(text.trimmedEnd + "\n") }
        let report = try ConsoleClient.decode(ClusterReport.self, text)
        try await StandardOutput.write(ClusterTable.lines(report).joined(separator: "\n") + "\n")
    }
}

/// What a node says of its cluster.
struct ClusterReport: Decodable, Sendable {
    struct Stream: Decodable, Sendable {
        var name: String
        var leader: String?
        var lag: Double?
        var messages: Double?
        var bytes: Double?
        var replicas: Int?
        var replicasBehind: Int?
    }

    var asOf: String?
    var nodes: [ClusterNodeRow]
    var streams: [Stream]
}

/// A node, in the answer about the cluster and in the figures for consoles.
struct ClusterNodeRow: Decodable, Sendable {
    var name: String
    var version: String?
    var address: String?
    var uptimeSeconds: Double?
    var ready: Bool?
    var lag: Double?
    var natsServer: String?
    var connections: Double?
    var subscriptions: Double?
    var publishes: Double?
    var deliveries: Double?

    var state: String { ready ?? false ? "ready" : "not ready" }
}

/// The tables of `apus cluster`. The first column is left-aligned, as are texts; numbers are right-aligned.
enum ClusterTable {
    private typealias Column<Row> = (title: String, isNumber: Bool, text: (Row) -> String)

    static func lines(_ report: ClusterReport) -> [String] {
        let nodes: [Column<ClusterNodeRow>] = [
            ("NODE", false, { $0.name }), ("STATE", false, { $0.state }), ("VERSION", false, { $0.version ?? "-" }),
            ("UPTIME", true, { $0.uptimeSeconds.map { TopText.age(milliseconds: $0 * 1000) } ?? "-" }),
            ("BEHIND", true, { TopText.count($0.lag) }), ("CONNECTIONS", true, { TopText.count($0.connections) }),
            ("PUBLISHES/S", true, { TopText.short($0.publishes) }),
            ("DELIVERIES/S", true, { TopText.short($0.deliveries) }),
            ("NATS", false, { $0.natsServer.flatMap { $0.isEmpty ? nil : $0 } ?? "-" }),
        ]
        let streams: [Column<ClusterReport.Stream>] = [
            ("STREAM", false, { $0.name }), ("LEADER", false, { $0.leader ?? "none" }),
            ("BEHIND", true, { TopText.count($0.lag) }), ("MESSAGES", true, { TopText.count($0.messages) }),
            ("SIZE", true, { TopText.bytes($0.bytes) }),
            (
                "COPIES BEHIND", true,
                { stream in stream.replicas.map { "\(stream.replicasBehind ?? 0) of \($0)" } ?? "-" }
            ),
        ]
        return table(nodes, report.nodes) + [""] + table(streams, report.streams)
    }

    private static func table<Row>(_ columns: [Column<Row>], _ rows: [Row]) -> [String] {
        let cells = [columns.map(\.title)] + rows.map { row in columns.map { Terminal.printable($0.text(row)) } }
        let widths = columns.indices.map { index in cells.map { $0[index].count }.max() ?? 0 }
        return cells.map { row in
            let parts = row.enumerated().map { index, text in
                TopText.cell(text, widths[index], right: columns[index].isNumber)
            }
            return parts.joined(separator: "  ").trimmedEnd
        }
    }
}
