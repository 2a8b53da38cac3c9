import NIOCore
import NIOHTTP1

/// Reads the HTTP response of a server that refuses the WebSocket handshake.
///
/// Reads at most 64 KiB of body, which is enough for a problem document. The rest is cut off.
final class RefusalReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    struct Response: Sendable {
        var status: Int
        var body: String
        /// The value of `Retry-After`, in seconds.
        var retryAfter: Int?
    }

    private static let maxBodyBytes = 64 << 10

    private let promise: EventLoopPromise<Response>
    private var status: Int?
    private var retryAfter: Int?
    private var body = ByteBuffer()

    init(promise: EventLoopPromise<Response>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = Int(head.status.code)
            retryAfter = head.headers.first(name: "retry-after").flatMap { Int($0) }
        case .body(var part):
            if body.readableBytes < Self.maxBodyBytes { body.writeBuffer(&part) }
        case .end:
            finish()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The status is enough, even if the rest of the response is broken.
        finish()
        context.close(promise: nil)
    }

    private func finish() {
        if let status {
            promise.succeed(Response(status: status, body: String(buffer: body), retryAfter: retryAfter))
        } else {
            promise.fail(ChannelError.inputClosed)
        }
    }
}
