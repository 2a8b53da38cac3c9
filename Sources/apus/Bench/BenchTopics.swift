import ApusClient
import ApusLoad

/// The topics of a run. They are created for it and deleted after it.
struct BenchTopics: Sendable {
    /// How many requests are sent at a time.
    private static let concurrency = 16

    let settings: LoadSettings
    let client: RESTClient

    /// Creates all topics. Throws the server's error for the first topic that it refuses.
    func create(control: LoadControl) async throws {
        try await forEach { name in
            guard !control.isInterrupted else { throw LoadFailure(.broken, "interrupted while creating topics") }
            do throws(ClientError) {
                try await client.createTopic(name)
            } catch {
                throw CommandFailure(error, topic: name)
            }
        }
    }

    /// Deletes the existing topics. Reports a topic that cannot be deleted on standard error, unless `quietly` is set.
    func delete(quietly: Bool = false) async {
        try? await forEach { name in
            do throws(ClientError) {
                try await client.deleteTopic(name)
            } catch {
                guard error.code == .refused, error.problem?.status == 404 else {
                    if !quietly { BenchCommand.say("could not delete topic '\(name)': \(error.message)") }
                    throw error
                }
            }
        }
    }

    /// Calls `body` for each topic, several at a time. Ends with the first error.
    private func forEach(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<settings.topics {
                if number >= Self.concurrency { try await group.next() }
                let name = LoadTopics.name(number, prefix: settings.topicPrefix)
                group.addTask { try await body(name) }
            }
            try await group.waitForAll()
        }
    }
}
