import ApusProtocol
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOHTTP1

/// Sends spans to an OpenTelemetry collector: OTLP/HTTP in its JSON encoding.
///
/// ```
/// spans that end ──► SpanQueue (bounded) ──► a request with up to 512, each second or when so many wait
/// ```
/// It is a task of its own. A collector that is slow or gone costs spans, and nothing else.
struct SpanExporter: Sendable {
    /// The most spans of a request.
    static let batch = 512
    private static let interval = Duration.seconds(1)
    /// How long a request may take, and how long the one repetition of a request waits.
    private static let (timeout, backoff) = (TimeAmount.seconds(5), Duration.seconds(1))
    /// How long a server that stops waits for its last spans to be taken.
    private static let flushTimeout = Duration.seconds(2)
    private static let maxAnswer = 64 * 1024

    /// Exists as long as the process, so nobody has to shut it down.
    private static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration()
            // The header fields may have a credential, which is for this address alone.
            configuration.redirectConfiguration = .disallow
            configuration.connectionPool.idleTimeout = .seconds(10)
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )

    /// The collector refused the spans, and would again.
    private struct Refused: Error {
        let status: UInt
    }

    private let settings: ServerConfiguration.Tracing
    private let queue: SpanQueue
    private let instance = UUID().uuidString.lowercased()
    private let logger: Logger

    init(_ settings: ServerConfiguration.Tracing, queue: SpanQueue, logger: Logger) {
        self.settings = settings
        self.queue = queue
        self.logger = logger
    }

    /// Sends spans until its task is cancelled.
    func run() async {
        let clock = Task { [queue] in
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                queue.wake()
            }
        }
        defer { clock.cancel() }
        var isFailing = false
        for await _ in queue.wakeups {
            while !Task.isCancelled {
                let spans = queue.take(upTo: Self.batch)
                guard !spans.isEmpty else { break }
                let failure = await export(spans, within: Self.timeout, tries: 2)
                guard !Task.isCancelled || failure == nil else { return queue.putBack(spans) }
                if failure != nil { queue.settle(exported: 0, dropped: spans.count) }
                // One line for each time that it begins, and none for each request.
                if let failure, !isFailing { warn(failure) }
                if failure == nil, isFailing { logger.notice("the collector takes spans again") }
                isFailing = failure != nil
            }
        }
    }

    /// Sends what is left, once ``run()`` has ended and no more spans end.
    func flush() async {
        let deadline = ContinuousClock.now + Self.flushTimeout
        while true {
            let spans = queue.take(upTo: Self.batch)
            let left = ContinuousClock.now.duration(to: deadline)
            guard !spans.isEmpty, left > .zero else { return }
            if let failure = await export(spans, within: TimeAmount(left), tries: 1) { return warn(failure) }
        }
    }

    private func warn(_ failure: any Error) {
        var reason = "\(failure)"
        if let refused = failure as? Refused { reason = "it answered \(refused.status)" }
        logger.warning(
            "the collector does not take spans, which are dropped",
            metadata: ["address": "\(settings.endpoint)", "error": "\(reason)"]
        )
    }

    /// - Returns: why it failed; `nil` if the collector has them.
    private func export(_ spans: [EndedSpan], within timeout: TimeAmount, tries: Int) async -> (any Error)? {
        let service = (name: settings.serviceName, version: apusVersion, instance: instance)
        let body = OTLPRequest(spans, service: service).json
        for left in (0..<tries).reversed() {
            do {
                let rejected = min(try await send(body, within: timeout), spans.count)
                queue.settle(exported: spans.count - rejected, dropped: rejected)
                return nil
            } catch {
                if left > 0, !(error is Refused), (try? await Task.sleep(for: Self.backoff)) != nil { continue }
                return error
            }
        }
        return nil
    }

    /// - Returns: how many spans the collector did not take.
    /// - Throws: ``Refused`` where it is of no use to try again.
    private func send(_ body: ByteBuffer, within timeout: TimeAmount) async throws -> Int {
        var request = HTTPClientRequest(url: settings.endpoint)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "apus/\(apusVersion)")
        for field in settings.headers {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            request.headers.replaceOrAdd(name: String(parts[0]), value: String(parts[1]))
        }
        request.body = .bytes(body)
        let response = try await Self.http.execute(request, timeout: timeout)
        let answer = try await response.body.collect(upTo: Self.maxAnswer)
        switch response.status.code {
        case 200..<300: return Self.rejected(answer)
        case 429, 502, 503, 504: throw HTTPClientError.remoteConnectionClosed
        default: throw Refused(status: response.status.code)
        }
    }

    /// How many spans a collector that took the request did not take: `{"partialSuccess":{"rejectedSpans":"3"}}`.
    private static func rejected(_ answer: ByteBuffer) -> Int {
        guard case .object(let members)? = JSONValue(String(buffer: answer)),
            case .object(let partial)? = members.last(where: { $0.name == "partialSuccess" })?.value
        else { return 0 }
        switch partial.last(where: { $0.name == "rejectedSpans" })?.value {
        case .string(let text), .number(let text): return max(Int(text) ?? 0, 0)
        default: return 0
        }
    }
}
