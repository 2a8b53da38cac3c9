/// Mistakes that tests plant in a broker and its hubs, to see that the simulation finds them.
///
/// None of them affects the hot path.
package struct PlantedFaults: OptionSet, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// A client that resumes after a position loses the next message.
    package static let skipsOneAfterResume = PlantedFaults(rawValue: 1 << 0)
    /// A client that resumes after a position gets the last message again.
    package static let repeatsOneAfterResume = PlantedFaults(rawValue: 1 << 1)
    /// Dropped messages are not announced.
    package static let dropsSilently = PlantedFaults(rawValue: 1 << 2)
    /// Ids are forgotten after half the dedupe window.
    package static let forgetsIDsEarly = PlantedFaults(rawValue: 1 << 3)
    /// A pattern's subscription to a new topic misses what was published before the hub placed it.
    package static let forgetsFirstOfNewTopics = PlantedFaults(rawValue: 1 << 4)
    /// Publishers do not wait for loops that are behind.
    package static let outrunsLoops = PlantedFaults(rawValue: 1 << 5)
    /// A subscription that has waited for its topic misses the first message.
    package static let missesFirstOfAwaited = PlantedFaults(rawValue: 1 << 6)
    /// A subscription whose topic is deleted does not wait for the next one.
    package static let waitsOnlyOnce = PlantedFaults(rawValue: 1 << 7)
    /// Lifetimes, ages and windows use the wall clock.
    package static let agesByWallClock = PlantedFaults(rawValue: 1 << 8)
    /// A replay of the last messages counts expired ones.
    package static let countsExpired = PlantedFaults(rawValue: 1 << 9)
    /// Expired messages stay in memory.
    package static let keepsExpired = PlantedFaults(rawValue: 1 << 10)
}
