import ApusServer
import Logging
import ServiceLifecycle
import UnixSignals
var c = ServerConfiguration()
c.port = Int(CommandLine.arguments[1]) ?? 8080
c.threads = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 1 : 1
var logger = Logger(label: "apus")
logger.logLevel = .warning
OpenFiles.raiseLimit()
let service = ApusService(configuration: c, mode: CommandLine.arguments.contains("echo") ? .echo : .pubSub, logger: logger) { print("listening", $0) }
try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
