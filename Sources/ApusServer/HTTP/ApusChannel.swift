import ApusSockets
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A server's child channel: HTTP/1.1 for Hummingbird's router, until the client asks for a WebSocket.
struct ApusChannel: ServerChildChannel {
    /// Answers a request. The channel is for routers other than Apus' own.
    typealias Responder =
        @Sendable (Request, consuming ResponseWriter, InFlightRequest, any Channel) async throws -> Void
    typealias HTTPChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        /// Fulfilled before the first request for the router; fails if none comes.
        fileprivate let requests: EventLoopFuture<(HTTPChannel, InFlightRequest)>
    }

    /// The connection ended without a request for the router, or its socket became a WebSocket.
    private struct NoRequest: Error {}

    let responder: Responder
    let gate: any HandshakeGate
    let log: RequestLog
    let timeouts: HTTPConnectionState.Timeouts
    let staysForDrain: Bool
    let logger: Logger

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let address = PeerAddress(channel.remoteAddress)
        return setup(channel: channel, caller: Caller(address: address, isOnUnixSocket: address.isUnix))
    }

    /// - Parameter caller: who is at the other end of the connection.
    func setup(channel: any Channel, caller: Caller) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            // A socket leaves its channel as it is: what TLS, or another handler, did to its bytes would end there.
            guard (try? pipeline.context(name: "handler0")) == nil else {
                self.logger.error("Apus serves no connections behind TLS or other channel handlers")
                throw NoRequest()
            }
            let requests = channel.eventLoop.makePromise(of: (HTTPChannel, InFlightRequest).self)
            channel.closeFuture.whenComplete { _ in requests.fail(NoRequest()) }
            let handler = HTTPConnectionHandler(
                timeouts: timeouts,
                staysForDrain: staysForDrain,
                caller: caller,
                gate: gate.facing(caller),
                log: log
            ) { request in
                do {
                    requests.succeed((try Self.addRouter(to: channel), request))
                } catch {
                    requests.fail(error)
                    throw error
                }
            }
            try handler.add(to: pipeline)
            return Value(channel: channel, requests: requests.futureResult)
        }
    }

    private static func addRouter(to channel: any Channel) throws -> HTTPChannel {
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        let configuration = HTTPChannel.Configuration(isOutboundHalfClosureEnabled: true)
        return try HTTPChannel(wrappingChannelSynchronously: channel, configuration: configuration)
    }

    func handle(value: Value, logger: Logger) async {
        do {
            let (channel, request) = try await value.requests.get()
            await Bound(channel: self, request: request).handleHTTP(asyncChannel: channel, logger: self.logger)
        } catch {
            self.logger.debug("no request came", metadata: ["error": "\(error)"])
        }
    }

    /// The channel of one connection, with Hummingbird's loop over its requests.
    private struct Bound: HTTPChannelHandler {
        let channel: ApusChannel
        let request: InFlightRequest

        var responder: HTTPChannelHandler.Responder {
            { [respond = channel.responder, request] in try await respond($0, $1, request, $2) }
        }

        func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
            self.channel.setup(channel: channel, logger: logger)
        }

        func handle(value: Value, logger: Logger) async {
            await channel.handle(value: value, logger: logger)
        }
    }
}
