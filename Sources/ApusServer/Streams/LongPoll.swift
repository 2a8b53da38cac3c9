import ApusAccess
import ApusBroker
import ApusProtocol
import NIOCore

/// A request that waits for messages in a topic. It is a subscriber until the first message arrives or its time is up.
/// Used only on its event loop.
final class LongPoll: StreamingSubscriber {
    let dialect = Dialect.base
    let framing = EventEncoding.Framing.webSocket
    let peer: SubscriberPeer
    let origin: UInt32 = 0
    var subscriptions = SubscriptionSet()
    var access: ClientAccess
    var policyNumber: UInt64 = 0
    private let context: LoopContext
    private let promise: EventLoopPromise<Void>
    private var isOver = false
    private var timeout: Scheduled<Void>?
    var loopIndex = 0

    init(context: LoopContext, peer: SubscriberPeer, access: ClientAccess, wait: Int64, promise: EventLoopPromise<Void>)
    {
        self.context = context
        self.peer = peer
        self.access = access
        self.promise = promise
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(wait)) { self.end() }
    }

    var isFinished: Bool { isOver }
    var isWritable: Bool { !isOver }
    var pendingBytes: Int { 0 }

    func deliver(_ frames: ByteBuffer) {
        end()
    }

    func flush() {}

    func notify(_ notice: SubscriberNotice) {
        end()
    }

    func tick(now: Int64) {}

    /// Answers 401 in place of a page, or 403 where an administrator ends the request.
    func end(_ reason: Disconnect) {
        if reason == .kicked {
            return end(.failure(Problem(.kicked, "An administrator has ended this request")))
        }
        let text =
            switch reason {
            case .revoked: "The credential was revoked"
            case .unauthorized: "A valid API key or token is required: X-API-Key: KEY or Authorization: Bearer TOKEN"
            default: "The credential has expired"
            }
        end(.failure(Problem.unauthorized(text, context.access.challenge)))
    }

    func tellExpiring() {}

    /// The page that follows is history.
    func covers(_ request: SubscribeRequest) -> Bool {
        access.covers(request) && access.rights.allows(.history, topic: request.topic)
    }

    func lost(_ topics: [[UInt8]]) {
        end(.failure(Forbidden([.subscribe, .history]).problem))
    }

    func drain() {
        end()
    }

    func end() {
        end(.success(()))
    }

    private func end(_ result: Result<Void, any Error>) {
        guard !isOver else { return }
        isOver = true
        timeout?.cancel()
        context.remove(self)
        context.hub.removeAll(of: self, reason: .answered)
        promise.completeWith(result)
    }
}
