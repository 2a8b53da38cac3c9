import ApusBroker
import ApusJournal
import ApusProtocol
import NIOCore

/// The metrics at `/metrics`. The event loops keep their own counters, which are collected for each scrape, so counting
/// costs only an addition.
struct ServerMetrics: Sendable {
    let registry: MetricsRegistry
    let requests: RequestMetrics
    let reloads = ReloadRecord()
    let contexts: LoopContexts
    private let pubSub: PubSub
    private let broker: any Broker
    private let process = ProcessMetrics()
    private let consoles: ConsoleSeats
    private let tls: TLSInForce?
    private let recentLog: RecentLog

    /// - Parameters:
    ///   - consoles: those that are open.
    ///   - tls: the certificates in force, if the server speaks TLS.
    ///   - recentLog: where warnings are counted.
    init(
        registry: MetricsRegistry,
        contexts: LoopContexts,
        pubSub: PubSub,
        broker: any Broker,
        consoles: ConsoleSeats = ConsoleSeats(),
        tls: TLSInForce? = nil,
        recentLog: RecentLog = RecentLog()
    ) {
        self.registry = registry
        self.requests = RequestMetrics(registry: registry, isTraced: contexts.spans != nil)
        self.contexts = contexts
        self.pubSub = pubSub
        self.broker = broker
        self.consoles = consoles
        self.tls = tls
        self.recentLog = recentLog
    }

    /// The metrics of one loop.
    fileprivate struct Share: Sendable {
        var hub: HubCounters
        var context: LoopCounters
        var connections: Int
        var streams: Int
        var loop: String
        var loopLag: LatencyHistogram
    }

    /// All metrics in Prometheus' text format, or in that of OpenMetrics.
    func text(isOpenMetrics: Bool = false) async -> ByteBuffer {
        let shares = await contexts.collect { context in
            Share(
                hub: context.hub.report(),
                context: context.counters,
                connections: context.connectionCount,
                streams: context.streamCount,
                loop: context.loopName,
                loopLag: context.hub.loopLag
            )
        }
        var hub = shares.reduce(await pubSub.report()) { $0 + $1.hub }
        // A hub counts what is published through it.
        hub.matched += broker.journal?.figures.matched ?? 0
        let families = broker.topics.reduce((count: 0, bytes: 0)) { ($0.count + 1, $0.bytes + $1.logBytes) }
        var all = Self.messages(hub) + Self.connections(shares) + Self.compression(hub.compression, shares)
        all += [Self.loopLag(shares), Self.delivery(hub.deliveryTimes)]
        all += [
            .gauge("apus_topics", "Topics that exist.", families.count),
            .gauge("apus_log_bytes", "Bytes of frames that topics keep.", families.bytes),
            .counter("apus_messages_purged_total", "Messages that purges took out of history.", broker.purgedCount),
            .gauge("apus_filters", "Patterns subscribed to.", broker.filterCount),
            .gauge(
                "apus_subscriptions",
                "Subscriptions to topics, those that patterns brought too.",
                hub.subscriptions
            ),
            .gauge("apus_subscriptions_waiting", "Subscriptions whose topic is not there yet.", hub.waiting),
            Self.limited(hub, shares),
            .gauge("apus_consoles", "Consoles that are open.", consoles.count),
            .gauge("apus_publish_budgets", "Publishers whose rate is watched.", contexts.budgets.count),
        ]
        all += await memory(logs: families.bytes, drops: hub.dropLogBytes)
        all += reloads.families
        all += Self.readiness(isDraining: contexts.isDraining.isSet, broker.journal?.failure)
        all += Self.limits(contexts.settings.limits) + [Self.log(recentLog.counts)]
        if let journal = broker.journal { all += Self.journal(journal, contexts.settings.storage) }
        if let journal = broker.journal as? ClusterJournal { all.append(Self.notesLeftOut(journal)) }
        if let tls { all += tls.families + [Self.handshakes(shares)] }
        if let spans = contexts.spans { all += Self.spans(spans.queue.figures) }
        all += [Self.build] + process.families + registry.families
        return isOpenMetrics ? OpenMetricsText.write(all, await exemplars()) : PrometheusText.write(all)
    }

    /// The usual build metric: always 1, with the version as a label, so that it can be joined with any other metric.
    private static let build = MetricFamily(
        name: "apus_build_info",
        help: "The version of the server that runs.",
        kind: .gauge,
        samples: [.init(["version": apusVersion], .integer(1))]
    )

    private static func messages(_ hub: HubCounters) -> [MetricFamily] {
        [
            .counter("apus_messages_published_total", "Messages taken into logs.", hub.published),
            .counter("apus_messages_duplicate_total", "Messages not taken, as their ids were known.", hub.duplicates),
            .counter("apus_messages_matched_total", "Messages times subscriptions they were for.", hub.matched),
            .counter("apus_messages_replayed_total", "Kept messages that subscriptions asked for again.", hub.replayed),
            .counter("apus_messages_delivered_total", "Messages handed to a subscriber's connection.", hub.delivered),
            MetricFamily(
                name: "apus_messages_dropped_total",
                help: "Messages that a subscription did not get, by policy.",
                kind: .counter,
                samples: [
                    .init(["reason": "drop-oldest"], .integer(Int(hub.droppedOldest))),
                    .init(["reason": "drop-newest"], .integer(Int(hub.droppedNewest))),
                    .init(["reason": "topic-bytes"], .integer(Int(hub.droppedBytes))),
                    .init(["reason": "ended"], .integer(Int(hub.droppedEnded))),
                ]
            ),
            .counter("apus_messages_expired_total", "Messages passed by because their time was up.", hub.expired),
            .counter("apus_messages_conflated_total", "Messages a later one with their key replaced.", hub.conflated),
            .counter("apus_messages_own_total", "Messages not echoed to who published them.", hub.selfPublished),
            .gauge("apus_messages_pending", "Messages still to be delivered.", Int(hub.pending)),
            .gauge("apus_lag_messages_max", "The most that any subscription is behind.", Int(hub.largestLag)),
            .gauge("apus_throttled_publishers", "Publishers that wait for a subscriber.", hub.throttledPublishers),
            .gauge("apus_held_publishers", "Publishers that wait for an event loop.", hub.heldPublishers),
            .counter("apus_publishes_held_total", "Publishes put off because a loop was behind.", hub.held),
        ]
    }

    private static func limited(_ hub: HubCounters, _ shares: [Share]) -> MetricFamily {
        var counts = ["topic": hub.rateLimited]
        for name in RateLimits.Name.allCases {
            counts[name.rawValue] = shares.reduce(0) { $0 + $1.context.limited[name, default: 0] }
        }
        let help = "Commands and requests refused because of a rate limit."
        return .counter("apus_rate_limited_total", help, counts, label: "limit")
    }

    private static func loopLag(_ shares: [Share]) -> MetricFamily {
        MetricFamily(
            name: "apus_loop_lag_seconds",
            help: "How late an event loop came to what other loops had for it, and to its timers.",
            kind: .histogram,
            samples: shares.map { share in
                .init(["loop": share.loop], .histogram(HistogramValue(share.loopLag)))
            }
        )
    }

    private static func delivery(_ times: LatencyHistogram) -> MetricFamily {
        MetricFamily(
            name: "apus_delivery_seconds",
            help: "How long the oldest message of a turn took from its publisher to all sockets.",
            kind: .histogram,
            samples: [.init([:], .histogram(HistogramValue(times)))]
        )
    }

    private static func handshakes(_ shares: [Share]) -> MetricFamily {
        let counts = [
            "ok": shares.total(\.tlsHandshakes.ok),
            "failed": shares.total(\.tlsHandshakes.failed),
            "abandoned": shares.total(\.tlsHandshakes.abandoned),
        ]
        return .counter("apus_tls_handshakes_total", "TLS handshakes that ended.", counts, label: "result")
    }

    private static func compression(_ deflated: MessageCompressor.Counters, _ shares: [Share]) -> [MetricFamily] {
        [
            .counter(
                "apus_connections_compressed_total",
                "WebSockets opened with permessage-deflate.",
                shares.total(\.openedCompressed)
            ),
            .counter("apus_compressed_messages_total", "Messages compressed, once for all readers.", deflated.messages),
            .counter("apus_compression_input_bytes_total", "Bytes of these before.", deflated.input),
            .counter("apus_compression_output_bytes_total", "Bytes of these after.", deflated.output),
            .counter(
                "apus_decompression_input_bytes_total",
                "Bytes of messages that clients compressed.",
                shares.total(\.inflatedInput)
            ),
            .counter(
                "apus_decompression_output_bytes_total",
                "Bytes that these came to.",
                shares.total(\.inflatedOutput)
            ),
        ]
    }

    private static func connections(_ shares: [Share]) -> [MetricFamily] {
        var errors = Dictionary(uniqueKeysWithValues: ErrorCode.allCases.map { ($0.rawValue, UInt64(0)) })
        var closed = Dictionary(uniqueKeysWithValues: Disconnect.reasons.map { ($0, UInt64(0)) })
        closed["DISCONNECTED"] = 0
        for share in shares {
            for (code, count) in share.context.errors { errors[code.rawValue, default: 0] += count }
            var byServer: UInt64 = 0
            for (reason, count) in share.context.closed {
                closed[reason, default: 0] += count
                byServer += count
            }
            let ended = share.context.opened - min(UInt64(share.connections), share.context.opened)
            closed["DISCONNECTED", default: 0] += ended - min(byServer, ended)
        }
        let kinds: [(String, Command.Kind)] = [
            ("subscribe", .subscribe), ("unsubscribe", .unsubscribe), ("publish", .publish), ("ping", .ping),
            ("auth", .auth),
        ]
        return [
            MetricFamily(
                name: "apus_connections",
                help: "Open connections; event streams with the requests that wait.",
                kind: .gauge,
                samples: [
                    .init(["transport": "websocket"], .integer(shares.reduce(0) { $0 + $1.connections })),
                    .init(["transport": "sse"], .integer(shares.reduce(0) { $0 + $1.streams })),
                ]
            ),
            .counter("apus_connections_opened_total", "WebSockets opened.", shares.total(\.opened)),
            .counter("apus_connections_closed_total", "WebSockets closed, by reason.", closed, label: "reason"),
            .counter("apus_errors_total", "Errors told to WebSocket and stream clients.", errors, label: "code"),
            .counter(
                "apus_commands_total",
                "Commands of WebSocket clients.",
                Dictionary(
                    uniqueKeysWithValues: kinds.map { name, kind in
                        (name, shares.reduce(0) { $0 + $1.context.count(of: kind) })
                    }
                ),
                label: "type"
            ),
            .counter("apus_received_bytes_total", "Bytes read from WebSockets.", shares.total(\.receivedBytes)),
            .counter("apus_sent_bytes_total", "Bytes given to WebSockets and streams.", shares.total(\.sentBytes)),
        ]
    }
}

extension MetricFamily {
    static func counter(_ name: String, _ help: String, _ value: UInt64) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .counter, value: .integer(Int(value)))
    }

    static func counter(
        _ name: String,
        _ help: String,
        _ values: [String: UInt64],
        label: String
    ) -> MetricFamily {
        let samples = values.sorted { $0.key < $1.key }.map { key, value in
            Sample(MetricLabels([(label, key)]), .integer(Int(value)))
        }
        return MetricFamily(name: name, help: help, kind: .counter, samples: samples)
    }

    static func gauge(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .gauge, value: .integer(value))
    }
}

extension [ServerMetrics.Share] {
    fileprivate func total(_ path: KeyPath<LoopCounters, UInt64>) -> UInt64 {
        reduce(0) { $0 + $1.context[keyPath: path] }
    }
}
