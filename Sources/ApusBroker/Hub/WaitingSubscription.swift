/// A subscription to a name, whether it has a topic or not: it brings a ``Subscription`` to each topic of that name,
/// one after the other. Belongs to its hub's loop.
///
/// ```
/// waits ──topic made──► topic_created, events ──topic deleted──► topic_deleted ──► waits ──► …
/// ```
/// The name stays registered with the broker all that time, so that there is no moment in which a topic could be made
/// unnoticed. Usually there is one life at the most; those of a subscriber that takes nothing queue up, to
/// ``maxLives``, and to as many of all its names as its patterns may match topics.
public final class WaitingSubscription {
    /// How many topics of that name may have come and gone without the subscriber having been told; one more and it
    /// must go.
    static let maxLives = 100

    let subscriber: any Subscriber
    var request: SubscribeRequest
    var defaults: SubscriptionOptions
    /// Its registration with the broker.
    let filterID: FilterID
    /// Whether the request's start has been told of: then a new topic is nothing that could not be recovered.
    var hasStarted = false
    /// Its subscriptions that have not ended, the oldest first; all but the last are to topics that are gone.
    var lives: [Subscription] = []
    /// How many topics may match its subscriber's patterns; those of a name but the last one count as such.
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

/// What a subscription that has waited is told when its topic is there.
struct Opening {
    /// Whether it asked for what came after a position of an epoch that is gone.
    let isUnrecovered: Bool
}
