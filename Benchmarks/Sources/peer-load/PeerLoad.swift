import ApusLoad
import ArgumentParser
import Foundation
import PeerProtocols

/// `apus bench` for servers that speak another protocol: the same engine, the same checks, the same figures.
@main
struct PeerLoad: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peer-load",
        abstract: "Measures a server of any of a few protocols and prints one line of JSON.",
        discussion:
            "Where the protocol has topics that are made, they must be there. Exit status 2: nothing was measured."
    )

    @Option(help: "What the server speaks.")
    var `protocol` = WireName.apus
    @Option(name: .customLong("server"), help: "Where it listens, as HOST:PORT.")
    var server: String
    @Option(help: "Path of the WebSocket endpoint, of the protocol apus.")
    var path = "/ws"
    @Option(help: "What the topics' names begin with; a number of six digits follows.")
    var prefix = "bench"
    @Option(help: "Subscribers.")
    var subs = 1
    @Option(help: "Topics; subscribers are spread over them, publishers publish to all in turn.")
    var topics = 1
    @Option(help: "Publishers.")
    var pubs = 1
    @Option(help: "Instead of subscribers and publishers: subscribers to which nothing is published.")
    var connections: Int?
    @Option(help: "Closed loop: messages that each publisher has on their way.")
    var window: Int?
    @Option(help: "Open loop: publishes a second of all publishers together.")
    var rate: Double?
    @Option(
        help: "What lets a publisher go on: ack or delivery; the latter where the protocol has no acks.",
        transform: parseCredit
    )
    var credit: LoadSettings.Credit?
    @Option(help: "Bytes of payload.")
    var size = 128
    @Option(help: "Subscribers that stop reading.")
    var slow = 0
    @Option(help: "Seconds before those that count.")
    var warmup = 1.0
    @Option(help: "Seconds that count.")
    var duration = 5.0
    @Option(help: "Threads.")
    var threads = 1
    @Option(name: .customLong("pid"), help: "The server's processes, one each time; found by the port otherwise.")
    var pids: [Int32] = []

    func validate() throws {
        guard window == nil || rate == nil else { throw ValidationError("--window and --rate exclude each other") }
    }

    func run() async throws {
        do throws(LoadFailure) {
            let result = try await LoadRun(settings: settings()).run()
            let encoder = JSONEncoder()
            // As `apus bench --json` writes it.
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let line = try? encoder.encode(result) else { throw LoadFailure(.broken, "the result is not JSON") }
            FileHandle.standardOutput.write(line + Data("\n".utf8))
        } catch {
            FileHandle.standardError.write(Data("peer-load: \(error.message)\n".utf8))
            throw ExitCode(2)
        }
    }

    private func settings() throws(LoadFailure) -> LoadSettings {
        let parts = server.split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]), (1...65_535).contains(port) else {
            throw LoadFailure(.impossible, "--server must be HOST:PORT")
        }
        let wire = `protocol`.wire(host: server, path: path)
        let address = try LoadAddress(host: String(parts[0]), port: port)
        var settings = LoadSettings(wire: wire, address: address, topicPrefix: prefix)
        settings.topics = topics
        settings.subscribers = connections ?? subs
        settings.publishers = connections == nil ? pubs : 0
        settings.pace = connections != nil ? .none : rate.map { .rate($0) } ?? .window(window ?? 1)
        settings.credit = credit ?? (wire.acknowledgesPublishes ? .ack : .delivery)
        settings.payloadBytes = size
        settings.stalled = slow
        settings.warmup = warmup
        settings.duration = duration
        settings.threads = threads
        if !pids.isEmpty { settings.serverPIDs = pids }
        return settings
    }
}

/// The protocols by name.
enum WireName: String, ExpressibleByArgument, CaseIterable {
    case apus, nats, redis, mqtt, nchan

    func wire(host: String, path: String) -> any LoadProtocol {
        switch self {
        case .apus: ApusWireProtocol(host: host, path: path)
        case .nats: NATSProtocol()
        case .redis: RedisProtocol()
        case .mqtt: MQTTProtocol()
        case .nchan: NchanProtocol(host: host)
        }
    }
}

private func parseCredit(_ text: String) throws -> LoadSettings.Credit {
    guard let credit = LoadSettings.Credit(rawValue: text) else { throw ValidationError("there is no such credit") }
    return credit
}
