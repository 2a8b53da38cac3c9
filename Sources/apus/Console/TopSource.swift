import ApusClient

/// What is shown at one moment.
struct TopSnapshot: Sendable {
    var sample = ConsoleSample()
    var history: ConsoleHistory?
    var topics: ConsoleTopics?
    var subscribers: ConsoleSubscribers?
}

/// Which topics are asked for.
struct TopQuery: Sendable, Equatable {
    enum Sort: String, CaseIterable, Sendable {
        case rate, bytes, subscribers, messages, name
    }

    var sort = Sort.rate
    var search = ""
    var offset = 0
    var limit = 20

    var path: String {
        let order = sort == .name ? "asc" : "desc"
        var path = "/console/topics?sort=\(sort.rawValue)&order=\(order)&limit=\(limit)&offset=\(offset)"
        if !search.isEmpty { path += "&search=\(RESTClient.percentEncoded(search))" }
        return path
    }
}

/// Asks the server for its figures.
struct TopSource: Sendable {
    /// The most subscribers that are asked for.
    static let subscribers = 20

    let client: ConsoleClient

    /// Everything that the screen shows. What one's credential may not see is left out, as long as it may see the
    /// figures.
    func snapshot(_ query: TopQuery) async throws -> TopSnapshot {
        async let topics = text(query.path)
        async let subscribers = text("/subscribers?sort=lag&limit=\(Self.subscribers)")
        var snapshot = try Self.figures(await client.text("/console/sample", lackedAs: "figures for apus top"))
        snapshot.topics = try await topics.map { try ConsoleClient.decode(ConsoleTopics.self, $0) }
        snapshot.subscribers = try await subscribers.map { try ConsoleClient.decode(ConsoleSubscribers.self, $0) }
        return snapshot
    }

    /// The figures alone.
    func figures() async throws -> TopSnapshot {
        try Self.figures(await client.text("/console/sample", lackedAs: "figures for apus top"))
    }

    /// The same as one line of JSON, in the server's words.
    func json(_ query: TopQuery) async throws -> String {
        async let topics = text(query.path)
        async let subscribers = text("/subscribers?sort=lag&limit=\(Self.subscribers)")
        let figures = try await client.text("/console/sample", lackedAs: "figures for apus top")
        // The history is the same minutes again and again.
        let members = JSONText(parsing: figures)?.members
        let sample = members?["sample"] ?? JSONText(unchecked: figures)
        var parts = ["\"sample\":\(sample)"]
        if let topics = try await topics { parts.append("\"topics\":\(topics)") }
        if let subscribers = try await subscribers { parts.append("\"subscribers\":\(subscribers)") }
        let line = "{" + parts.joined(separator: ",") + "}"
        return line.split(whereSeparator: { $0.isNewline && $0.isASCII }).joined(separator: " ")
    }

    /// The answer; `nil` if the credential has no right to it.
    private func text(_ path: String) async throws -> String? {
        do {
            return try await client.text(path, lackedAs: "figures for apus top")
        } catch let error as ClientError where error.problem?.status == 403 {
            return nil
        }
    }

    static func figures(_ text: String) throws -> TopSnapshot {
        struct Answer: Decodable {
            var sample: ConsoleSample?
            var history: ConsoleHistory?
        }
        let answer = try ConsoleClient.decode(Answer.self, text)
        return TopSnapshot(sample: answer.sample ?? ConsoleSample(), history: answer.history)
    }
}
