import ApusProtocol
import NIOConcurrencyHelpers

/// Counts the reloads of the configuration, for `/metrics`.
final class ReloadRecord: Sendable {
    private struct State {
        var succeeded = 0
        var failed = 0
        var hasLastSucceeded = true
        /// Milliseconds since 1970.
        var lastSuccess: Int64
    }

    private let state: NIOLockedValueBox<State>

    /// - Parameter now: when the configuration was read first, in milliseconds since 1970.
    init(now: Int64 = ServerClock.now.wall) {
        state = NIOLockedValueBox(State(lastSuccess: now))
    }

    func noteSuccess(now: Int64 = ServerClock.now.wall) {
        state.withLockedValue { state in
            state.succeeded += 1
            state.hasLastSucceeded = true
            state.lastSuccess = now
        }
    }

    func noteFailure() {
        state.withLockedValue { state in
            state.failed += 1
            state.hasLastSucceeded = false
        }
    }

    var families: [MetricFamily] {
        let state = state.withLockedValue { $0 }
        return [
            MetricFamily(
                name: "apus_config_reloads_total",
                help: "Reloads of the configuration, by result.",
                kind: .counter,
                samples: [
                    .init(["result": "success"], .integer(state.succeeded)),
                    .init(["result": "failure"], .integer(state.failed)),
                ]
            ),
            MetricFamily(
                name: "apus_config_last_reload_success",
                help: "Whether the last reload took effect: 1 or 0; 1 before the first.",
                kind: .gauge,
                value: .integer(state.hasLastSucceeded ? 1 : 0)
            ),
            MetricFamily(
                name: "apus_config_last_reload_success_timestamp_seconds",
                help: "When the configuration in force was read, in seconds since the Unix epoch.",
                kind: .gauge,
                value: .floating(Double(state.lastSuccess) / 1000)
            ),
        ]
    }
}
