import ApusProtocol
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing

@testable import ApusServer

/// What is logged and counted of a request.
@Suite struct RequestLogTests {
    private let lines = NIOLockedValueBox<[String]>([])
    private let registry = MetricsRegistry()

    private func log(basePath: String = "") -> RequestLog {
        let lines = lines
        let logger = Logger(label: "test") { _ in
            LogOutput(
                format: .text,
                level: LogLevel(.debug),
                metadataProvider: nil,
                now: { Timestamp(milliseconds: 0) }
            ) {
                line in
                lines.withLockedValue { $0.append(line) }
            }
        }
        return RequestLog(
            logger: logger,
            metrics: RequestMetrics(registry: registry),
            basePath: BasePath(basePath)
        )
    }

    /// The line that came since the last time, without its time.
    private func line() -> String {
        lines.withLockedValue { lines in
            defer { lines = [] }
            #expect(lines.count == 1)
            return lines.joined().split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
        }
    }

    private var scrape: String { String(buffer: PrometheusText.write(registry.families)) }

    @Test func `an answered request is one line, and counts by its method and status`() {
        log().answered("7", method: "GET", path: "/topics", status: 404, took: .microseconds(12), address: "a:1")
        let line = line()
        for part in ["request.id=7", "address=a:1", "method=GET", "path=/topics", "status=404", "us=12"] {
            #expect(line.contains(part), "\(part) in \(line)")
        }
        log().answered("8", method: "BREW", path: "/topics", status: 405, took: .zero, address: "")
        let scrape = scrape
        #expect(scrape.contains(#"apus_http_requests_total{method="GET",status="404"} 1"#))
        #expect(scrape.contains(#"apus_http_requests_total{method="other",status="405"} 1"#))
        #expect(scrape.contains("apus_http_request_duration_seconds_count 2"))
    }

    @Test func `probes are logged only when they fail`() {
        for (basePath, path, status, level) in [
            ("", "/health", 200, "debug"), ("", "/livez", 503, "info"), ("", "/v1/health", 200, "debug"),
            ("/a", "/a/metrics", 200, "debug"), ("/a", "/readyz", 200, "debug"), ("/a", "/health", 200, "info"),
            ("", "/topics", 200, "info"),
        ] {
            log(basePath: basePath)
                .answered("", method: "GET", path: path, status: status, took: .zero, address: "")
            #expect(line().lowercased().contains(level), "\(basePath) \(path) \(status)")
        }
    }

    @Test func `a long path is cut`() {
        let path = "/" + String(repeating: "x", count: 300)
        log().answered("", method: "GET", path: path, status: 200, took: .zero, address: "")
        let line = line()
        #expect(line.contains("path=\(path.prefix(256)) ") && !line.contains(path.prefix(257)))
    }

    @Test func `a refused request is told with its reason, and without its query`() {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/topics?api_key=secret")
        log().refused(Problem(.badRequest, "why"), head: head, address: "a:1")
        let line = line()
        #expect(line.contains("reason=why") && line.contains("path=/topics") && !line.contains("secret"))
        log().refused(Problem(.badRequest, "why"), head: nil, address: "a:1")
        let scrape = scrape
        #expect(scrape.contains(#"apus_http_requests_total{method="GET",status="400"} 1"#))
        #expect(scrape.contains(#"apus_http_requests_total{method="other",status="400"} 1"#))
        #expect(scrape.contains(#"apus_errors_total{code="BAD_REQUEST"} 2"#))
    }
}
