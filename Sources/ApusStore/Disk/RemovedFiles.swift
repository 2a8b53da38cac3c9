import ApusSockets
import Dispatch
import Foundation
import Glibc
import NIOConcurrencyHelpers

/// Files that have no name any more. To free the room of one takes the system some milliseconds, for which no commit
/// should wait: it does so when the last descriptor is closed, here by a thread that goes behind the others.
final class RemovedFiles: Sendable {
    private struct State {
        var waiting: [CInt] = []
        var hasThread = false
    }

    private let state = NIOLockedValueBox(State())
    private let open = DispatchGroup()

    func close(_ descriptor: CInt) {
        open.enter()
        let hasThread = state.withLockedValue { state in
            state.waiting.append(descriptor)
            defer { state.hasThread = true }
            return state.hasThread
        }
        guard !hasThread else { return }
        Thread.detachNewThread { [self] in
            ThreadPriority.goBehind()
            while let descriptor = next() {
                Glibc.close(descriptor)
                open.leave()
            }
        }
    }

    private func next() -> CInt? {
        state.withLockedValue { state in
            if state.waiting.isEmpty { state.hasThread = false }
            return state.waiting.popLast()
        }
    }

    /// Returns when the room of all is free.
    func wait() { open.wait() }
}
