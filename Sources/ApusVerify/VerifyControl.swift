import NIOCore
import Synchronization

/// The state that all tasks of a verification share: the current phase, and the sums.
///
/// One leaf lock guards it. Nothing in it grows with the length of the run.
package final class VerifyControl: Sendable {
    package enum Phase: Int, Comparable {
        /// Subscribers find out where the topics stand.
        case starting
        case publishing
        /// Publishing has ended. Subscribers receive the rest.
        case draining
        case done

        package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    /// The sums of one transport.
    package struct TransportSums: Sendable {
        var subscribers = 0
        var delivered = 0
        package var reconnects = 0
    }

    package struct Sums: Sendable {
        package var counts = VerifyCounts()
        package var byTransport: [VerifyTransport: TransportSums] = [:]
        var recovery = RecoveryTimes()
        /// How many messages the subscribers should have received.
        var expected = 0
        package var published = 0
        var refused = 0
        /// Messages that were sent, but whose connection broke before the answer.
        var unanswered = 0
        /// How many connections the server ended, by code.
        var ended: [String: Int] = [:]
        var failedConnects = 0
        /// How often the server was killed and started again.
        package var restarts = 0
        /// How often a subscriber or a publisher went on at another node.
        package var moves = 0
        /// How long publishers waited for the slowest subscriber, in seconds.
        var heldBack = 0.0
        /// The first violations, as sentences.
        var violations: [String] = []
        /// What limits the proof.
        var notes: [String] = []
    }

    private struct State {
        var phase = Phase.starting
        var failure: String?
        var isInterrupted = false
        var started = 0
        var finals: [Int] = []
        var sums = Sums()
    }

    private static let violationLimit = 20
    private static let endedLimit = 32
    private let state = Mutex(State())

    package init() {}

    // MARK: Phases

    package var phase: Phase { state.withLock { $0.phase } }

    /// Why the run cannot continue.
    var failure: String? { state.withLock { $0.failure } }

    var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    func enter(_ phase: Phase) {
        state.withLock { $0.phase = phase }
    }

    func finish(finals: [Int]) {
        state.withLock { state in
            state.finals = finals
            state.phase = .done
        }
    }

    /// The last offset of a topic; `nil` before it is known.
    func final(topic: Int) -> Int? {
        state.withLock { $0.finals.indices.contains(topic) ? $0.finals[topic] : nil }
    }

    func fail(_ reason: String) {
        state.withLock { state in
            if state.failure == nil { state.failure = reason }
        }
    }

    package func interrupt() {
        state.withLock { $0.isInterrupted = true }
    }

    /// Records that a subscriber has its first position.
    func subscriberStarted() {
        state.withLock { $0.started += 1 }
    }

    var started: Int { state.withLock { $0.started } }

    // MARK: Sums

    package var sums: Sums { state.withLock { $0.sums } }

    func update(_ change: (inout Sums) -> Void) {
        state.withLock { change(&$0.sums) }
    }

    func report(_ violation: String) {
        state.withLock { state in
            if state.sums.violations.count < Self.violationLimit { state.sums.violations.append(violation) }
        }
    }

    func note(_ text: String) {
        state.withLock { state in
            if !state.sums.notes.contains(text) { state.sums.notes.append(text) }
        }
    }

    func ended(code: String) {
        state.withLock { state in
            let isKnown = state.sums.ended[code] != nil
            state.sums.ended[isKnown || state.sums.ended.count < Self.endedLimit ? code : "other", default: 0] += 1
        }
    }

    /// Waits until `isMet`, checking every few milliseconds. Returns `false` if the run fails or `deadline` passes
    /// first.
    func wait(until deadline: NIODeadline = .distantFuture, for isMet: () -> Bool) async throws -> Bool {
        while !isMet() {
            if failure != nil || NIODeadline.now() >= deadline { return false }
            try await Task.sleep(for: .milliseconds(2))
        }
        return true
    }
}
