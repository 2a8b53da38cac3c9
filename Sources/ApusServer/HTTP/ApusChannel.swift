import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A server's child channel: HTTP/1.1 for Hummingbird's router until a WebSocket is asked for, and then nothing but a
/// ``WebSocketConnection``, without a task or an async stream of its own.
struct ApusChannel: ServerChildChannel, HTTPChannelHandler {
    enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case webSocket
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    let responder: HTTPChannelHandler.Responder
    let gate: WebSocketGate
    let handshakeTimeout: TimeAmount
    let idleTimeout: TimeAmount?
    let logger: Logger

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        self.logger.debug("socket accepted", metadata: ["peer": "\(channel.remoteAddress?.description ?? "unknown")"])
        return channel.eventLoop.makeCompletedFuture {
            let negotiated = channel.eventLoop.makePromise(of: Negotiated.self)
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
            let negotiation = NegotiationHandler(
                gate: gate,
                encoder: encoder,
                decoder: decoder,
                negotiated: negotiated,
                requestTimeout: handshakeTimeout,
                configureHTTP: configureHTTP
            )
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(encoder)
            try pipeline.addHandler(decoder)
            try pipeline.addHandler(negotiation)
            let deadline = channel.eventLoop.scheduleTask(in: handshakeTimeout) {
                channel.close(promise: nil)
            }
            negotiated.futureResult.whenComplete { _ in deadline.cancel() }
            return Value(channel: channel, negotiated: negotiated.futureResult)
        }
    }

    /// What serves a connection's HTTP requests.
    struct HTTPPipeline {
        let channel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        /// What stands between the channel's end and its HTTP/1 codec.
        let handlers: [any RemovableChannelHandler]
    }

    private func configureHTTP(_ channel: any Channel) throws -> HTTPPipeline {
        let codec = HTTP1ToHTTPServerCodec(secure: false)
        let idle = idleTimeout.map { Duration.nanoseconds($0.nanoseconds) }
        let idleHandler = HTTPConnectionStateHandler(idleTimeout: idle, logger: logger)
        try channel.pipeline.syncOperations.addHandlers([codec, idleHandler])
        let configuration = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>.Configuration(
            isOutboundHalfClosureEnabled: true
        )
        return HTTPPipeline(
            channel: try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: configuration),
            handlers: [codec, idleHandler]
        )
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .webSocket: break
            }
        } catch {
            // Whoever hung up, or was refused, before a request was there.
            self.logger.debug("no request came", metadata: ["error": "\(error)"])
        }
    }
}
