import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A server's child channel: HTTP/1.1 for Hummingbird's router, until the client asks for a WebSocket.
struct ApusChannel: ServerChildChannel, HTTPChannelHandler {
    typealias HTTPChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    enum Negotiated: Sendable {
        case http(HTTPChannel)
        /// The socket has left the channel, or is about to.
        case webSocket
    }

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    let responder: HTTPChannelHandler.Responder
    let gate: WebSocketGate
    let log: RequestLog
    let timeouts: NegotiationHandler.Timeouts
    let idleTimeout: TimeAmount?
    let staysForDrain: Bool
    let logger: Logger

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        return channel.eventLoop.makeCompletedFuture {
            let negotiated = channel.eventLoop.makePromise(of: Negotiated.self)
            let pacer = InputPacer()
            let encoder = HTTPResponseEncoder(configuration: Self.unframed)
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(
                    leftOverBytesStrategy: .forwardBytes,
                    limitConfiguration: NegotiationHandler.decoderLimits
                )
            )
            let negotiation = NegotiationHandler(
                gate: gate,
                log: log,
                pacer: pacer,
                encoder: encoder,
                decoder: decoder,
                negotiated: negotiated,
                timeouts: timeouts,
                staysForDrain: staysForDrain,
                configureHTTP: configureHTTP
            )
            pacer.handler = negotiation
            let pipeline = channel.pipeline.syncOperations
            // A socket leaves its channel as it is: what TLS, or another handler, did to its bytes would end there.
            guard (try? pipeline.context(name: "handler0")) == nil else {
                self.logger.error("Apus serves no connections behind TLS or other channel handlers")
                throw NegotiationHandler.NotNegotiated()
            }
            try pipeline.addHandler(pacer)
            try pipeline.addHandler(encoder)
            try pipeline.addHandler(decoder)
            try pipeline.addHandler(negotiation)
            return Value(channel: channel, negotiated: negotiated.futureResult)
        }
    }

    /// The response framing depends on the request, which the encoder does not know.
    private static var unframed: HTTPResponseEncoder.Configuration {
        var configuration = HTTPResponseEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }

    private func configureHTTP(_ channel: any Channel) throws -> HTTPChannel {
        let idle = idleTimeout.map { Duration.nanoseconds($0.nanoseconds) }
        try channel.pipeline.syncOperations.addHandlers([
            HTTP1ToHTTPServerCodec(secure: false), HTTPConnectionStateHandler(idleTimeout: idle, logger: logger),
        ])
        let configuration = HTTPChannel.Configuration(isOutboundHalfClosureEnabled: true)
        return try HTTPChannel(wrappingChannelSynchronously: channel, configuration: configuration)
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .webSocket: break
            }
        } catch {
            // The client disconnected or was refused before its first request.
            self.logger.debug("no request came", metadata: ["error": "\(error)"])
        }
    }
}
