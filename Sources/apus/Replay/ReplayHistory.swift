import ApusClient
import ApusProtocol

/// What a server keeps of a topic, page by page, up to the message that was the last when it began.
struct ReplayHistory: Sendable {
    private static let page = 1000

    private struct Page: Sendable {
        let epoch: String
        let next: Int
        let last: Int
    }

    private let client: RESTClient
    private let topic: String
    private let start: ApusClient.Start
    private let say: @Sendable (String) -> Void
    private var events: ArraySlice<ReplayEvent> = []
    private var read: Page?
    /// The offsets from the first to the last.
    private var first = 0
    private var end: Int?
    private var reached = 0

    init(
        client: RESTClient,
        topic: String,
        start: ApusClient.Start,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        self.topic = topic
        self.start = start
        self.say = say
    }

    var fraction: Double? {
        guard let end, end >= first, reached > 0 else { return nil }
        return min(1, Double(reached - first + 1) / Double(end - first + 1))
    }

    mutating func next() async throws -> ReplaySource.Item? {
        while events.isEmpty {
            if let read, let end, read.next >= end { return nil }
            let before = read?.next
            try await readPage()
            // An expired message has an offset and no event.
            if events.isEmpty, read?.next == before || read.map({ $0.next >= (end ?? 0) }) == true { return nil }
        }
        guard let event = events.popFirst() else { return nil }
        if let end, let offset = event.offset, offset > end { return nil }
        reached = event.offset ?? reached
        return .event(event, line: event.offset ?? 0)
    }

    private mutating func readPage() async throws {
        let path = "/topics/\(RESTClient.percentEncoded(topic))/messages?\(query)"
        let body: String
        do {
            body = try await client.get(path).body
        } catch {
            throw CommandFailure(error, topic: topic, hints: false)
        }
        guard let page = JSONText(parsing: body)?.members, let epoch = page["epoch"]?.stringValue,
            let next = page["next"]?.integerValue, let last = page["last"]?.integerValue,
            let messages = page["messages"]?.elements
        else { throw CommandFailure("the answer to \(path) is not what an Apus server sends") }
        if let read, read.epoch != epoch {
            throw CommandFailure("topic '\(topic)' began anew while it was read; what followed is not replayed")
        }
        if let missed = page["missed"]?.members, let from = missed["from"], let to = missed["to"] {
            say("offsets \(from) to \(to) of '\(topic)' are no longer kept")
        }
        let found = messages.compactMap { $0.members.flatMap { ReplayEvent($0, topic: topic) } }
        events = found[...]
        if end == nil {
            end = last
            first = found.first?.offset ?? last
        }
        read = Page(epoch: epoch, next: next, last: last)
    }

    private var query: String {
        let limit = "limit=\(Self.page)"
        if let read { return "after=\(read.next)&epoch=\(RESTClient.percentEncoded(read.epoch))&\(limit)" }
        switch start {
        case .live, .all: return "since=all&\(limit)"
        case .last(let count): return "last_n=\(count)&\(limit)"
        case .after(let position):
            return "after=\(position.offset)&epoch=\(RESTClient.percentEncoded(position.epoch))&\(limit)"
        case .age(let age): return "since=\(age.commandText)&\(limit)"
        case .time(let time): return "since=\(RESTClient.percentEncoded(time))&\(limit)"
        }
    }
}
