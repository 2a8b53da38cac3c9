/// What tests have a broker and its hubs do wrong, to see that the simulation finds it. All of it lies off the hot
/// path.
package struct PlantedFaults: OptionSet, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Who resumes behind a position loses the next message.
    package static let skipsOneAfterResume = PlantedFaults(rawValue: 1 << 0)
    /// Who resumes behind a position gets the last message again.
    package static let repeatsOneAfterResume = PlantedFaults(rawValue: 1 << 1)
    /// What is dropped is not announced.
    package static let dropsSilently = PlantedFaults(rawValue: 1 << 2)
    /// Ids are forgotten after half their time.
    package static let forgetsIDsEarly = PlantedFaults(rawValue: 1 << 3)
    /// A pattern's subscription to a new topic starts with what comes next.
    package static let forgetsFirstOfNewTopics = PlantedFaults(rawValue: 1 << 4)
    /// Publishers do not wait for loops that are behind.
    package static let outrunsLoops = PlantedFaults(rawValue: 1 << 5)
    /// A subscription that has waited for its topic misses the first message.
    package static let missesFirstOfAwaited = PlantedFaults(rawValue: 1 << 6)
    /// A subscription whose topic is gone does not wait for the next.
    package static let waitsOnlyOnce = PlantedFaults(rawValue: 1 << 7)
    /// Lifetimes, ages and windows go by the wall clock.
    package static let agesByWallClock = PlantedFaults(rawValue: 1 << 8)
    /// Among the last messages are such whose time is up.
    package static let countsExpired = PlantedFaults(rawValue: 1 << 9)
    /// What has expired stays in memory.
    package static let keepsExpired = PlantedFaults(rawValue: 1 << 10)
}
