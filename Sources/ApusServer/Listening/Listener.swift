import ApusSockets
import Logging
import NIOCore

/// Accepts connections, and deals them out to the loops in turn.
///
/// Lives on the loop that it listens on.
final class Listener: PollTarget {
    /// How many connections are accepted before the loop's other sockets have their turn.
    private static let burst = 64
    /// How long it waits when there is no room for another socket.
    private static let pause = TimeAmount.milliseconds(100)

    private let socket: Socket
    private let poller: Poller
    private let eventLoop: any EventLoop
    private let budget: SocketBudget
    private let logger: Logger
    private let dispatch: (Socket, PeerAddress) -> Void
    private var registration: Poller.ID?

    /// - Parameter deal: is given each connection.
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
                guard !budget.isSpent else { return wait() }
                guard let (accepted, peer) = try socket.accept() else { return }
                budget.take()
                // The client's acks and events are small, and none is to wait for another.
                accepted.disableDelay()
                dispatch(accepted, peer)
            }
        } catch {
            logger.warning("cannot accept connections", metadata: ["error": "\(error)"])
            wait()
        }
    }

    /// Looks again later: clients stay in the kernel's queue meanwhile.
    private func wait() {
        guard let registration else { return }
        poller.change(registration, of: socket, to: [])
        eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        guard let registration else { return }
        poller.change(registration, of: socket, to: .readable)
    }

    /// Accepts nothing more. Clients that the kernel has queued are turned away.
    func stop() {
        guard let registration = registration.take() else { return }
        poller.remove(registration, of: socket)
        socket.close()
    }
}
