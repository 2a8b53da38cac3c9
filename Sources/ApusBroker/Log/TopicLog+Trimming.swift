import DequeModule

// What a log lets go of.

extension TopicLog {
    /// Drops the oldest batches that are no longer needed, and batches beyond the bound in bytes.
    ///
    /// - Parameters:
    ///   - needed: the cursor of the slowest subscription.
    ///   - retainFrom: the oldest offset that publishers wait for a subscription to read. Batches that end after it
    ///     stay, even beyond the bound in bytes.
    ///   - archived: what can be read elsewhere, as far as it is history.
    ///   - tail: the most bytes of that which stay here, if it is less than the limit says.
    ///   - now: in milliseconds on the steady clock, for history's bound in age.
    mutating func trim(
        needed: Offset,
        retainFrom: Offset,
        archived: Range<Offset> = 0..<0,
        tail: Int = .max,
        now: Int64 = .min
    ) {
        while let oldest = sealed.first {
            let isNeeded = oldest.end > needed
            let isElsewhere =
                oldest.first >= archived.lowerBound && oldest.end <= archived.upperBound
                && sealedBytes - oldest.size >= min(limits.tail, tail)
            if isNeeded || !isElsewhere && isHistory(oldest, now: now) {
                guard sealedBytes > limits.bytes, oldest.end <= retainFrom || !isNeeded else { return }
                // The newest publication stays even when it alone exceeds the bound, because it has not been delivered
                // yet.
                guard sealed.count > 1 || !isNeeded else { return }
            }
            sealedBytes -= oldest.size
            sealed.removeFirst()
            if let details = oldest.details, details.haveKeys { forgetKeys(of: oldest, details) }
        }
    }

    /// Drops all encodings except the base from batches that all readers have finished.
    mutating func dropEncodings(before offset: Offset) {
        // Nearly always there is nothing sealed behind them.
        guard readTo < min(offset, isOpen ? openFirst : head), var index = index(of: readTo) else { return }
        while index < sealed.endIndex, sealed[index].end <= offset {
            sealed[index].dropOtherEncodings()
            readTo = sealed[index].end
            index += 1
        }
    }

    /// Whether a replay may ask for a publication in the oldest batch.
    private func isHistory(_ oldest: Batch, now: Int64) -> Bool {
        if oldest.end <= historyFrom { return false }
        let reach = UInt64(limits.history)
        if head > reach, oldest.end <= head - reach { return false }
        if let age = limits.historyAge, max(now, sealed.last?.newestSteady ?? now) - age > oldest.newestSteady {
            return false
        }
        if let bytes = limits.historyBytes, sealedBytes - oldest.size >= bytes { return false }
        return true
    }

    /// Forgets the keys whose newest publication is in this batch.
    ///
    /// - Parameter now: only forgets publications that have expired by then.
    mutating func forgetKeys(of batch: Batch, _ details: BatchDetails, expiredBy now: Int64 = .max) {
        for (index, detail) in details.all.enumerated() where detail.expires <= now {
            guard let key = detail.key.map(KeyText.init), newestOfKey[key] == batch.first + UInt64(index) else {
                continue
            }
            newestOfKey[key] = nil
        }
    }
}
