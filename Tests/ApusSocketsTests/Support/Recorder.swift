import ApusSockets

/// A poller's target that keeps what it was told, and may do something about it.
final class Recorder: PollTarget {
    private(set) var told: [PollEvents] = []
    var whenTold: () -> Void = {}

    func socketIsReady(_ events: PollEvents) {
        told.append(events)
        whenTold()
    }

    /// What it was told since it was asked last.
    func takeTold() -> [PollEvents] {
        defer { told = [] }
        return told
    }
}
