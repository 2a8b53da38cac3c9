public import Dispatch
import Glibc
import HeapModule
import NIOConcurrencyHelpers
public import NIOCore
import Synchronization

/// A thread that waits for sockets and runs tasks in between: an `EventLoop` whose sockets have no channels.
///
/// A NIO channel has its own pipeline, promises and buffers. They take some 4 KiB for each connection, and a
/// microsecond for each write. Here, a socket is a descriptor and the target that is called when it is ready.
///
/// ```
/// sockets that are ready ──► their targets ──► what was to be executed ──► and again
/// ```
/// Call ``run()`` on a thread of its own. It returns after ``shutdownGracefully(queue:_:)``.
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
        /// Whether timers are late, and wait until the sockets were polled once.
        var looksFirst = false
        /// Whether the thread will check this state again before it waits.
        var isAwake = true
        var isStopping = false
        var hasStopped = false
        /// The descriptor of the poller, until the thread takes ownership of it.
        var epoll: CInt?
        var whenStopped: [@Sendable () -> Void] = []
    }

    /// Timers that are later than this let the sockets go first.
    private static let lateness = TimeAmount.milliseconds(50)

    private let state: NIOLockedValueBox<State>
    private let alarm: Alarm
    /// The thread that runs the loop; 0, which is no thread, while none does.
    private let thread = Atomic<UInt>(0)

    package init() throws(SocketError) {
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

    /// Runs the loop until it is shut down.
    public func run() {
        guard let epoll = state.withLockedValue({ $0.epoll.take() }) else {
            preconditionFailure("a loop runs once")
        }
        let poller = Poller(epoll: epoll)
        ThreadPriority.takeFromProcess()
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        let id = alarm.register(with: poller)
        var work: [Work] = []
        while takeWork(&work) {
            for item in work { item(poller) }
            work.removeAll(keepingCapacity: true)
            poller.poll(timeout: timeToWait())
            // A client that just got a reply may have sent more. What it publishes goes out together with the rest.
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

    /// Takes the work that is due now. Returns `false` when the loop must end and no work is left.
    private func takeWork(_ work: inout [Work]) -> Bool {
        state.withLockedValue { state in
            state.isAwake = true
            swap(&work, &state.work)
            if let first = state.timers.min, first.deadline <= .now() {
                let now = NIODeadline.now()
                // The process may have been stopped. What has come meanwhile is read before deadlines are checked.
                state.looksFirst =
                    !state.looksFirst && !state.isStopping && now - first.deadline > Self.lateness
                while !state.looksFirst, let timer = state.timers.min, timer.deadline <= now {
                    state.timers.removeMin()
                    work.append { _ in timer.work() }
                }
            }
            return !state.isStopping || !work.isEmpty
        }
    }

    /// Milliseconds until the next work. From here on, other threads must wake this thread.
    private func timeToWait() -> CInt {
        state.withLockedValue { state in
            guard state.work.isEmpty, !state.isStopping else { return 0 }
            state.isAwake = false
            guard let next = state.timers.min else { return -1 }
            let wait = next.deadline - .now()
            // Rounded up; otherwise the loop would spin through the last millisecond.
            return CInt(clamping: max((wait.nanoseconds + 999_999) / 1_000_000, 0))
        }
    }

    /// Runs `body` on the loop's thread, with the poller of its sockets.
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
        // The timer may be due before the thread would wake up.
        if sleeps, !inEventLoop { alarm.ring() }
        return id
    }

    private func cancelTimer(_ id: UInt64) {
        // Releases the old heap outside of the lock: when released, a timer's work may call the loop.
        _ = state.withLockedValue { state in
            let all = state.timers
            // Few timers wait at a time: loops handle the deadlines of connections.
            state.timers = Heap(all.unordered.filter { $0.id != id })
            return all
        }
    }

    /// Ends ``run()`` after the work that is already queued, and then calls back on `queue`.
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
