import Foundation
public import NIOHTTP1

/// A server's response to a REST request.
public struct RESTResponse: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The header fields.
    public let headers: HTTPHeaders
    /// The body as text.
    public let body: String

    /// Returns the response itself, or throws the error for its status.
    func checked() throws(ClientError) -> RESTResponse {
        guard (200..<300).contains(status) else {
            throw ClientError.refusal(status: status, body: body)
        }
        return self
    }

    /// Decodes the body. Throws `badMessage` if that fails.
    public func decode<Value: Decodable>(_ type: Value.Type) throws(ClientError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body.utf8))
        } catch {
            throw ClientError(.badMessage, "the answer is not what an Apus server sends", cause: error)
        }
    }
}

struct TopicList: Decodable {
    let topics: [TopicSummary]
}

/// A topic in the list of `GET /topics`.
public struct TopicSummary: Sendable, Hashable, Codable {
    /// The topic's name.
    public let name: String
    /// How many subscriptions the topic has.
    public let subscribers: Int

    /// Creates a summary from a name and a number of subscriptions.
    public init(name: String, subscribers: Int) {
        self.name = name
        self.subscribers = subscribers
    }
}

/// The response to `GET /health`.
public struct Health: Sendable, Hashable, Decodable {
    /// How long the server has been running, in seconds.
    public let uptimeSeconds: Int
    /// How many topics there are.
    public let topics: Int
    /// How many subscriptions there are.
    public let subscribers: Int

    private enum CodingKeys: String, CodingKey {
        case base = "uptime_sec"
        case v1 = "uptime_seconds"
        case topics
        case subscribers
    }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        uptimeSeconds = try members.decodeIfPresent(Int.self, forKey: .base) ?? members.decode(Int.self, forKey: .v1)
        topics = try members.decode(Int.self, forKey: .topics)
        subscribers = try members.decode(Int.self, forKey: .subscribers)
    }
}

/// The response to `GET /stats`.
public struct Stats: Sendable, Hashable, Decodable {
    /// The counts of one topic.
    public struct Topic: Sendable, Hashable, Decodable {
        /// All messages published since the topic was created.
        public let messages: Int
        /// How many subscriptions the topic has.
        public let subscribers: Int
    }

    /// The topics by name.
    public let topics: [String: Topic]
}
