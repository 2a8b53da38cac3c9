public import Dispatch
import Glibc
import HeapModule
import NIOConcurrencyHelpers
public import NIOCore
import Synchronization

/// One thread that waits for sockets, and does what it is asked to in between: an `EventLoop` whose sockets have no
/// channels.
///
/// A NIO channel has a pipeline, promises and buffers of its own, some 4 KiB for each connection and a microsecond for
/// each write. Here a socket is a descriptor and whoever is told that it is ready.
///
/// ```
/// sockets that are ready ──► their targets ──► what was to be executed ──► and again
/// ```
/// Call ``run()`` on a thread of its own; it returns after ``shutdownGracefully(queue:_:)``.
public final class SocketLoop: EventLoop {
    private typealias Work = @Sendable (Poller) -> Void

    private struct Timer: Comparable {
        let deadline: NIODeadline
        let id: UInt64
        let work: @Sendable () -> Void

        static func < (left: Timer, right: Timer) -> Bool {
            (left.deadline, left.id) < (right.deadline, right.id)
        }

        static func == (left: Timer, right: Timer) -> Bool { left.id == right.id }
    }

    private struct State {
        var work: [Work] = []
        var timers = Heap<Timer>()
        var lastTimer: UInt64 = 0
        /// Whether the thread will look here again before it waits.
        var isAwake = true
        var isStopping = false
        var hasStopped = false
        /// The descriptor of the poller, until the thread takes it over.
        var epoll: CInt?
        var whenStopped: [@Sendable () -> Void] = []
    }

    private let state: NIOLockedValueBox<State>
    private let alarm: Alarm
    /// The thread that runs, while one does; no thread has 0.
    private let thread = Atomic<UInt>(0)

    public init() throws(SocketError) {
        alarm = try Alarm()
        do throws(SocketError) {
            state = NIOLockedValueBox(State(epoll: try Poller.open()))
        } catch {
            alarm.close()
            throw error
        }
    }

    deinit {
        if let epoll = state.withLockedValue({ $0.epoll }) { Glibc.close(epoll) }
        alarm.close()
    }

    // MARK: Running

    /// Works until the loop is shut down.
    public func run() {
        guard let epoll = state.withLockedValue({ $0.epoll.take() }) else {
            preconditionFailure("a loop runs once")
        }
        let poller = Poller(epoll: epoll)
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        let id = alarm.register(with: poller)
        var work: [Work] = []
        while takeWork(&work) {
            for item in work { item(poller) }
            work.removeAll(keepingCapacity: true)
            poller.poll(timeout: timeToWait())
            // Whoever was just answered may have asked for more: what it publishes goes out with what is there.
            if hasWork { poller.poll(timeout: 0) }
        }
        if let id { alarm.remove(id, from: poller) }
        thread.store(0, ordering: .relaxed)
        let whenStopped = state.withLockedValue { state in
            state.hasStopped = true
            defer { state.whenStopped = [] }
            return state.whenStopped
        }
        for body in whenStopped { body() }
    }

    private var hasWork: Bool { state.withLockedValue { !$0.work.isEmpty } }

    /// Takes what is to be done now; `false` once the loop is to end and nothing is left.
    private func takeWork(_ work: inout [Work]) -> Bool {
        state.withLockedValue { state in
            state.isAwake = true
            swap(&work, &state.work)
            if let first = state.timers.min, first.deadline <= .now() {
                let now = NIODeadline.now()
                while let timer = state.timers.min, timer.deadline <= now {
                    state.timers.removeMin()
                    work.append { _ in timer.work() }
                }
            }
            return !state.isStopping || !work.isEmpty
        }
    }

    /// Milliseconds until there is something to do; from here on others have to wake the thread.
    private func timeToWait() -> CInt {
        state.withLockedValue { state in
            guard state.work.isEmpty, !state.isStopping else { return 0 }
            state.isAwake = false
            guard let next = state.timers.min else { return -1 }
            let wait = next.deadline - .now()
            // Rounded up, or the loop would spin through the last millisecond.
            return CInt(clamping: max((wait.nanoseconds + 999_999) / 1_000_000, 0))
        }
    }

    /// Runs `body` on the loop's thread with the poller of its sockets.
    public func withPoller(_ body: @escaping @Sendable (Poller) -> Void) {
        let sleeps = state.withLockedValue { state in
            state.work.append(body)
            defer { state.isAwake = true }
            return !state.isAwake
        }
        if sleeps, !inEventLoop { alarm.ring() }
    }

    // MARK: EventLoop

    public var inEventLoop: Bool {
        thread.load(ordering: .relaxed) == UInt(pthread_self())
    }

    public func execute(_ task: @escaping @Sendable () -> Void) {
        withPoller { _ in task() }
    }

    @discardableResult
    public func scheduleTask<Value>(
        deadline: NIODeadline,
        _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        let promise = makePromise(of: Value.self)
        let id = addTimer(at: deadline) { promise.assumeIsolated().completeWith(Result { try task() }) }
        return Scheduled(promise: promise) { [weak self] in self?.cancelTimer(id) }
    }

    @discardableResult
    public func scheduleTask<Value>(
        in delay: TimeAmount,
        _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        scheduleTask(deadline: .now() + delay, task)
    }

    private func addTimer(at deadline: NIODeadline, _ work: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, sleeps) = state.withLockedValue { state in
            state.lastTimer += 1
            state.timers.insert(Timer(deadline: deadline, id: state.lastTimer, work: work))
            defer { state.isAwake = true }
            return (state.lastTimer, !state.isAwake)
        }
        // It may be due before what the thread waits for.
        if sleeps, !inEventLoop { alarm.ring() }
        return id
    }

    private func cancelTimer(_ id: UInt64) {
        // Let go of without the lock: what the work holds may ask something of the loop as it ends.
        _ = state.withLockedValue { state in
            let all = state.timers
            // Few wait at a time: deadlines of connections are their worker's business.
            state.timers = Heap(all.unordered.filter { $0.id != id })
            return all
        }
    }

    /// Ends ``run()`` after what was asked for before, and tells `queue` then.
    public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        let (sleeps, hasStopped) = state.withLockedValue { state in
            state.isStopping = true
            if !state.hasStopped { state.whenStopped.append { queue.async { callback(nil) } } }
            defer { state.isAwake = true }
            return (!state.isAwake, state.hasStopped)
        }
        if hasStopped { return queue.async { callback(nil) } }
        if sleeps, !inEventLoop { alarm.ring() }
    }
}
