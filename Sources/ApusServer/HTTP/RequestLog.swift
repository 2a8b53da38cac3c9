import ApusProtocol
import Logging
import NIOHTTP1

/// Counts and logs answered requests.
struct RequestLog: Sendable {
    /// The longest path that is logged, in characters.
    private static let maxPath = 256

    let logger: Logger
    let metrics: RequestMetrics
    let basePath: BasePath

    /// - Parameter address: the client's address.
    func answered(
        _ id: String,
        method: String,
        path: some StringProtocol,
        status: Int,
        took: Duration,
        address: String
    ) {
        metrics.record(method: method, status: status, took: took)
        // Probes are logged only when they fail.
        let isProbe = basePath.endpoint(at: String(path))?.endpoint.isProbe ?? false
        logger.log(
            level: isProbe && status < 400 ? .debug : .info,
            "request",
            metadata: [
                "request.id": "\(id)", "address": "\(address)", "method": "\(method)",
                "path": "\(path.prefix(Self.maxPath))", "status": "\(status)",
                "us": "\(Int(took / .microseconds(1)))",
            ]
        )
    }

    /// Logs a request that was refused before it reached the router.
    ///
    /// - Parameter head: `nil` when the head could not be parsed.
    func refused(_ problem: Problem, head: HTTPRequestHead?, address: String) {
        metrics.count(problem.code.rawValue)
        metrics.count(method: head?.method.rawValue, status: problem.code.status)
        var metadata: Logger.Metadata = [
            "address": "\(address)", "status": "\(problem.code.status)", "reason": "\(problem.detail)",
        ]
        if let head {
            metadata["method"] = "\(head.method.rawValue)"
            metadata["path"] = "\(head.uri.prefix { $0 != "?" }.prefix(Self.maxPath))"
        }
        logger.info("request refused", metadata: metadata)
    }
}
