package import ApusBroker
package import ApusProtocol
import NIOConcurrencyHelpers

/// Event loops without threads or clocks: several hubs over one broker, whose turns run when the test says so.
///
/// ```
/// hub 0 ─┐                    ┌─ due: {0, 2}    runNext()       one turn of one hub
/// hub 1 ─┼─ MemoryBroker ─────┤
/// hub 2 ─┘                    └─ picked in order, or by a seed  runUntilIdle()  until none is due
/// ```
/// A hub's mailbox only records that its turn is due, as an event loop's task queue would. Belongs to one thread.
package final class ManualLoop {
    package let broker: MemoryBroker
    package let hubs: [Hub]
    /// The time of all hubs. It stands still unless the test moves it.
    package let clock: ManualClock
    /// Called before each turn, with the index of the hub.
    package var onTurn: ((Int) -> Void)?
    private let due: DueTurns
    private var generator: SeededGenerator?

    /// Creates a broker and its hubs.
    ///
    /// - Parameters:
    ///   - count: the number of hubs.
    ///   - journal: keeps what topics are told to keep.
    ///   - compression: the compression settings of the hubs, for subscribers that support it.
    ///   - turns: how much the hubs do in one turn.
    ///   - time: what the hubs take for the time that the clock shows.
    ///   - seed: selects which of the due hubs runs next; `nil` to run them in the order in which they became due.
    package init(
        hubs count: Int = 1,
        limits: MemoryBroker.Limits = MemoryBroker.Limits(),
        journal: (any Journal)? = nil,
        compression: MessageCompressor.Settings? = nil,
        turns: TurnLimits = TurnLimits(),
        seed: UInt64? = nil,
        time: @escaping @Sendable (Moment) -> Moment = { $0 }
    ) {
        let lastEpoch = NIOLockedValueBox(0)
        let broker = MemoryBroker(limits: limits, journal: journal) {
            lastEpoch.withLockedValue { last in
                last += 1
                return "epoch\(last)"
            }
        }
        let clock = ManualClock()
        self.clock = clock
        let due = DueTurns()
        self.broker = broker
        self.due = due
        hubs = (0..<count).map { index in
            Hub(
                broker: broker,
                mailbox: HubMailbox { due.add(index) },
                compression: compression,
                limits: turns
            ) { time(clock.moment) }
        }
        generator = seed.map { SeededGenerator(seed: $0) }
    }

    /// The hubs whose turn is due, in the order in which they asked for it.
    package var dueHubs: [Int] { due.all }

    /// Runs one turn of one hub that is due.
    ///
    /// - Returns: `false` when no hub is due.
    @discardableResult
    package func runNext() -> Bool {
        let waiting = due.all
        guard let first = waiting.first else { return false }
        var index = first
        if var generator {
            index = waiting.randomElement(using: &generator) ?? first
            self.generator = generator
        }
        run(index)
        return true
    }

    /// Runs one turn of that hub, due or not: a turn without work must do no harm.
    package func run(_ index: Int) {
        due.remove(index)
        onTurn?(index)
        hubs[index].turn()
    }

    /// Runs turns until none is due.
    ///
    /// - Parameter limit: more turns than this count as an endless loop and stop the process.
    /// - Returns: the number of turns.
    @discardableResult
    package func runUntilIdle(limit: Int = 100_000) -> Int {
        var count = 0
        while runNext() {
            count += 1
            precondition(count <= limit, "the hubs still ask for turns after \(limit) of them")
        }
        return count
    }
}

/// The hubs that have asked for a turn. Any thread may post to a mailbox, hence the lock.
private final class DueTurns: Sendable {
    private let indices = NIOLockedValueBox<[Int]>([])

    var all: [Int] { indices.withLockedValue { $0 } }

    func add(_ index: Int) {
        indices.withLockedValue { indices in
            if !indices.contains(index) { indices.append(index) }
        }
    }

    func remove(_ index: Int) {
        indices.withLockedValue { indices in indices.removeAll { $0 == index } }
    }
}
