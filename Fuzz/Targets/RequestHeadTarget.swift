import ApusProtocol
import ApusSockets
import ApusTLS
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import ApusServer

extension FuzzTarget {
    /// The first bytes of a connection.
    ///
    /// Two parsers may read them: the one for handshakes and event streams, and the HTTP server's. If they differed, a
    /// proxy in front might be made to see other requests than this server does.
    static let requestHead = FuzzTarget(name: "RequestHead") {
        let check = RequestHeadCheck()
        return { try check.run($0) }
    }
}

private struct RequestHeadCheck {
    private let loop = EmbeddedEventLoop()
    private let log = RequestLog(
        logger: .silent,
        metrics: RequestMetrics(registry: MetricsRegistry()),
        basePath: BasePath("")
    )

    func run(_ bytes: UnsafeRawBufferPointer) throws {
        switch RequestHead.parse(bytes) {
        case .incomplete:
            try checkPrefixes(of: bytes, count: bytes.count)
        case .head(let head, let size):
            try require(size <= bytes.count, "a head lies in its bytes")
            try checkPrefixes(of: bytes, count: size)
            let whole = RequestHead.parse(UnsafeRawBufferPointer(rebasing: bytes[..<size]))
            guard case .head(let again, size) = whole, again.headers == head.headers else {
                throw Broken(invariant: "what follows a head does not matter to it")
            }
            try checkOffers(head)
            try compare(head, Array(bytes[..<size]))
        case .other:
            break
        }
    }

    private func checkPrefixes(of bytes: UnsafeRawBufferPointer, count: Int) throws {
        for size in Set([0, 1, count / 4, count / 2, count * 3 / 4, count - 2, count - 1]) where 0..<count ~= size {
            guard case .incomplete = RequestHead.parse(UnsafeRawBufferPointer(rebasing: bytes[..<size])) else {
                throw Broken(invariant: "the beginning of a head may become one")
            }
        }
    }

    private func checkOffers(_ head: RequestHead) throws {
        guard let offers = head.headers["sec-websocket-extensions"], let accepted = PermessageDeflate(offers: offers)
        else { return }
        let answer = accepted.answer
        try require(PermessageDeflate(offers: answer) != nil, "an answer is an offer, too")
        try require(answer.utf8.allSatisfy { (0x20..<0x7F).contains($0) }, "an answer is plain text")
    }

    /// The HTTP server sees the same request in the same bytes, unless it has the last word about it anyway.
    private func compare(_ head: RequestHead, _ bytes: [UInt8]) throws {
        let framing = ["content-length", "transfer-encoding", "expect"]
        guard head.namesHost, framing.allSatisfy({ head.headers[$0] == nil }) else { return }
        let short = try parts(of: bytes.dropLast())
        try require(short.isEmpty, "both parsers see the end of the head at the same place")
        let all = try parts(of: bytes[...])
        guard all.count == 2, case .head(let other) = all[0], case .end(nil) = all[1] else {
            throw Broken(invariant: "both parsers see one request without a body")
        }
        try require(other.method == .GET && other.version == .http1_1, "both parsers see a GET of HTTP/1.1")
        let target = head.path + (bytes.contains(UInt8(ascii: "?")) && other.uri.contains("?") ? "?" : "") + head.query
        try require(other.uri.utf8.elementsEqual(target.utf8), "both parsers see the same target")
        // The server does not switch protocols here, so it goes on as if the client had not asked for that.
        let own = head.headers["upgrade"] == nil ? [] : ["upgrade", "connection"]
        let names = Set(other.headers.map { $0.name.lowercased() }).subtracting(own)
        try require(names == Set(head.headers.keys).subtracting(own), "both parsers see the same fields")
        for name in names {
            let value = other.headers[name].map { String($0.trimmingBlanks) }.joined(separator: ",")
            try require(value == head.headers[name], "both parsers see the same values")
        }
    }

    /// What the router gets of a connection's first bytes.
    private func parts(of bytes: ArraySlice<UInt8>) throws -> [HTTPServerRequestPart] {
        let channel = EmbeddedChannel(loop: loop)
        let router = NotingRouter()
        let handler = HTTPConnectionHandler(
            timeouts: .init(request: .seconds(10), close: .seconds(10), idle: nil),
            staysForDrain: false,
            caller: .unknown,
            gate: NoGate(),
            log: log
        ) { _ in try channel.pipeline.syncOperations.addHandler(router) }
        try handler.add(to: channel.pipeline.syncOperations)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 8080), promise: nil)
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        loop.run()
        defer {
            channel.close(promise: nil)
            loop.run()
        }
        return router.parts
    }
}

private final class NotingRouter: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    private(set) var parts: [HTTPServerRequestPart] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parts.append(unwrapInboundIn(data))
    }
}

/// A gate behind which there are no WebSockets.
private struct NoGate: HandshakeGate {
    func facing(_ connection: Caller) -> any HandshakeGate { self }
    func address(of head: HTTPRequestHead?) -> PeerAddress { .unknown }
    func isHandshake(_ head: HTTPRequestHead) -> Bool { false }
    func check(_ head: HTTPRequestHead) -> Result<Handshake, Handshake.Refusal>? { nil }
    func adopt(_ transport: DetachedTransport, after handshake: Handshake, input: ByteBuffer) { transport.close() }
    func refused(_ reason: Handshake.Refusal.Reason, _ problem: Problem, address: String) {}
    func afterDrain(on eventLoop: any EventLoop, _ body: @escaping () -> Void) { body() }
}
