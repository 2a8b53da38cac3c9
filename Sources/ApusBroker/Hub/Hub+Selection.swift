import ApusProtocol
import BitCollections
import NIOCore

// Selective delivery of a batch: lifetimes, keys, the subscriber's own messages, skipped ranges.

extension Hub {
    private enum Verdict {
        case deliver, expired, conflated, selfPublished
    }

    /// Delivers the messages of a batch that the subscription should get, in as few slices as possible.
    func deliverSelected(of batch: Batch, to subscription: Subscription) {
        let end = min(batch.end, subscription.skippedRanges.first?.lowerBound ?? .max)
        guard !batch.isSpent else {
            counters.expired += end - subscription.cursor
            note(subscription.cursor..<end, count: end - subscription.cursor, .expired, on: subscription)
            subscription.cursor = end
            return
        }
        let judge = Judge(batch, subscription, now: batch.details?.expire == true ? passed : 0)
        // Encode once for all slices.
        let frames = subscription.frames(of: batch)
        var run = subscription.cursor..<subscription.cursor
        while run.upperBound < end, subscription.isActive {
            let offset = run.upperBound
            let verdict = judge.verdict(at: offset)
            if verdict == .deliver {
                run = run.lowerBound..<(offset + 1)
                continue
            }
            deliverRun(run, of: batch, frames, to: subscription)
            guard subscription.isActive else { return }
            switch verdict {
            case .deliver: break
            case .expired:
                counters.expired += 1
                note(offset..<offset + 1, count: 1, .expired, on: subscription)
            case .conflated:
                counters.conflated += 1
                note(offset..<offset + 1, count: 1, .superseded, on: subscription)
            case .selfPublished: counters.selfPublished += 1
            }
            subscription.cursor = offset + 1
            run = subscription.cursor..<subscription.cursor
        }
        if subscription.isActive { deliverRun(run, of: batch, frames, to: subscription) }
    }

    private func deliverRun(
        _ run: Range<Offset>,
        of batch: Batch,
        _ frames: Batch.Frames,
        to subscription: Subscription
    ) {
        guard !run.isEmpty else { return }
        let count = UInt64(run.count)
        subscription.cursor = run.upperBound
        subscription.counts.delivered += count
        counters.delivered += count
        let slice = batch.slice(run, of: frames)
        left -= TurnLimits.deliveryCost + slice.readableBytes
        subscription.subscriber.deliver(slice)
    }

    /// Decides for each publication of a batch whether one subscription gets it.
    private struct Judge {
        private let batch: Batch
        private let details: BatchDetails?
        private let superseded: BitSet?
        private let excluded: UInt32?
        private let now: Int64

        init(_ batch: Batch, _ subscription: Subscription, now: Int64) {
            self.batch = batch
            self.now = now
            details = batch.details
            let conflates = subscription.overflow.conflates && subscription.lag.isLagging
            superseded = conflates && batch.details?.haveKeys == true ? batch.details?.supersededNow : nil
            excluded = subscription.options.echo ? nil : subscription.subscriber.origin
        }

        func verdict(at offset: Offset) -> Verdict {
            let index = Int(offset - batch.first)
            if let excluded, batch.origin(at: offset) == excluded { return .selfPublished }
            if let superseded, superseded.contains(index) { return .conflated }
            if let details, details.all[index].expires <= now { return .expired }
            return .deliver
        }
    }
}
