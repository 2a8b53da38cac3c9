// Releasing capacity that a hub no longer needs.

extension Hub {
    /// Releases unused capacity, and caches that only speed up repeated work.
    package func releaseMemory() {
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
