#if NATS
/// A stream as Apus needs it.
package struct StreamPlan: Sendable, Equatable {
    /// Streams for topics; a topic's stream follows from its name for ever.
    package static let topicStreams = 8
    /// How long a stream remembers the ids of messages, so that one that is sent again is acknowledged as the first.
    static let duplicateWindow = Duration.seconds(10)

    package let name: String
    let config: [String: Setting]

    init(name: String, subjects: String, messagesPerSubject: Int, replicas: Int) {
        self.name = name
        config = [
            "name": .text(name),
            "subjects": .texts([subjects]),
            "num_replicas": .number(Int64(replicas)),
            "storage": .text("file"),
            "retention": .text("limits"),
            "discard": .text("old"),
            "max_msgs_per_subject": .number(Int64(messagesPerSubject)),
            "max_msgs": .number(-1),
            "max_bytes": .number(-1),
            "max_age": .number(0),
            "max_msg_size": .number(-1),
            "max_consumers": .number(-1),
            "duplicate_window": .number(Int64(Self.duplicateWindow / .nanoseconds(1))),
            "deny_delete": .flag(true),
            "deny_purge": .flag(false),
            "allow_rollup_hdrs": .flag(false),
            "allow_direct": .flag(true),
            "no_ack": .flag(false),
            "sealed": .flag(false),
        ]
    }

    /// Eight streams for the packs of topics, and one for the topics themselves.
    package static func all(_ settings: NATSSettings) -> [StreamPlan] {
        let names = (0..<topicStreams).map { "\($0)" } + ["registry"]
        return names.map { name in
            StreamPlan(
                name: "\(settings.prefix)_\(name)",
                subjects: "\(settings.prefix).\(name).*",
                messagesPerSubject: name == "registry" ? 1 : settings.packsPerTopic,
                replicas: settings.replicas
            )
        }
    }

    /// Settings that would change what the stream keeps or says, so that it may not have them, whatever they are.
    private static let foreign = [
        "mirror", "sources", "subject_transform", "republish", "subject_delete_marker_ttl", "allow_msg_counter",
    ]

    /// The first setting of a stream that is not as planned.
    ///
    /// Old servers ignore settings that they do not know. So what comes back after making a stream is compared, too.
    func difference(from config: [String: Setting]) -> (setting: String, has: String, wants: String)? {
        for (setting, wanted) in self.config.sorted(by: { $0.key < $1.key }) {
            // What is false or empty is left out.
            let has = config[setting] ?? (wanted == .flag(false) ? .flag(false) : .other)
            if has != wanted { return (setting, config[setting]?.description ?? "not set", wanted.description) }
        }
        if let setting = Self.foreign.first(where: { config[$0] != nil && config[$0] != .flag(false) }) {
            return (setting, config[setting]?.description ?? "", "not set")
        }
        // With it, a message is acknowledged before it is on the disk.
        if let mode = config["persist_mode"], mode != .text("default"), mode != .text("") {
            return ("persist_mode", mode.description, "default")
        }
        return nil
    }
}

extension NATSConnection {
    /// How long to wait for a cluster that is just starting.
    static let patience = Duration.seconds(30)

    /// Makes the streams that are not there. Several nodes may do so at the same time.
    ///
    /// - Throws: if there is a stream of that name with other settings, or one cannot be made.
    package func ensureStreams() async throws(NATSFailure) {
        for plan in StreamPlan.all(settings) {
            let stream = try await ensure(plan)
            guard let (setting, has, wants) = plan.difference(from: stream.config) else { continue }
            throw NATSFailure(
                .foreignStream,
                """
                The stream \(plan.name) has \(setting) \(has) where Apus needs \(wants); change it with \
                `nats stream edit \(plan.name)`, or set --nats-prefix to a name that nothing else uses.
                """
            )
        }
    }

    private func ensure(_ plan: StreamPlan) async throws(NATSFailure) -> StreamInfo {
        let end = ContinuousClock.now + Self.patience
        while true {
            do throws(JetStreamFailure) {
                do throws(JetStreamFailure) {
                    return try await streamInfo(plan.name)
                } catch .refused(let refusal) where refusal.reason == JetStreamRefusal.Reason.streamNotFound {
                    return try await createStream(plan)
                }
            } catch {
                switch error {
                // Somebody else has just made it; the next round compares the settings.
                case .refused(let refusal) where refusal.reason == JetStreamRefusal.Reason.streamNameInUse: break
                // The other servers may be coming.
                case .refused(let refusal)
                where refusal.reason == JetStreamRefusal.Reason.noPeers && ContinuousClock.now < end: break
                case .refused(let refusal) where refusal.reason != JetStreamRefusal.Reason.notAvailable:
                    throw NATSFailure.making(plan, refusal, settings)
                case .refused, .noResponders, .timedOut, .disconnected, .tooMany: break
                case .tooLarge, .unreadable:
                    throw NATSFailure(
                        .refused,
                        "What JetStream says of the stream \(plan.name) is not understood: \(error)."
                    )
                }
                guard ContinuousClock.now < end else {
                    throw NATSFailure(
                        .noAnswer,
                        """
                        JetStream does not answer for the stream \(plan.name) (\(error)); see that a majority of the \
                        NATS servers runs.
                        """
                    )
                }
                try? await Task.sleep(for: .milliseconds(Int64.random(in: 100...300)))
            }
        }
    }
}

extension NATSFailure {
    fileprivate static func making(
        _ plan: StreamPlan,
        _ refusal: JetStreamRefusal,
        _ settings: NATSSettings
    ) -> NATSFailure {
        switch refusal.reason {
        case JetStreamRefusal.Reason.replicasInOneServer, JetStreamRefusal.Reason.noPeers:
            NATSFailure(
                .tooFewServers,
                """
                The stream \(plan.name) cannot have \(settings.replicas) copies (\(refusal.text)); run at least so many \
                NATS servers with JetStream as one cluster, or set --nats-replicas 1.
                """
            )
        case JetStreamRefusal.Reason.subjectsOverlap:
            NATSFailure(
                .foreignStream,
                """
                Another stream has subjects of \(plan.name) (\(refusal.text)); remove it, or set --nats-prefix to a name \
                that nothing else uses.
                """
            )
        default:
            NATSFailure(
                .refused,
                """
                The stream \(plan.name) cannot be made (\(refusal.text), \(refusal.reason)); give the account of --nats \
                the streams and the storage for it.
                """
            )
        }
    }
}
#endif
