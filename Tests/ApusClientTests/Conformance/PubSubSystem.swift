/// What the in-process API and a client of a server have in common: what the conformance tests run against.
protocol PubSubSystem: Sendable {
    associatedtype Feed: PubSubFeed
    func createTopic(_ name: String) async throws
    func deleteTopic(_ name: String) async throws
    func putTopic(_ name: String, history: Int?, dedupeWindow: Duration?) async throws
    func publish(_ topic: String, _ payloads: [String], id: String?, key: String?, ttl: Duration?) async throws
        -> Published
    func subscribe(_ topic: String, _ wish: Wish) async throws -> Feed
}

/// How to subscribe.
struct Wish: Sendable {
    enum Start: Sendable {
        case live, last(Int), after(epoch: String, offset: Int), age(Duration), all
    }

    var start = Start.live
    var overflow: String?
    var queue: Int?
    var hasPresence = false
    var waits = false
    /// Bytes that may wait at the reader.
    var buffer: Int?
}

struct Published: Equatable, Sendable {
    var epoch: String
    var offset: Int
    var count: Int
    /// Whether nothing of it was published, because its id is known.
    var isDuplicate: Bool
    var subscribers: Int
}

/// What a subscription yields, in the words that both have.
enum Seen: Hashable, Sendable {
    case event(topic: String, payload: String, key: String? = nil, offset: Int? = nil)
    case dropped(Int)
    case missed(ClosedRange<Int>)
    case newEpoch
    case topicDeleted
    case waiting
    case topicCreated
    case joined
    case left
    case other(String)
}

protocol PubSubFeed: Sendable {
    /// The next one; `nil` at the end.
    func seen() async throws -> Seen?
    func cancel() async
}

/// What went wrong, as both tell it.
enum SystemFailure: Error, Equatable {
    case refused(String)
    case slowConsumer
}
