import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

// What makes publishers wait: throttling subscriptions, and loops that are behind.

extension TopicState {
    /// What a publish from this hub has to wait for, if anything. The topic tells the hub when the wait is over.
    @inline(__always)
    mutating func obstacle(to publisher: HubMailbox?, wakeups: inout [Wakeup]) -> PublishOutcome? {
        obstacle(to: publisher, at: log.head, wakeups: &wakeups)
    }

    /// - Parameter head: the offset that the publish would get.
    @inline(__always)
    mutating func obstacle(to publisher: HubMailbox?, at head: Offset, wakeups: inout [Wakeup]) -> PublishOutcome? {
        guard head >= freeUntil || publishedBytes >= freeBytes else { return nil }
        return lookForObstacle(to: publisher, wakeups: &wakeups)
    }

    private mutating func lookForObstacle(to publisher: HubMailbox?, wakeups: inout [Wakeup]) -> PublishOutcome? {
        var found: PublishOutcome?
        for index in readers.indices {
            if throttles(readers[index]) {
                addWaiting(publisher)
                return .throttled
            }
            // A loop reads what it publishes itself before it takes more input from its sockets. It is not behind,
            // unless that takes several turns.
            guard readers[index].mailbox !== publisher || readers[index].isInParts, isBehind(readers[index]) else {
                continue
            }
            if readers[index].heldSince == nil {
                readers[index].heldSince = Self.now
                // The publisher whose hub was to wake this reader may do so only at the end of a long round.
                wakeups.append(Wakeup(mailbox: readers[index].mailbox, slot: readers[index].slot))
            }
            found = .held
        }
        if found != nil { addWaiting(publisher) }
        return found
    }

    mutating func addWaiting(_ publisher: HubMailbox?) {
        if let publisher, !waiting.contains(where: { $0 === publisher }) { waiting.append(publisher) }
    }

    private func throttles(_ reader: Reader) -> Bool {
        guard reader.publishLimit != .max else { return false }
        if nextOffset >= reader.publishLimit { return true }
        // Bytes that only other policies still have to read make no publisher wait.
        return log.bytes > log.limits.bytes && reader.retainFrom < log.head
    }

    private func isBehind(_ reader: Reader) -> Bool {
        guard let pace = limits.loopPace, !reader.isPassedOver else { return false }
        return log.head - reader.seen >= pace.messages(for: reader.subscriptions)
            || publishedBytes - reader.seenBytes >= UInt64(pace.bytes)
    }

    /// Computes how far publishers can go before they must check the readers again.
    mutating func findLimits() {
        var (head, bytes) = (Offset.max, UInt64.max)
        for index in readers.indices {
            if readers[index].publishLimit != .max { head = 0 }
            guard let pace = limits.loopPace, !readers[index].isPassedOver else { continue }
            head = min(head, readers[index].seen + pace.messages(for: readers[index].subscriptions))
            bytes = min(bytes, readers[index].seenBytes + UInt64(pace.bytes))
        }
        (freeUntil, freeBytes) = (head, bytes)
    }

    /// Records that the hub has looked at everything published so far.
    mutating func noteLook(of mailbox: HubMailbox) {
        guard let index = readers.firstIndex(where: { $0.mailbox === mailbox }) else { return }
        readers[index].isNotified = false
        readers[index].seen = log.head
        readers[index].seenBytes = publishedBytes
        readers[index].isPassedOver = false
        readers[index].isInParts = false
        if let since = readers[index].heldSince.take() { readers[index].heldTime += Self.now - since }
        findLimits()
    }

    /// Stops waiting for loops that have not looked for `timeout` milliseconds. Such a loop is stuck.
    mutating func passOverStuck(for timeout: Int64) {
        let now = Self.now
        for index in readers.indices {
            guard let since = readers[index].heldSince, now - since >= timeout else { continue }
            readers[index].heldSince = nil
            readers[index].heldTime += now - since
            readers[index].isPassedOver = true
        }
        findLimits()
    }

    /// Takes the hubs whose publishers wait, once nothing makes them wait any more.
    mutating func takeWaitingIfOpen() -> [HubMailbox] {
        guard !waiting.isEmpty else { return [] }
        var isOpen = isDeleted || !isCommitBacklogFull
        for index in readers.indices where !isDeleted {
            if isBehind(readers[index]) {
                isOpen = false
                // From now on publishers wait for this loop, whatever they waited for before.
                if readers[index].heldSince == nil { readers[index].heldSince = Self.now }
            } else if throttles(readers[index]) {
                isOpen = false
            }
        }
        guard isOpen else { return [] }
        defer { waiting = [] }
        return waiting
    }

    /// Milliseconds of the monotonic clock.
    private static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }
}

extension Topic {
    /// Records that the hub goes on with its drain in another turn.
    func noteParts(of mailbox: HubMailbox) {
        state.withLockedValue { state in
            guard let index = state.readers.firstIndex(where: { $0.mailbox === mailbox }) else { return }
            state.readers[index].isInParts = true
        }
    }
}
