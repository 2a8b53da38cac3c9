import NIOConcurrencyHelpers

/// What a subscription that conflates still has to read.
struct LiveSpan: Equatable {
    /// The number of pending publications that no later publication with the same key has superseded.
    var count: Int
    /// Where the cursor moves so that at most the bound of such publications remains, and how many of them it passes.
    var next: Offset
    var passed: Int
    /// The number of batches that were counted.
    var batches: Int
}

extension Topic {
    /// Counts pending publications in one step under the lock, because other loops publish and supersede meanwhile.
    ///
    /// - Parameters:
    ///   - cursor: the subscription's cursor.
    ///   - start: publications before this offset do not count as lag.
    ///   - bound: the most publications that may remain.
    func liveSpan(from cursor: Offset, start: Offset, bound: Int) -> LiveSpan {
        state.withLockedValue { state in
            let count = state.log.liveCount(from: start)
            let batches = state.log.batchCount(from: start)
            guard count > bound else { return LiveSpan(count: count, next: cursor, passed: 0, batches: batches) }
            let next = state.log.offset(behind: count - bound, from: start)
            let passed = state.log.liveCount(from: cursor) - state.log.liveCount(from: next)
            return LiveSpan(count: count, next: next, passed: max(passed, 0), batches: batches)
        }
    }
}
