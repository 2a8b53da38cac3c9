// What a hub has reserved for more than it has now.

extension Hub {
    /// Gives back memory that was reserved for more than is there now, and what only makes repetitions faster.
    public func releaseMemory() {
        while let last = topics.last, last == nil { topics.removeLast() }
        freeSlots.removeAll { $0 >= topics.count }
        topics.releaseRoom()
        freeSlots.releaseRoom()
        slotOfTopic.releaseRoom()
        topicsOfName.releaseRoom()
        patterns.releaseRoom()
        waits.releaseRoom()
        bursts.releaseRoom()
        waiting.releaseRoom()
        deflation?.replays = ReplayedFrames()
        releaseLists()
    }
}
