import ApusProtocol
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What a ``PubSub`` and its subscriptions share. Its tasks end when the last of them is released.
final class PubSubCore: Sendable {
    /// How often deadlines are checked.
    private static let tickInterval = Duration.milliseconds(500)
    /// The number of topics checked for expired messages at each tick.
    private static let trimmedEachTick = 1000
    /// Counts down from the maximum. A server's connections count up; both use these numbers to recognize their own
    /// messages.
    private static let lastOrigin = Atomic(UInt32.max)

    let broker: any Broker
    let options: PubSub.Options
    let origin: UInt32
    let loop: PubSubLoop
    /// Whether this object must maintain the broker's topics.
    private let ownsBroker: Bool
    private let bell: AsyncStream<Void>.Continuation
    private let rings: AsyncStream<Void>
    private let tasks = NIOLockedValueBox<[Task<Void, Never>]>([])

    init(
        broker: any Broker,
        options: PubSub.Options,
        ownsBroker: Bool,
        clock: @escaping @Sendable () -> Moment
    ) {
        self.broker = broker
        self.options = options
        self.ownsBroker = ownsBroker
        origin = Self.lastOrigin.subtract(1, ordering: .relaxed).oldValue
        (rings, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        loop = PubSubLoop(broker: broker, clock: clock) { [bell] in bell.yield() }
    }

    deinit {
        bell.finish()
        for task in tasks.withLockedValue({ $0 }) { task.cancel() }
    }

    /// Starts the loop's tasks. Call it before anything that needs them.
    func start() {
        tasks.withLockedValue { tasks in
            guard tasks.isEmpty else { return }
            let (loop, rings, broker, options, trims) = (loop, rings, broker, options, ownsBroker)
            tasks = [
                Task.detached {
                    for await _ in rings { await loop.turn() }
                    await loop.close()
                },
                Task.detached {
                    while (try? await Task.sleep(for: Self.tickInterval)) != nil {
                        await loop.tick(options)
                        if trims { broker.trim(now: await loop.passed, limit: Self.trimmedEachTick) }
                    }
                },
            ]
        }
    }

    /// Hands work to the loop for its next turn.
    func post(_ work: PubSubLoop.Work) {
        loop.inbox.withLockedValue { $0.append(work) }
        bell.yield()
    }

    /// The current wall-clock time and monotonic time, in milliseconds.
    static func systemTime() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Moment(
            wall: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000,
            steady: Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
        )
    }
}
