/// A subscription to every topic whose name matches: it brings a ``Subscription`` to each. Belongs to its hub's loop.
public final class PatternSubscription {
    let filter: TopicFilter
    let subscriber: any Subscriber
    var request: SubscribeRequest
    var defaults: SubscriptionOptions
    /// Its filter in the broker.
    var filterID: FilterID = 0
    /// How many topics its subscriber's patterns may match.
    let maxMatches: Int

    init(
        filter: TopicFilter,
        subscriber: any Subscriber,
        request: SubscribeRequest,
        defaults: SubscriptionOptions,
        maxMatches: Int
    ) {
        self.filter = filter
        self.subscriber = subscriber
        self.request = request
        self.defaults = defaults
        self.maxMatches = maxMatches
    }
}
