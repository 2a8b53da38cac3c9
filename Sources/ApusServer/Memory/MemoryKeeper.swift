import ApusBroker
import CEpoll
import Glibc
import Logging

/// Keeps the server within its memory limit.
///
/// Near it, topics drop what the disk has, too, and the connections for which most is kept are closed until there is
/// room. At it, new work is refused. Messages within a topic's history stay in any case, and everything goes on by
/// itself when there is room again.
struct MemoryKeeper: Sendable {
    /// How often the memory is looked at, and for a limit below which one publisher may use up the rest meanwhile.
    private static let (interval, shortInterval) = (Duration.milliseconds(100), Duration.milliseconds(20))
    private static let smallLimit = 1 << 30
    /// How many connections of a loop are closed at most before the memory is looked at again.
    private static let cutsAtOnce = 64
    /// The least time between two requests to the allocator to return what is free, in milliseconds.
    private static let trimInterval: Int64 = 10_000
    /// The least time between two requests to all topics to drop what the disk has, too.
    private static let dropInterval: Int64 = 1000

    let limit: Int
    let contexts: LoopContexts
    let broker: any Broker
    let logger: Logger

    /// Keeps to the setting in force until the task is cancelled. A reload may change it.
    static func run(_ contexts: LoopContexts, broker: any Broker, logger: Logger) async {
        while !Task.isCancelled {
            let setting = contexts.settings.limits.maxMemory
            let isInForce: @Sendable () -> Bool = {
                !Task.isCancelled && contexts.settings.limits.maxMemory == setting
            }
            if let limit = setting.bytes(of: AvailableMemory.bytes) {
                await MemoryKeeper(limit: limit, contexts: contexts, broker: broker, logger: logger).run(
                    while: isInForce
                )
            } else {
                contexts.memory.setLimit(0)
                while isInForce() { try? await Task.sleep(for: .seconds(1)) }
            }
        }
    }

    private func run(while isInForce: () -> Bool) async {
        contexts.memory.setLimit(limit)
        var budget = MemoryBudget(limit: limit)
        var nextTrim: Int64 = 0
        var nextDrop: Int64 = 0
        while isInForce() {
            let reading = MemoryReading.now(enough: limit / 100 * 80)
            await adapt(&budget, to: reading)
            // Freed memory counts for the kernel, which kills by it.
            let now = LoopContext.monotonicNow()
            if budget.level != .free, now >= nextDrop {
                broker.dropTails()
                nextDrop = now + Self.dropInterval
            }
            if reading.resident > budget.nearMark, reading.allocated < budget.nearMark, now >= nextTrim {
                malloc_trim(0)
                nextTrim = now + Self.trimInterval
            }
            try? await Task.sleep(for: limit < Self.smallLimit ? Self.shortInterval : Self.interval)
        }
        // Another limit begins anew.
        if budget.level == .full { await refuseWork(false) }
    }

    private func adapt(_ budget: inout MemoryBudget, to reading: MemoryReading) async {
        let before = budget.level
        let excess = budget.update(used: reading.used)
        if budget.level != before { await tell(budget.level, before: before, reading) }
        if excess > 0 { await cut(excess) }
    }

    private func tell(_ level: MemoryBudget.Level, before: MemoryBudget.Level, _ reading: MemoryReading) async {
        let metadata: Logger.Metadata = ["used": "\(reading.used)", "max_memory": "\(limit)"]
        switch level {
        case .free: logger.notice("memory is well below its limit again", metadata: metadata)
        case .near: logger.warning("memory is near its limit", metadata: metadata)
        case .full: logger.error("memory is at its limit: new work is refused", metadata: metadata)
        }
        let (isFull, wasFull) = (level == .full, before == .full)
        if isFull != wasFull { await refuseWork(isFull) }
    }

    private func refuseWork(_ isFull: Bool) async {
        contexts.memory.isFull.set(isFull)
        await contexts.forEach { $0.setFull(isFull) }
    }

    /// Closes the connections for which most is kept, until they come to so many bytes.
    private func cut(_ excess: Int) async {
        let laggards = await contexts.collect { $0.laggards(limit: Self.cutsAtOnce) }.joined()
        var freed = 0
        var chosen: Set<UInt64> = []
        for laggard in laggards.sorted(by: { $0.bytes > $1.bytes }) where freed < excess {
            freed += laggard.bytes
            chosen.insert(laggard.connection)
            logger.warning(
                "closed a connection to free memory",
                metadata: [
                    "connection.id": "\(laggard.connection)", "address": "\(laggard.address)",
                    "bytes": "\(laggard.bytes)",
                ]
            )
        }
        guard !chosen.isEmpty else { return }
        contexts.memory.countCuts(chosen.count)
        await contexts.forEach { [chosen] in $0.cutForMemory(chosen) }
    }
}
