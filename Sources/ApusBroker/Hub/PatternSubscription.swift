import ApusProtocol

/// A subscription to a pattern. It creates a ``Subscription`` to each matching topic.
///
/// It belongs to its hub's loop.
package final class PatternSubscription {
    let filter: TopicFilter
    let subscriber: any Subscriber
    var request: SubscribeRequest
    var defaults: SubscriptionOptions
    /// The id of its filter in the broker.
    var filterID: FilterID = 0
    /// Its position in its subscriber's ``SubscriptionSet``.
    var subscriberIndex = 0
    /// The number of topics that all patterns of its subscriber may match.
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
