import ApusBroker
import ApusProtocol

/// The options that were in force at any time since a subscription last caught up.
struct ModelPastOptions {
    private static let lossy: Set<OverflowPolicy> = [.dropOldest, .dropNewest, .latest]

    private(set) var policies: [OverflowPolicy]
    private(set) var smallestQueue: Int
    private(set) var largestQueue: Int
    private(set) var echoWasOff: Bool

    init(_ options: SubscriptionOptions) {
        policies = [options.overflow]
        smallestQueue = options.queue
        largestQueue = options.queue
        echoWasOff = !options.echo
    }

    /// Whether one of the policies drops messages.
    var mayLose: Bool { !Self.lossy.isDisjoint(with: policies) }

    mutating func add(_ options: SubscriptionOptions) {
        if !policies.contains(options.overflow) { policies.append(options.overflow) }
        smallestQueue = min(smallestQueue, options.queue)
        largestQueue = max(largestQueue, options.queue)
        echoWasOff = echoWasOff || !options.echo
    }
}
