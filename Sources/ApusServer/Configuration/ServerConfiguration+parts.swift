package import ApusBroker
import ApusProtocol

// The settings in the form in which the broker and its hubs take them.

extension ServerConfiguration {
    /// The limits of the broker.
    package var brokerLimits: MemoryBroker.Limits {
        var limits = MemoryBroker.Limits(
            history: topics.history,
            topicBytes: topics.bytes,
            topics: self.limits.maxTopics,
            dedupe: self.limits.maxDedupe,
            loopPace: LoopPace(deliveries: delivery.loopLag, bytes: delivery.loopLagBytes),
            topicRate: rates.topicLimit,
            uncommittedBytes: storage.commitBacklog,
            tailBytes: storage.historyMemory
        )
        if !cluster.urls.isEmpty, cluster.mirror == .interest { limits.unreadTailBytes = 0 }
        return limits
    }

    /// The options of a ``PubSub`` that shares the server's topics.
    var pubSubOptions: PubSub.Options {
        var options = PubSub.Options(
            queue: delivery.queue,
            overflow: delivery.overflow,
            maxMessage: limits.maxMessage,
            throttleTimeout: timeouts.throttle
        )
        options.liveTimeout = timeouts.live
        return options
    }
}

extension ServerConfiguration.Delivery {
    /// What applies to a subscription that asks for nothing else.
    var subscription: SubscriptionOptions { SubscriptionOptions(queue: queue, overflow: overflow) }
}

extension ServerConfiguration.Limits {
    /// What one connection may subscribe to.
    var subscriptions: Hub.SubscriptionLimits {
        Hub.SubscriptionLimits(subscriptions: maxSubscriptions, matches: maxMatches)
    }
}

extension ServerConfiguration.Compression {
    /// The settings of the hubs' compressors; `nil` if nothing is compressed.
    var compressor: MessageCompressor.Settings? {
        isOn ? MessageCompressor.Settings(minimumSize: minSize, level: level) : nil
    }
}
