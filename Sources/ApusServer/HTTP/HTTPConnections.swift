import ApusBroker
import ApusSockets
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Serves HTTP on the accepted connections that ``PendingConnection`` hands over: NIO channels with Hummingbird's
/// handlers.
final class HTTPConnections: Sendable {
    private let loops: any EventLoopGroup
    private let child: ApusChannel
    private let budget: SocketBudget
    private let logger: Logger
    private let channels = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])
    private let isQuiescing = SharedFlag()
    /// Bounded by the socket budget, because each element is an open socket.
    private let handedOver = AsyncStream.makeStream(of: (socket: Socket, caller: Caller).self)

    init(loops: any EventLoopGroup, child: ApusChannel, budget: SocketBudget, logger: Logger) {
        self.loops = loops
        self.child = child
        self.budget = budget
        self.logger = logger
    }

    /// Takes over a socket from which nothing of its requests has been read.
    func adopt(_ socket: Socket, of caller: Caller) {
        if case .terminated = handedOver.continuation.yield((socket, caller)) { close(socket) }
    }

    private func close(_ socket: Socket) {
        socket.close()
        budget.release()
    }

    /// Serves until ``quiesce()`` is called and every connection has ended.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await (socket, caller) in handedOver.stream {
                group.addTask { await self.serve(socket, caller) }
            }
            // After cancellation, the loop above ends before it has taken every socket.
            handedOver.continuation.finish()
            for await (socket, _) in handedOver.stream { close(socket) }
        }
    }

    private func serve(_ socket: Socket, _ caller: Caller) async {
        do {
            let value = try await ClientBootstrap(group: loops.next())
                .channelOption(.allowRemoteHalfClosure, value: true)
                .withConnectedSocket(socket.descriptor) { channel in
                    self.remember(channel)
                    return self.child.setup(channel: channel, caller: caller)
                }
            await child.handle(value: value, logger: logger)
        } catch {
            logger.debug("socket failed", metadata: ["error": "\(error)"])
        }
    }

    private func remember(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        channels.withLockedValue { $0[id] = channel }
        channel.closeFuture.whenComplete { _ in
            self.channels.withLockedValue { _ = $0.removeValue(forKey: id) }
            self.budget.release()
        }
        if isQuiescing.isSet { Self.quiesce(channel) }
    }

    /// Frees memory that was reserved for more connections than exist now.
    func releaseMemory() {
        channels.withLockedValue { $0.releaseRoom() }
    }

    /// Stops accepting connections, and closes each existing connection after its current response.
    func quiesce() {
        isQuiescing.set()
        handedOver.continuation.finish()
        let open = channels.withLockedValue { Array($0.values) }
        for channel in open { Self.quiesce(channel) }
    }

    private static func quiesce(_ channel: any Channel) {
        channel.eventLoop.execute { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }
}
