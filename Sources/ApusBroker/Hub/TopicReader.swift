/// How far a drain has come that is too much for one turn.
///
/// The hub does not look at the topic again before the drain has come to its end: it is behind, and publishers wait for
/// it. Subscriptions may come and go meanwhile.
struct DrainPart {
    /// The index of the subscription that is next.
    var position = 0
    var progress: Topic.Progress
    /// Whether something was published, or placed, since the hub looked: another drain has to follow.
    var hasNews = false
}

/// A hub's view of a topic.
final class TopicReader {
    let topic: Topic
    let slot: Int
    /// Compresses events on this loop; `nil` without compression.
    let deflation: Deflation?
    @exclusivity(unchecked) var subscriptions = ContiguousArray<Subscription>()
    /// The state of the log when the hub last looked.
    @exclusivity(unchecked) var head: Offset = 1
    @exclusivity(unchecked) var newest: Batch?
    /// The head at the look before the last one. Subscriptions that keep up are here.
    @exclusivity(unchecked) var seenHead: Offset = 1
    /// The oldest offset that a subscription still has to read, as last reported to the topic.
    var lowWaterMark: Offset = .max
    @exclusivity(unchecked) var isDeleted = false
    @exclusivity(unchecked) var isDirty = false
    /// During a drain, subscriptions that end are only marked. They are removed afterwards.
    @exclusivity(unchecked) var isDraining = false
    @exclusivity(unchecked) var ended: [Subscription] = []
    /// What remains of a drain that goes on in the next turn.
    @exclusivity(unchecked) var part: DrainPart?
    /// When the oldest message was taken that the rest of this drain is about, and of what came meanwhile: as in
    /// ``DeliveryRounds``. Not in ``part``, which every drain looks at.
    var partTaken = DeliveryRounds.none
    var newsTaken = DeliveryRounds.none
    /// What is to be told of the drain; `nil` for nothing.
    var traced: TracedDrain?
    /// The number of subscriptions with the throttle policy.
    @exclusivity(unchecked) var throttling = 0

    init(topic: Topic, slot: Int, deflation: Deflation?) {
        self.topic = topic
        self.slot = slot
        self.deflation = deflation
    }
}
