import ApusClient
import ApusProtocol
import NIOHTTP1

/// The topics of a verification. They are created for it and deleted after it.
struct VerifyTopics: Sendable {
    /// The history of a server where it cannot be configured (the contract's default).
    private static let unknownHistory = 100
    private static let defaultQueue = 1_000

    let names: [String]
    private let settings: VerifySettings
    let client: RESTClient

    /// How far a subscriber may be behind, and the queue that it asks for.
    struct Room: Equatable {
        /// In messages. Half of what the server keeps, so that one batch more or less loses nothing.
        let lagLimit: Int
        let queue: Int?
    }

    init(settings: VerifySettings) {
        self.settings = settings
        names = (0..<settings.topics).map(settings.topicName)
        client = RESTClient(address: settings.address, credential: settings.credential)
    }

    /// Creates the topics with the history that the run needs.
    ///
    /// If the server does not support `PUT`, the topics have the server's default history, and `note` is called.
    func create(history: Int, note: (String) -> Void) async throws -> Room {
        var isPutKnown = true
        for (index, name) in names.enumerated() {
            if isPutKnown {
                isPutKnown = try await put(name, body: body(index))
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

    /// The room for a server that does not accept a queue of that size.
    static func room(history: Int) -> Room {
        Room(lagLimit: min(history, defaultQueue) / 2, queue: nil)
    }

    /// The settings of a topic. With restarts, every other topic is flushed to the disk, the others are only written.
    private func body(_ index: Int) -> String {
        let durability = settings.restarts.map { _ in index.isMultiple(of: 2) ? "disk" : "os" }
        let member = durability.map { ",\"durability\":\"\($0)\"" } ?? ""
        return "{\"history\":\(settings.kept),\"overflow\":\"drop-oldest\"\(member)}"
    }

    /// Creates a topic by `PUT`. Returns `false` if the server does not support that.
    private func put(_ name: String, body: String) async throws -> Bool {
        let path = "/topics/\(name)"
        var response = try await client.send(.PUT, path, body: body)
        if response.status == 200 {
            // The topic is left over from an earlier run with this seed that ended abruptly. Its offsets are not from
            // this run.
            try await client.deleteTopic(name)
            response = try await client.send(.PUT, path, body: body)
        }
        switch response.status {
        case 201: return true
        case 404, 405, 501: return false
        case 401: throw VerifyFailure(.unauthorized, "the server wants an API key or a token")
        default:
            let answer = "status \(response.status), \(response.body.trimmedEnd)"
            throw VerifyFailure(.refused, "cannot create topic '\(name)': \(answer)")
        }
    }

    private func post(_ name: String) async throws {
        do {
            if try await client.createTopic(name) { return }
        } catch {
            guard error.problem?.code == ErrorCode.topicExists.rawValue else { throw error }
        }
        try await client.deleteTopic(name)
        try await client.createTopic(name)
    }

    /// Deletes the existing topics. Returns the names of those that could not be deleted.
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
