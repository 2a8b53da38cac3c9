import ApusSockets
import Logging
import NIOCore

/// Accepts connections, and distributes them to the loops in turn.
///
/// Used only on the loop that it listens on.
final class Listener: PollTarget {
    /// How many connections are accepted before the loop's other sockets get their turn.
    private static let burst = 16
    /// How long the listener waits when no further socket can be opened.
    private static let pause = TimeAmount.milliseconds(100)
    /// The least time between two warnings that clients wait.
    private static let silence = TimeAmount.minutes(1)

    private let socket: Socket
    private let poller: Poller
    private let eventLoop: any EventLoop
    private let budget: SocketBudget
    private let logger: Logger
    private let dispatch: (Socket, PeerAddress) -> Void
    private var registration: Poller.ID?
    private var nextWarning = NIODeadline.uptimeNanoseconds(0)

    /// - Parameter deal: called with each connection.
    init(
        socket: Socket,
        poller: Poller,
        eventLoop: any EventLoop,
        budget: SocketBudget,
        logger: Logger,
        dispatch: @escaping (Socket, PeerAddress) -> Void
    ) {
        self.socket = socket
        self.poller = poller
        self.eventLoop = eventLoop
        self.budget = budget
        self.logger = logger
        self.dispatch = dispatch
    }

    func start() throws(SocketError) {
        registration = try poller.add(socket, for: .readable, target: self)
    }

    func socketIsReady(_ events: PollEvents) {
        do throws(SocketError) {
            for _ in 0..<Self.burst {
                guard !budget.isSpent else {
                    warn("new clients wait: there are as many connections as files allow", ["limit": "\(budget.limit)"])
                    return wait()
                }
                guard let (accepted, peer) = try socket.accept() else { return }
                budget.take()
                // Acks and events for the client are small, and none should wait for another.
                accepted.disableDelay()
                dispatch(accepted, peer)
            }
        } catch {
            warn("new clients wait: cannot accept connections", ["error": "\(error)"])
            wait()
        }
    }

    private func warn(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        let now = eventLoop.now
        guard now >= nextWarning else { return }
        nextWarning = now + Self.silence
        logger.warning(message, metadata: metadata)
    }

    /// Pauses accepting. Meanwhile clients stay in the kernel's queue.
    private func wait() {
        guard let registration else { return }
        poller.change(registration, of: socket, to: [])
        eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        guard let registration else { return }
        poller.change(registration, of: socket, to: .readable)
    }

    /// Stops accepting. The kernel rejects the clients in its queue.
    func stop() {
        guard let registration = registration.take() else { return }
        poller.remove(registration, of: socket)
        socket.close()
    }
}
