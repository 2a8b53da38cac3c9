/// A subscription to a name, whether a topic of that name exists or not.
///
/// It creates a ``Subscription`` to each topic of that name, one after the other. It belongs to its hub's loop.
///
/// ```
/// waits ──topic made──► topic_created, events ──topic deleted──► topic_deleted ──► waits ──► …
/// ```
/// The name stays registered with the broker throughout, so that no topic can be created unnoticed. Usually there is at
/// most one life. If the subscriber accepts no data, lives queue up: at most ``maxLives``, and over all names at most
/// as many as topics that its patterns may match.
package final class WaitingSubscription {
    /// The most topics of the name that may queue up without the subscriber having been told. One more disconnects it.
    static let maxLives = 100

    let subscriber: any Subscriber
    var request: SubscribeRequest
    var defaults: SubscriptionOptions
    /// Its registration with the broker.
    let filterID: FilterID
    /// Whether the request's start has been answered. A later new topic is then not a failed recovery.
    var hasStarted = false
    /// Its subscriptions that have not ended, the oldest first. All but the last are to deleted topics.
    var lives: [Subscription] = []
    /// How many topics the subscriber's patterns may match. All lives of a name except the last count as matches.
    let maxMatches: Int

    init(
        filterID: FilterID,
        subscriber: any Subscriber,
        request: SubscribeRequest,
        defaults: SubscriptionOptions,
        maxMatches: Int
    ) {
        self.maxMatches = maxMatches
        self.filterID = filterID
        self.subscriber = subscriber
        self.request = request
        self.defaults = defaults
    }
}

/// What a subscriber is told when the topic that a subscription waited for exists.
struct Opening {
    /// Whether the request asked for the messages after a position of an epoch that is gone.
    let isUnrecovered: Bool
}
