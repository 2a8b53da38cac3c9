import ApusProtocol

/// The rate limits on clients; `nil` where there is none.
///
/// A value: each ``LoopContext`` has a copy, so that nothing is looked up or locked where no limit is set.
/// ``Engine/take(_:)`` gives all loops another one while the server runs.
struct RateLimits: Sendable, Equatable {
    /// Which limit was reached, as in metrics. ``ApusBroker`` keeps the limit of topics.
    enum Name: String, Sendable, CaseIterable {
        case command
        case publish
        case publishBytes = "publish_bytes"
    }

    /// A limit is reached.
    struct Refusal: Equatable {
        let limit: Name
        /// When to try again, in milliseconds; at least 1.
        let wait: Int64

        /// For the client.
        var message: String {
            switch limit {
            case .command: "This connection sends more commands than 'command_rate' allows"
            case .publish: "This client publishes more messages than 'publish_rate' allows"
            case .publishBytes: "This client publishes more bytes than 'publish_bytes_rate' allows"
            }
        }

        var problem: Problem { .rateLimited(message, wait: wait) }
    }

    /// Commands of one connection.
    let command: RateLimit?
    /// Messages that one client publishes, over all its connections and requests.
    let publish: RateLimit?
    /// Bytes of these messages.
    let publishBytes: RateLimit?

    init(_ rates: ServerConfiguration.Rates) {
        command = RateLimit(rates.command, burst: rates.commandBurst)
        publish = RateLimit(rates.publish, burst: rates.publishBurst)
        publishBytes = RateLimit(rates.publishBytes, burst: rates.publishBytesBurst)
    }

    var isOff: Bool { command == nil && !limitsPublishes }
    var limitsPublishes: Bool { publish != nil || publishBytes != nil }

    /// How many commands or messages the limits allow in ten seconds.
    var worthOfTenSeconds: Int {
        [command, publish].compactMap { $0?.rate.perTenSeconds }.max() ?? 0
    }
}
