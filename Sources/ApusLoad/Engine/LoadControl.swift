import Synchronization

/// A run as others see it while it goes on: how far it is, and a way to end it early.
public final class LoadControl: Sendable {
    /// What a run is at.
    public enum Stage: Int, Sendable {
        case connecting
        case warmingUp
        case measuring
        case draining
        case finished
    }

    /// How far a run is.
    public struct Progress: Sendable {
        public var stage: Stage
        public var connected: Int
        public var connections: Int
        public var published: Int
        public var delivered: Int
    }

    private let stops = Atomic(false)
    private let state = Mutex(Progress(stage: .connecting, connected: 0, connections: 0, published: 0, delivered: 0))

    /// Makes a control for one run.
    public init() {}

    /// Ends the run soon: what was published until then is waited for, and the result is of that.
    public func interrupt() {
        stops.store(true, ordering: .relaxed)
    }

    /// Whether somebody wants it to end.
    public var isInterrupted: Bool { stops.load(ordering: .relaxed) }

    /// How far the run is.
    public var progress: Progress { state.withLock { $0 } }

    func update(_ change: (inout Progress) -> Void) {
        state.withLock { change(&$0) }
    }
}
