package import ApusBroker

/// Hubs, topics, publishers and clients in which anything may happen, next to a naive model that says whether it was
/// right.
///
/// ```
///             ┌─ steps ──► MemoryBroker, Hubs ── what is delivered ─┐
/// seed ───────┤            (ManualLoop, ManualClock)                ▼
///             └─ steps ──────────────────────────────────────────► Model: plain lists
/// ```
/// Everything follows from the seed: which of the hubs that are due has its turn, what the clock says, who does what.
/// No threads, no sleeping, no wall clock. What must hold:
///
/// - A subscription sees offsets strictly increasing, and every gap is announced with its exact range, or excused by a
///   lifetime, a newer message of the same key, or its own publish.
/// - An acked publish is in the log at the offset the ack names, for as many subscriptions as it says.
/// - Only a policy that says so loses anything, only beyond its bound, and at rest nobody is owed more than its bound.
/// - A replay starts where it was asked to, and says so where it cannot.
/// - The books add up at every quiet moment, and at the end everything is released.
public struct Simulation {
    public let seed: UInt64
    private let faults: PlantedFaults

    public init(seed: UInt64) {
        self.init(seed: seed, faults: [])
    }

    /// - Parameter faults: what the broker is to do wrong.
    package init(seed: UInt64, faults: PlantedFaults) {
        self.seed = seed
        self.faults = faults
    }

    /// Does `steps` things, lets all come to rest, and lets everybody go.
    ///
    /// - Parameter trace: is given each line of the journal as it is written.
    public func run(steps: Int = 60, trace: ((String) -> Void)? = nil) -> SimulationFailure? {
        if let trace { return journaled(steps: steps, trace: trace) }
        let world = SimulatedWorld(seed: seed, faults: faults, trace: nil)
        world.run(steps: steps)
        guard !world.model.mistakes.isEmpty else { return nil }
        // The journal takes longer to write than all the rest, so only who fails is asked for it: the same comes again.
        return journaled(steps: steps) { _ in }
            ?? SimulationFailure(seed: seed, mistakes: ["another run went well"] + world.model.mistakes, journal: [])
    }

    private func journaled(steps: Int, trace: @escaping (String) -> Void) -> SimulationFailure? {
        var journal: [String] = []
        let world = SimulatedWorld(seed: seed, faults: faults) { line in
            journal.append(line)
            trace(line)
        }
        world.run(steps: steps)
        let mistakes = world.model.mistakes
        return mistakes.isEmpty ? nil : SimulationFailure(seed: seed, mistakes: mistakes, journal: journal)
    }
}

/// What went wrong in a simulation, and all that was done before.
public struct SimulationFailure: Error, CustomStringConvertible {
    public let seed: UInt64
    public let mistakes: [String]
    public let journal: [String]

    public var description: String {
        "seed \(seed): \(mistakes.joined(separator: "\n"))\n" + journal.map { "    \($0)\n" }.joined()
    }
}
