import Synchronization

/// Shows the progress of a run, and can end the run early.
public final class LoadControl: Sendable {
    /// The stages of a run.
    public enum Stage: Int, Sendable {
        case connecting
        case warmingUp
        case measuring
        case draining
        case finished
    }

    /// The progress of a run.
    public struct Progress: Sendable {
        public var stage: Stage
        public var connected: Int
        public var connections: Int
        public var published: Int
        public var delivered: Int
    }

    private let stops = Atomic(false)
    private let state = Mutex(Progress(stage: .connecting, connected: 0, connections: 0, published: 0, delivered: 0))

    public init() {}

    /// Ends the run soon. The run still waits for what was published until then, and the result covers that.
    public func interrupt() {
        stops.store(true, ordering: .relaxed)
    }

    /// Whether the run should end early.
    public var isInterrupted: Bool { stops.load(ordering: .relaxed) }

    public var progress: Progress { state.withLock { $0 } }

    func update(_ change: (inout Progress) -> Void) {
        state.withLock { change(&$0) }
    }
}
