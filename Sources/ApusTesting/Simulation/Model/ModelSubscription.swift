import ApusBroker
import ApusProtocol

/// What one subscription must be told next: a place in its topic's list, and excuses for what it does not get.
///
/// The model cannot know when the real subscription skips something, because that depends on the order of turns. It
/// therefore does not predict what comes; it checks whether what came is right. Methods that return a text return a
/// mistake.
final class ModelSubscription {
    let topic: ModelTopic
    let clientID: String
    let origin: UInt32
    let isPositioned: Bool
    let isByPattern: Bool
    /// Whether it continues to wait when its topic is deleted.
    var waits = false
    /// The notice owed before its first event: that its topic exists. The value is whether it is unrecovered.
    var owedOpening: Bool?
    private(set) var options: SubscriptionOptions
    /// The first offset that it has neither received nor been told of, as far as the model can know.
    private(set) var next: Int
    /// The end of its replay, which does not count as lag. If uncertain, the earliest and the latest possible end.
    private var replayEnd: ClosedRange<Int>
    /// The number of dropped messages that were announced without a range.
    private var unannounced = 0
    private var isGapUncertain = false
    /// The latest possible start of its replay. Messages before it may be no longer kept.
    private var startsBy: Int
    private var past: ModelPastOptions
    /// Whether its hub has placed it.
    private(set) var isPlaced: Bool
    /// Whether something was published since its options changed, so that its hub has checked its bound.
    private var isEnforced = false
    /// Whether publishers may not know its bound yet.
    private(set) var isBoundNew: Bool
    /// At most as many messages of this range may still come as its queue holds.
    private var pendingAtRest: (range: Range<Int>, taken: Int)?
    /// Before this offset, superseded messages must not come.
    private var laggedUpTo = 0
    /// The offset at which it would have caught up when it was last warned.
    private var warnedUpTo: Int?
    /// Whether the last warning was certainly for this subscription.
    private var isWarningSure = true
    private var nextAtPublish: [Int: Int] = [:]
    private var dropped: Set<Int> = []
    var news = ModelNews()

    init(
        topic: ModelTopic,
        clientID: String,
        origin: UInt32,
        isByPattern: Bool,
        options: SubscriptionOptions,
        next: Int,
        latest: Int? = nil,
        isPromised: Bool = false
    ) {
        self.topic = topic
        self.clientID = clientID
        self.origin = origin
        self.isPositioned = options.detail == .positioned
        self.isByPattern = isByPattern
        self.options = options
        self.next = next
        startsBy = latest ?? next
        let end = isPromised ? next : topic.head
        replayEnd = end...end
        past = ModelPastOptions(options)
        isPlaced = !isPromised
        isBoundNew = isPromised
    }

    /// Its hub has placed it before its turn, because it processed the reserved subscriptions.
    func markPlaced() {
        isPlaced = true
    }

    // MARK: Excuses

    /// Whether it may never hear of this message.
    private func isExcused(_ offset: Int, now: Int64, mayLag: Bool) -> Bool {
        let message = topic.messages[offset - 1]
        if message.expires <= now || offset < startsBy { return true }
        if past.echoWasOff, message.origin == origin { return true }
        return mayLag && past.policies.contains(.latest) && topic.isSuperseded(offset)
    }

    private func owed(in range: Range<Int>, now: Int64, mayLag: Bool) -> Int {
        range.reduce(0) { $0 + (isExcused($1, now: now, mayLag: mayLag) ? 0 : 1) }
    }

    /// The least and the most messages that it can be behind.
    func lag(now: Int64) -> ClosedRange<Int> {
        let most = max(topic.head - max(next, replayEnd.lowerBound), 0)
        let start = max(next, replayEnd.upperBound)
        // Skipped messages that will be announced are not lag.
        let isSure = start < topic.head && !past.mayLose
        let least = isSure ? owed(in: start..<topic.head, now: now, mayLag: true) : 0
        return min(least, most)...most
    }

    /// Whether there is nothing left that it must be told.
    func isComplete(now: Int64, mayLag: Bool) -> Bool {
        let gap = next..<topic.head
        return owed(in: gap, now: now, mayLag: mayLag) <= unannounced && (unannounced <= gap.count || isGapUncertain)
    }

    // MARK: Checking records

    func take(_ offset: Int, now: Int64, mayLag: Bool) -> String? {
        guard offset >= next else { return "got \(offset) after \(next - 1)" }
        let gap = next..<offset
        let owed = owed(in: gap, now: now, mayLag: mayLag)
        guard owed <= unannounced else { return "was not told of \(owed) messages of \(gap) before \(offset)" }
        guard unannounced <= gap.count || isGapUncertain else { return "was told of too many drops before \(offset)" }
        let message = topic.messages[offset - 1]
        guard message.expires > now else { return "got \(offset), whose time was up" }
        guard options.echo || message.origin != origin else { return "got \(offset), which it published itself" }
        if options.overflow == .latest, offset < laggedUpTo, topic.isSuperseded(offset) {
            return "got \(offset), which was superseded while it was pending"
        }
        if let pending = pendingAtRest, pending.range.contains(offset) {
            pendingAtRest?.taken += 1
            // Under drop-newest, a subscription whose queue shrinks keeps what is pending.
            let queue = options.overflow == .dropNewest ? past.largestQueue : options.queue
            guard pending.taken < queue else { return "got more than its queue holds: \(offset)" }
        }
        next = offset + 1
        unannounced = 0
        isGapUncertain = false
        return nil
    }

    func drop(_ count: Int, _ range: ClosedRange<Int>?, now: Int64, mayLag: Bool) -> String? {
        guard mayLag || topic.isTight else { return "lost \(count) though it reads" }
        guard topic.isTight || past.mayLose else {
            return "lost \(count) under a policy that loses nothing"
        }
        guard let range else {
            unannounced += count
            return next + unannounced <= topic.head ? nil : "lost \(count), more than there were"
        }
        guard range.lowerBound >= next, range.upperBound < topic.head else {
            return "was told of \(range) after \(next - 1)"
        }
        guard owed(in: next..<range.lowerBound, now: now, mayLag: mayLag) == 0 else {
            return "was not told of what lies between \(next) and \(range)"
        }
        let isExact = !past.policies.contains(.latest)
        guard count <= range.count, isExact ? count == range.count : count > 0,
            owed(in: Range(range), now: now, mayLag: mayLag) <= count
        else { return "was told that \(range) are \(count)" }
        next = range.upperBound + 1
        guard !topic.isTight else { return nil }
        if !past.policies.contains(.dropNewest), topic.head - next < past.smallestQueue {
            return "lost \(range) though its queue had room"
        }
        if past.policies == [.dropNewest] {
            for offset in range where !wasFull(at: offset) { return "lost \(offset) though its queue had room" }
        }
        dropped.formUnion(range)
        return nil
    }

    /// Whether, under drop-newest, its queue can have been full when that message was published.
    private func wasFull(at offset: Int) -> Bool {
        guard let start = nextAtPublish[offset] else { return true }
        let kept = (max(start, replayEnd.lowerBound)..<max(offset, start, replayEnd.lowerBound)).count {
            !dropped.contains($0)
        }
        return kept >= past.smallestQueue
    }

    /// A warning came that may have been for this subscription or for another.
    func noteWarningOfOne() {
        warnedUpTo = topic.head
        isWarningSure = false
    }

    func warn(lag: Int, queue: Int, now: Int64, mayLag: Bool) -> String? {
        guard options.detail != .plain, options.overflow == .disconnect, mayLag else { return "was warned for nothing" }
        guard queue == options.queue, lag * 5 >= queue * 4, lag <= self.lag(now: now).upperBound else {
            return "was warned of \(lag) of \(queue)"
        }
        if let last = warnedUpTo, isWarningSure, last > next, owed(in: next..<last, now: now, mayLag: true) > 0 {
            return "was warned twice in one episode"
        }
        warnedUpTo = max(next, replayEnd.lowerBound) + lag
        isWarningSure = true
        return nil
    }

    // MARK: Changes

    /// It was subscribed again, and acked with `cursor` as its next offset.
    ///
    /// - Parameter mayHaveMoved: whether `cursor` may be the start of a new replay rather than its previous place.
    func replace(options: SubscriptionOptions, cursor: Int, mayHaveMoved: Bool) {
        if cursor < next {
            next = cursor
            unannounced = 0
            laggedUpTo = 0
            replayEnd = topic.head...topic.head
            nextAtPublish = [:]
            dropped = []
        } else {
            if unannounced > 0 {
                next = cursor
                unannounced = 0
                isGapUncertain = true
            }
            // Skipped messages that are asked for now are part of the replay.
            if mayHaveMoved || past.policies.contains(.dropNewest) {
                replayEnd = replayEnd.lowerBound...topic.head
                laggedUpTo = 0
            }
        }
        if options.presence != self.options.presence { news.makeOptional() }
        past.add(options)
        self.options = options
        isEnforced = false
        isBoundNew = true
        pendingAtRest = nil
    }

    /// It was subscribed again, from between `earliest` and `latest`, and was not told its place.
    func replace(options: SubscriptionOptions, between earliest: Int, and latest: Int) {
        if earliest < next { startsBy = max(startsBy, min(latest, next)) }
        let isUncertain = unannounced > 0
        let pending = unannounced
        let (hadNext, hadReplay) = (next, replayEnd)
        replace(options: options, cursor: min(earliest, next), mayHaveMoved: true)
        // It and its replay may have stayed where they were.
        if latest >= hadNext { replayEnd = min(hadReplay.lowerBound, replayEnd.lowerBound)...topic.head }
        guard isUncertain, earliest >= next else { return }
        unannounced = pending
        isGapUncertain = true
    }

    /// A message was published.
    func note(published offset: Int) {
        if isPlaced { isEnforced = true }
        if past.policies.contains(.dropNewest) { nextAtPublish[offset] = next }
    }

    /// Checks the subscription at a moment when nothing is left to do.
    ///
    /// - Parameters:
    ///   - isWritable: whether its subscriber accepts data.
    ///   - hasPredecessor: whether it still waits for a subscription to an older topic of the same name to finish.
    func rest(isWritable: Bool, hasPredecessor: Bool, now: Int64) -> String? {
        let wasEnforced = isEnforced
        if !isPlaced {
            isPlaced = true
            isEnforced = false
        }
        isBoundNew = false
        pendingAtRest = nil
        guard isWritable else {
            let start = max(next, replayEnd.upperBound)
            // The hub may not have checked a subscription that waits for its predecessor.
            guard !hasPredecessor else { return nil }
            if next < topic.head { laggedUpTo = topic.head }
            // A burst does not count as lag at once.
            guard wasEnforced, isPlaced, !topic.isTight, !topic.isPaced else { return nil }
            let least = lag(now: now).lowerBound
            switch options.overflow {
            case .throttle:
                return nil
            case .disconnect:
                if least > options.queue { return "is \(least) behind and was not cut off" }
                if least * 5 >= options.queue * 4, options.detail != .plain, warnedUpTo == nil {
                    return "is \(least) of \(options.queue) behind and was not warned"
                }
            case .dropOldest, .dropNewest, .latest:
                if start < topic.head { pendingAtRest = (start..<topic.head, 0) }
            }
            return nil
        }
        guard isComplete(now: now, mayLag: true) else { return "never got what came after \(next - 1)" }
        guard !topic.isOver else { return "was not told of the deletion" }
        guard owedOpening == nil else { return "was not told that its topic is there" }
        guard news.isComplete else { return "was not told: \(news)" }
        next = topic.head
        unannounced = 0
        isGapUncertain = false
        replayEnd = next...next
        past = ModelPastOptions(options)
        laggedUpTo = 0
        warnedUpTo = nil
        nextAtPublish = [:]
        dropped = []
        return nil
    }
}
