#if NATS
import Foundation
import Glibc
import Testing

/// Real servers of NATS on this machine, with folders of their own. They end with `stop()`.
final class NATSServers {
    private(set) var nodes: [Node] = []
    let folder: URL

    /// Starts servers, as one cluster if there are several, and waits until each takes clients.
    ///
    /// - Parameters:
    ///   - jetStream: what is in that block besides the folder; `nil` for servers without JetStream.
    ///   - more: what else is in their configuration.
    init(_ count: Int = 1, jetStream: String? = "sync_interval: always", more: String = "") async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "apus-nats-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let ports = try FreePorts.take(count * 2)
        let routes = ports.suffix(count).map { "\"nats://127.0.0.1:\($0)\"" }.joined(separator: ", ")
        for index in 0..<count {
            let name = "n\(index + 1)"
            var lines = ["server_name: \(name)", "listen: \"127.0.0.1:\(ports[index])\"", more]
            if let jetStream {
                lines.append("jetstream { store_dir: \"\(folder.path)/\(name)\"\n \(jetStream)\n }")
            }
            if count > 1 {
                lines.append("cluster { name: c, listen: \"127.0.0.1:\(ports[count + index])\", routes: [\(routes)] }")
            }
            let file = folder.appending(path: "\(name).conf")
            try Data(lines.joined(separator: "\n").utf8).write(to: file)
            nodes.append(Node(name: name, port: ports[index], configuration: file))
        }
        for node in nodes { try node.start() }
        for node in nodes { try await node.takesClients() }
    }

    var urls: [String] { nodes.map(\.url) }

    /// Ends the servers, however they are, and removes their folder.
    func stop() {
        for node in nodes { node.kill() }
        try? FileManager.default.removeItem(at: folder)
    }

    /// What a server wrote, for a test that has failed.
    var log: String {
        nodes.map { (try? String(contentsOf: $0.log, encoding: .utf8)) ?? "" }.joined(separator: "\n")
    }

    final class Node {
        let name: String
        let port: Int
        let configuration: URL
        private var process: Process?

        init(name: String, port: Int, configuration: URL) {
            self.name = name
            self.port = port
            self.configuration = configuration
        }

        var url: String { "nats://127.0.0.1:\(port)" }
        var log: URL { configuration.deletingPathExtension().appendingPathExtension("log") }

        static let program: String = {
            if let path = ProcessInfo.processInfo.environment["APUS_NATS_SERVER"] { return path }
            let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../..")
            return root.appending(path: ".venv/bin/nats-server").standardizedFileURL.path
        }()

        func start() throws {
            let process = Process()
            process.executableURL = URL(filePath: Self.program)
            process.arguments = ["-c", configuration.path, "-l", log.path]
            try process.run()
            self.process = process
        }

        /// Waits until the server takes connections.
        func takesClients() async throws {
            try await waitUntil("\(name) takes clients") { FreePorts.isTaken(self.port) }
        }

        func signal(_ signal: CInt) {
            guard let process, process.isRunning else { return }
            _ = Glibc.kill(process.processIdentifier, signal)
        }

        /// Ends the process without a word, and waits until it is gone.
        func kill() {
            signal(SIGKILL)
            process?.waitUntilExit()
            process = nil
        }
    }
}

/// Ports of this machine that nobody has at the moment.
enum FreePorts {
    static func take(_ count: Int) throws -> [Int] {
        var descriptors: [CInt] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            descriptors.append(descriptor)
            var address = loopback(0)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let status = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            try #require(status)
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }

    static func isTaken(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        return address
    }
}

/// Looks again and again until something is so. A minute is enough on a busy machine.
func waitUntil(
    _ what: String,
    isolation: isolated (any Actor)? = #isolation,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        try #require(ContinuousClock.now < end, "in vain: \(what)", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(20))
    }
}
#endif
