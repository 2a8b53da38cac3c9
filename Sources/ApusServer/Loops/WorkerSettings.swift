import ApusBroker
import ApusProtocol

/// What the connections of a worker go by. Times in milliseconds; 0 is off.
struct WorkerSettings: Sendable {
    var maxMessage = 1 << 20
    var maxConnections = 100_000
    var maxDepth = 128
    var maxClientID = 1024
    var subscriptionLimits = Hub.SubscriptionLimits(subscriptions: 10_000)
    /// The longest queue a subscription may ask for.
    var maxQueue = 100_000
    /// How many messages one publish may have.
    var maxBatch = 10_000
    /// How many clients a second are asked to come back after a shutdown.
    var reconnectRate = 1000
    var subscription = SubscriptionOptions()
    var throttleTimeout: Int64 = 30_000
    var pingInterval: Int64 = 25_000
    var pongTimeout: Int64 = 20_000
    var heartbeat: Int64 = 30_000
    var authTimeout: Int64 = 10_000
    var closeTimeout: Int64 = 30_000
    /// How long the loop may be silent before it is taken for stuck.
    var liveTimeout: Int64 = 10_000
    var disconnectsOnDelete = false
    /// Which commands make topics that are not there.
    var createOn: Set<ServerConfiguration.CreateOn> = []
    /// `nil` declines what clients offer.
    var compression: MessageCompressor.Settings? = MessageCompressor.Settings()
    var apiKeys = APIKeys([])

    /// How often deadlines are looked at: often enough for the shortest of them, and at most once a second.
    var tickInterval: Int64 {
        let intervals = [throttleTimeout, pingInterval, pongTimeout, heartbeat, authTimeout, closeTimeout]
        let shortest = intervals.filter { $0 > 0 }.min() ?? 1000
        return min(max(shortest / 8, 10), 1000)
    }
}
