import ApusBroker
import ApusProtocol

/// The settings that a loop's connections use. Times are in milliseconds; 0 turns a feature off.
struct LoopSettings: Sendable {
    var maxMessage = 1 << 20
    var maxConnections = 100_000
    var maxDepth = 128
    var maxClientID = 1024
    var subscriptionLimits = Hub.SubscriptionLimits(subscriptions: 10_000)
    /// The longest queue, in messages, that a subscription may ask for.
    var maxQueue = 100_000
    /// How many messages one publish may contain.
    var maxBatch = 10_000
    /// How many clients per second should reconnect after a shutdown.
    var reconnectRate = 1000
    var subscription = SubscriptionOptions()
    var throttleTimeout: Int64 = 30_000
    var pingInterval: Int64 = 25_000
    var pongTimeout: Int64 = 20_000
    var heartbeat: Int64 = 30_000
    var authTimeout: Int64 = 10_000
    var closeTimeout: Int64 = 30_000
    /// How long the loop may be silent before it counts as stuck.
    var liveTimeout: Int64 = 10_000
    var disconnectsOnDelete = false
    /// Which commands create missing topics.
    var createOn: Set<ServerConfiguration.CreateOn> = []
    /// The compression settings; `nil` declines compression offers.
    var compression: MessageCompressor.Settings? = MessageCompressor.Settings()
    var apiKeys = APIKeys([])

    /// How often deadlines are checked, in milliseconds: an eighth of the shortest timeout, between 10 and 1000.
    var tickInterval: Int64 {
        let intervals = [throttleTimeout, pingInterval, pongTimeout, heartbeat, authTimeout, closeTimeout]
        let shortest = intervals.filter { $0 > 0 }.min() ?? 1000
        return min(max(shortest / 8, 10), 1000)
    }
}
