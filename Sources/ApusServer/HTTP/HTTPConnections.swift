import ApusBroker
import ApusSockets
import ApusTLS
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
    private let handedOver = AsyncStream.makeStream(of: Accepted.self)

    /// A connection whose first request is not answered yet.
    private struct Accepted: Sendable {
        let transport: DetachedTransport
        let caller: Caller
        /// What has been read of the request: something only where TLS had to open it.
        let opened: ByteBuffer
    }

    init(loops: any EventLoopGroup, child: ApusChannel, budget: SocketBudget, logger: Logger) {
        self.loops = loops
        self.child = child
        self.budget = budget
        self.logger = logger
    }

    /// Takes over a connection.
    ///
    /// - Parameter opened: what has been read of its requests. Without TLS, that is nothing.
    func adopt(_ transport: DetachedTransport, of caller: Caller, opened: ByteBuffer) {
        let accepted = Accepted(transport: transport, caller: caller, opened: opened)
        if case .terminated = handedOver.continuation.yield(accepted) { close(transport) }
    }

    private func close(_ transport: DetachedTransport) {
        transport.close()
        budget.release()
    }

    /// Serves until ``quiesce()`` is called and every connection has ended.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await accepted in handedOver.stream {
                group.addTask { await self.serve(accepted) }
            }
            // After cancellation, the loop above ends before it has taken every socket.
            handedOver.continuation.finish()
            for await accepted in handedOver.stream { close(accepted.transport) }
        }
    }

    private func serve(_ accepted: Accepted) async {
        do {
            let value = try await ClientBootstrap(group: loops.next())
                .channelOption(.allowRemoteHalfClosure, value: true)
                .withConnectedSocket(accepted.transport.socket.descriptor) { channel in
                    self.remember(channel)
                    return self.child.setup(channel: channel, caller: accepted.caller).flatMapThrowing { value in
                        try Self.addTLS(of: accepted, to: channel.pipeline.syncOperations)
                        return value
                    }
                }
            await child.handle(value: value, logger: logger)
        } catch {
            logger.debug("socket failed", metadata: ["error": "\(error)"])
        }
    }

    private static func addTLS(
        of accepted: Accepted,
        to pipeline: ChannelPipeline.SynchronousOperations
    ) throws {
        guard let session = accepted.transport.tls.flatMap({ TLSSession($0) }) else { return }
        try pipeline.addHandler(TLSHandler(session, opened: accepted.opened), name: "tls", position: .first)
        try pipeline.handler(type: HTTPConnectionHandler.self).pacer.readsAhead = true
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
