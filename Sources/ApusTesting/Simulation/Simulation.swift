/// Runs hubs, topics, publishers and clients through random steps, next to a naive model that checks the results.
///
/// ```
///             ┌─ steps ──► MemoryBroker, Hubs ── what is delivered ─┐
/// seed ───────┤            (ManualLoop, ManualClock)                ▼
///             └─ steps ──────────────────────────────────────────► Model: plain lists
/// ```
/// Everything follows from the seed: which of the due hubs takes its turn, what the clocks show, who does what. There
/// are no threads, no sleeping and no real clock. These rules must hold:
///
/// - A subscription sees strictly increasing offsets. Every gap is announced with its exact range, or excused by a
///   lifetime, a newer message of the same key, or the subscriber's own publish.
/// - An acked publish is in the log at the offset that the ack names, for as many subscriptions as it says.
/// - Only a lossy policy loses messages, and only beyond its bound. At rest, nobody is owed more than its bound.
/// - A replay starts where it was asked to start, and says so if it cannot.
/// - The counters balance at every quiet moment, and at the end everything is released.
package struct Simulation {
    package let seed: UInt64
    private let fault: PlantedFault?

    /// - Parameter fault: a mistake between the simulation and its broker.
    package init(seed: UInt64, fault: PlantedFault? = nil) {
        self.seed = seed
        self.fault = fault
    }

    /// Takes `steps` steps, lets everything come to rest, and disconnects all clients.
    ///
    /// - Parameter trace: receives each line of the journal as it is written.
    /// - Returns: the failure; `nil` when the model found no mistake.
    package func run(steps: Int = 60, trace: ((String) -> Void)? = nil) -> SimulationFailure? {
        if let trace { return journaled(steps: steps, trace: trace) }
        let world = SimulatedWorld(seed: seed, passage: Passage(fault: fault), trace: nil)
        world.run(steps: steps)
        guard !world.model.mistakes.isEmpty else { return nil }
        // Writing the journal takes longer than everything else. Only a failed run is repeated with it; the result is
        // the same.
        return journaled(steps: steps) { _ in }
            ?? SimulationFailure(seed: seed, mistakes: ["another run went well"] + world.model.mistakes, journal: [])
    }

    private func journaled(steps: Int, trace: @escaping (String) -> Void) -> SimulationFailure? {
        var journal: [String] = []
        let world = SimulatedWorld(seed: seed, passage: Passage(fault: fault)) { line in
            journal.append(line)
            trace(line)
        }
        world.run(steps: steps)
        let mistakes = world.model.mistakes
        return mistakes.isEmpty ? nil : SimulationFailure(seed: seed, mistakes: mistakes, journal: journal)
    }
}

/// What went wrong in a simulation, and everything that was done before.
package struct SimulationFailure: Error, CustomStringConvertible {
    package let seed: UInt64
    package let mistakes: [String]
    package let journal: [String]

    package var description: String {
        "seed \(seed): \(mistakes.joined(separator: "\n"))\n" + journal.map { "    \($0)\n" }.joined()
    }
}
