import ApusServer
import Glibc
import Logging
import ServiceLifecycle

// A server to count instructions of: its main thread waits for the end of the input instead of ending, as that of
// `apus serve` does, which Valgrind does not survive.
//
// Arguments: settings and their values, as in `threads=1`.

let flags = Dictionary(
    CommandLine.arguments.dropFirst().map { argument in
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], Array(parts.dropFirst()))
    },
    uniquingKeysWith: +
)
let configuration = try ServerConfiguration.load(flags: flags, environment: [:]).configuration
let logger = Logger(label: "counted-server", factory: { _ in SwiftLogNoOpLogHandler() })
let service = try ApusService(configuration: configuration, logger: logger)
Task.detached { try await service.run() }
while readLine() != nil {}
exit(0)
