import ApusClient
import ApusProtocol
import NIOHTTP1

/// The topics of a verification: made for it, and deleted after it.
struct VerifyTopics: Sendable {
    /// What a server keeps that cannot be told how much (the contract's defaults).
    private static let unknownHistory = 100
    private static let defaultQueue = 1_000

    let names: [String]
    let client: RESTClient

    /// How far a subscriber may be behind, and the queue that it asks for.
    struct Room: Equatable {
        /// In messages; half of what is kept, so that a batch more or less loses nothing.
        let lagLimit: Int
        let queue: Int?
    }

    init(settings: VerifySettings) {
        names = (0..<settings.topics).map(settings.topicName)
        client = RESTClient(address: settings.address, apiKey: settings.apiKey)
    }

    /// Creates the topics with the history that the run needs.
    ///
    /// Where the server knows no `PUT`, they have the history that it gives every topic, and `note` is told.
    func create(history: Int, note: (String) -> Void) async throws -> Room {
        var isPutKnown = true
        for name in names {
            if isPutKnown {
                isPutKnown = try await put(name, history: history)
            }
            if !isPutKnown { try await post(name) }
        }
        guard isPutKnown else {
            note(
                "the server knows no PUT /topics/{name}: counted on a history of \(Self.unknownHistory) messages, so "
                    + "publishers often wait for the slowest subscriber"
            )
            return Room(lagLimit: Self.unknownHistory / 2, queue: nil)
        }
        return Room(lagLimit: history / 2, queue: history)
    }

    /// The room where the server takes no queue of that size.
    static func room(history: Int) -> Room {
        Room(lagLimit: min(history, defaultQueue) / 2, queue: nil)
    }

    /// False when the server does not know how.
    private func put(_ name: String, history: Int) async throws -> Bool {
        let body = "{\"history\":\(history),\"overflow\":\"drop-oldest\"}"
        let path = "/topics/\(name)"
        var response = try await client.send(.PUT, path, body: body)
        if response.status == 200 {
            // One of an earlier run with this seed, which ended hard; its offsets are not ours.
            try await client.deleteTopic(name)
            response = try await client.send(.PUT, path, body: body)
        }
        switch response.status {
        case 201: return true
        case 404, 405, 501: return false
        case 401: throw CommandFailure("the server wants an API key", exitCode: .unauthorized)
        default:
            let answer = "status \(response.status), \(response.body.trimmedEnd)"
            throw CommandFailure("cannot create topic '\(name)': \(answer)")
        }
    }

    private func post(_ name: String) async throws {
        do {
            if try await client.createTopic(name) { return }
        } catch {
            guard error.problem?.code == ErrorCode.topicExists.rawValue else {
                throw CommandFailure(error, topic: name)
            }
        }
        try await client.deleteTopic(name)
        try await client.createTopic(name)
    }

    /// Deletes those that are there; gives the names of those that it could not.
    func delete() async -> [String] {
        var left: [String] = []
        for name in names {
            do {
                try await client.deleteTopic(name)
            } catch {
                if error.problem?.status != 404 { left.append(name) }
            }
        }
        return left
    }
}
