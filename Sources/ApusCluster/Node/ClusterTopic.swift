import DequeModule

/// What a node has of one topic, or of one that there was.
struct ClusterTopic<Contents: PackContents> {
    let name: String
    let stream: ClusterStream
    var chain = TopicChain()
    var sender = TopicSender<Contents>()
    var recent = RecentIDs()
    /// What the registry says, and the place of that.
    var entry: TopicEntry?
    var entryPlace = PackPlace.none
    /// Whether the registry, which is read again from its start, has not shown the entry yet.
    var isEntryUnseen = false
    /// What the server was told.
    var shown: TopicEra?
    var isSuspended = false
    /// What it was told before the registry lost the topic, which may come back.
    var formerlyShown: TopicEra?
    /// What was shown before everything was read again, and has not been seen again.
    var lost: (place: PackPlace, era: TopicEra)?
    /// The last message before a jump over others. They were trimmed, or the stream has lost what was here.
    var beforeJump: PackPlace?
    /// Whether something before that place came again and was not taken, so that seeing the place proves nothing.
    var isTainted = false
    /// Epochs under which this generation was shown before. It never goes back to one.
    var formerEpochs: [String] = []
    /// The deletion that the registry does not know of yet was seen at this time.
    var endedAt: Int64?
    /// Whether packs of an era that is over are still there.
    var hasLeftovers = false
    /// Whether the newest messages were not shown, as the registry did not have their era.
    var hasUnshown = false
    var changes = Deque<PendingChange>()
    /// Whether the node looks at it in each tick.
    var isActive = false

    init(name: String) {
        self.name = name
        stream = ClusterStream(ofTopic: name)
    }

    /// Whether something of it has to be looked at again. Asked in its place: a copy costs more than the answer.
    var wantsTicks: Bool { !sender.isIdle || !changes.isEmpty || endedAt != nil }

    /// The era of what is published next; `nil` if nothing can be published.
    func view(position: UInt64, isReplay: Bool) -> TopicEra? {
        guard let entry else { return nil }
        // Everything comes again, with epochs that are over. Until then it is what it was.
        if isReplay, let shown, chain.generation <= shown.generation { return shown }
        let current = chain.isEnded ? nil : chain.era
        let isReached = max(position, chain.last.sequence) >= entry.boundary
        switch (entry.isLive, chain.generation) {
        case (true, entry.era.generation): return current
        case (true, ..<entry.era.generation) where isReached: return entry.era
        case (_, ...entry.era.generation) where !isReached: return shown == nil ? nil : current
        default: return nil
        }
    }

    /// The topic goes on under another epoch.
    mutating func adopt(_ era: TopicEra) {
        guard let old = shown else { return }
        shown = era
        if let lost, formerEpochs.contains(era.epoch) {
            // The renewal has been lost, too.
            self.lost = (lost.place, era)
        } else {
            lost = nil
            formerEpochs.append(old.epoch)
            if formerEpochs.count > Self.rememberedEpochs { formerEpochs.removeFirst() }
        }
    }

    /// Renewals are rare: each one follows an accident.
    private static var rememberedEpochs: Int { 16 }

    /// Whether nothing is known of it and nothing under way.
    var isUnused: Bool {
        entry == nil && shown == nil && formerlyShown == nil && lost == nil && chain.era == nil && !isActive
            && chain.last.sequence == 0 && !hasUnshown && !hasLeftovers
    }

    /// Of the next message in an era.
    func next(in era: TopicEra) -> UInt64 { chain.generation == era.generation ? chain.next : 1 }

    /// Whether the registry has an era of which the topic has ended, or one that is older than the topic.
    var isHalfDeleted: Bool {
        guard let entry, entry.isLive else { return false }
        return chain.generation > entry.era.generation || (chain.isEnded && chain.generation == entry.era.generation)
    }
}
