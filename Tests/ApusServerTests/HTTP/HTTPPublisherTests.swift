import ApusBroker
import ApusProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import ApusServer

/// A publish over HTTP, on a loop without a thread.
@Suite struct HTTPPublisherTests {
    private typealias Outcome = Result<HTTPPublisher.Published, any Error>

    /// What a publisher came to; `nil` while it waits.
    private final class Attempt {
        let publisher: HTTPPublisher
        private let outcome: NIOLoopBoundBox<Outcome?>

        init(_ count: Int = 1, to topic: String = "t", on owner: EmbeddedLoop) {
            let promise = owner.eventLoop.makePromise(of: HTTPPublisher.Published.self)
            let outcome = NIOLoopBoundBox<Outcome?>(nil, eventLoop: owner.eventLoop)
            promise.futureResult.whenComplete { outcome.value = $0 }
            self.outcome = outcome
            let messages = (1...count).map { number in
                HTTPPublisher.Message(
                    json: ByteBuffer(string: ClientFrame.message(number, id: "\(number)")),
                    id: "\(number)"
                )
            }
            publisher = HTTPPublisher(messages, to: topic, budget: nil, on: owner.context, promise: promise)
            publisher.start()
        }

        /// `3 of EPOCH` or `UNAVAILABLE`.
        var result: String? {
            switch outcome.value {
            case .success(let published)?: "\(published.receipt.offset) of \(published.epoch)"
            case .failure(let problem as Problem)?: problem.code.rawValue
            case .failure(let error)?: "\(error)"
            case nil: nil
            }
        }
    }

    @Test func `messages get offsets in the topic's epoch, and all subscribers see them`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        #expect(Attempt(on: owner).result == "1 of \(owner.epoch)")
        #expect(Attempt(3, on: owner).result == "2 of \(owner.epoch)")
        peer.run()
        #expect(try peer.summary() == ["ack", "event 1", "event 1", "event 2", "event 3"])
    }

    @Test func `a topic that does not exist is made only where a publish may`() throws {
        let owner = try EmbeddedLoop.withTopic()
        #expect(Attempt(to: "new", on: owner).result == "TOPIC_NOT_FOUND")
        let maker = try EmbeddedLoop.withTopic { $0.topics.createOn = [.publish] }
        let result = Attempt(to: "new", on: maker).result
        #expect(result == maker.broker.topic(named: "new").map { "1 of \($0.epoch)" })
    }

    @Test func `a server that stops takes no message`() throws {
        let owner = try EmbeddedLoop.withTopic()
        owner.context.refuseCommands()
        #expect(Attempt(on: owner).result == "UNAVAILABLE")
        #expect(owner.broker.topic(named: "t")?.publishedCount == 0)
    }

    /// A topic whose only subscriber holds publishers back.
    private func throttled() throws -> (EmbeddedLoop, EmbeddedConnection) {
        let owner = try EmbeddedLoop.withTopic { ($0.delivery.queue, $0.delivery.overflow) = (1, .throttle) }
        let peer = try EmbeddedConnection.pubSub(on: owner)
        try peer.send(.subscribe())
        _ = try peer.frames()
        peer.setWritable(false)
        #expect(Attempt(on: owner).result != nil)
        return (owner, peer)
    }

    @Test func `a publish waits for a slow subscriber, and goes on when it has read`() throws {
        let (owner, peer) = try throttled()
        let waiting = Attempt(2, on: owner)
        #expect(waiting.publisher.isWaiting && waiting.result == nil)
        peer.setWritable(true)
        owner.eventLoop.run()
        #expect(!waiting.publisher.isWaiting && waiting.result == "2 of \(owner.epoch)")
        peer.run()
        #expect(try peer.summary() == ["event 1", "event 1", "event 2"])
    }

    @Test func `a publish whose client leaves while it waits is dropped`() throws {
        let (owner, peer) = try throttled()
        let waiting = Attempt(on: owner)
        waiting.publisher.abandon()
        #expect(!waiting.publisher.isWaiting && waiting.result == "UNAVAILABLE")
        peer.setWritable(true)
        #expect(owner.broker.topic(named: "t")?.publishedCount == 1)
        #expect(try peer.summary() == ["event 1"])
    }

    @Test func `a client that has left before has published, unless it would have to wait`() throws {
        let owner = try EmbeddedLoop.withTopic()
        let done = Attempt(on: owner)
        done.publisher.abandon()
        #expect(done.result == "1 of \(owner.epoch)")
    }
}
