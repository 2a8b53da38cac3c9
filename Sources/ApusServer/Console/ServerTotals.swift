import ApusBroker
import CEpoll
import Glibc

/// What the server has counted since its start, and what there is now.
struct ServerTotals: Sendable {
    /// One event loop.
    struct Loop: Sendable {
        /// The processor time of its thread so far, in nanoseconds.
        var busy: Int64
        var connections: Int
    }

    /// When they were read, in nanoseconds of a clock that nobody sets.
    var taken: Int64 = 0
    var published: UInt64 = 0
    var delivered: UInt64 = 0
    /// Messages that subscriptions did not get because of their policy or a topic's bound, but not those that a client
    /// left behind when it ended its subscription.
    var dropped: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    var connections = 0
    var subscriptions = 0
    var topics = 0
    /// In bytes, as it counts against `max_memory`.
    var memory = 0
    /// The processor time of the process so far, in nanoseconds.
    var processor: Int64 = 0
    /// `nil` if the server keeps nothing on a disk.
    var commits: UInt64?
    /// Bytes of messages on the disk.
    var diskBytes: Int?
    var loops: [Loop] = []
}

extension ServerTotals {
    /// Reads them. It takes a few additions on each loop, however many connections, subscriptions and topics there are.
    static func read(_ contexts: LoopContexts, _ pubSub: PubSub, _ broker: any Broker) async -> ServerTotals {
        let shares = await contexts.collect { context in
            (
                hub: context.hub.totals(), bytesIn: context.counters.receivedBytes,
                bytesOut: context.counters.sentBytes,
                loop: Loop(
                    busy: ProcessorTime.ofThread,
                    connections: context.connectionCount + context.streamCount
                )
            )
        }
        let hub = shares.reduce(await pubSub.totals()) { $0 + $1.hub }
        let limit = contexts.memory.limit
        var totals = ServerTotals()
        totals.taken = ProcessorTime.read(CLOCK_MONOTONIC)
        (totals.published, totals.delivered) = (hub.published, hub.delivered)
        totals.dropped = hub.droppedOldest + hub.droppedNewest + hub.droppedBytes
        totals.bytesIn = shares.reduce(0) { $0 + $1.bytesIn }
        totals.bytesOut = shares.reduce(0) { $0 + $1.bytesOut }
        totals.connections = contexts.open.value + contexts.streams.value
        totals.subscriptions = hub.subscriptions
        totals.topics = broker.topicCount
        // The allocator is asked only where the limit is near, like the keeper of the limit does.
        totals.memory = MemoryReading.now(enough: limit > 0 ? limit / 100 * 80 : .max).used
        totals.processor = ProcessorTime.ofProcess
        let kept = broker.journal?.figures
        (totals.commits, totals.diskBytes) = (kept?.commits, kept?.size)
        totals.loops = shares.map(\.loop)
        return totals
    }
}

/// Clocks in nanoseconds.
enum ProcessorTime {
    /// Of the calling thread.
    static var ofThread: Int64 { read(CLOCK_THREAD_CPUTIME_ID) }
    static var ofProcess: Int64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    static func read(_ clock: clockid_t) -> Int64 { Int64(cepoll_nanoseconds(clock)) }
}
