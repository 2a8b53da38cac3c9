public import ApusBroker
import ApusProtocol

// The parts of a configuration that each component uses.

extension ServerConfiguration {
    /// The limits of the broker.
    public var brokerLimits: MemoryBroker.Limits {
        MemoryBroker.Limits(
            history: history,
            topicBytes: topicBytes,
            topics: maxTopics,
            dedupe: maxDedupe,
            loopPace: LoopPace(deliveries: loopLag, bytes: loopLagBytes)
        )
    }

    var pubSubOptions: PubSub.Options {
        PubSub.Options(
            limits: brokerLimits,
            queue: queue,
            overflow: overflow,
            maxMessage: maxMessage,
            throttleTimeout: throttleTimeout,
            liveTimeout: liveTimeout
        )
    }

    var loopSettings: LoopSettings {
        LoopSettings(
            maxMessage: maxMessage,
            maxConnections: maxConnections,
            maxDepth: maxDepth,
            maxClientID: maxClientID,
            subscriptionLimits: Hub.SubscriptionLimits(subscriptions: maxSubscriptions, matches: maxMatches),
            maxQueue: maxQueue,
            maxBatch: maxBatch,
            reconnectRate: reconnectRate,
            subscription: SubscriptionOptions(queue: queue, overflow: overflow),
            throttleTimeout: throttleTimeout.wholeMilliseconds,
            pingInterval: pingInterval.wholeMilliseconds,
            pongTimeout: pongTimeout.wholeMilliseconds,
            heartbeat: heartbeat.wholeMilliseconds,
            authTimeout: authTimeout.wholeMilliseconds,
            closeTimeout: closeTimeout.wholeMilliseconds,
            liveTimeout: liveTimeout.wholeMilliseconds,
            disconnectsOnDelete: onDelete == .disconnect,
            createOn: createOn,
            compression: compression == .off
                ? nil : MessageCompressor.Settings(minimumSize: compressionMinSize, level: compressionLevel),
            apiKeys: APIKeys(apiKeys)
        )
    }
}
