import ApusClient
import ApusProtocol
import Synchronization

/// Creates missing topics, and retries until that succeeds. For `--create`.
final class TopicMaker: Sendable {
    private static let firstPause = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(10)

    private let client: RESTClient
    private let say: @Sendable (String) -> Void
    /// The topics to create: at most as many as the command has.
    private let wanted = Mutex<Set<String>>([])
    private let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(client: RESTClient, say: @escaping @Sendable (String) -> Void) {
        self.client = client
        self.say = say
    }

    /// Creates a topic unless it exists. Throws if that fails.
    func make(_ topic: String) async throws(ClientError) {
        do throws(ClientError) {
            try await client.createTopic(topic)
        } catch {
            if error.problem?.code != ErrorCode.topicExists.rawValue { throw error }
        }
    }

    /// Tells `run` to create a topic.
    func want(_ topic: String) {
        wanted.withLock { _ = $0.insert(topic) }
        wish.yield()
    }

    /// Creates the requested topics until the task is cancelled. Reports a refusal by the server, and retries after any
    /// other error.
    func run() async {
        for await _ in wishes {
            while let topic = wanted.withLock({ $0.popFirst() }) {
                await makePatiently(topic)
                if Task.isCancelled { return }
            }
        }
    }

    private func makePatiently(_ topic: String) async {
        var pause = Self.firstPause
        while !Task.isCancelled {
            do throws(ClientError) {
                return try await make(topic)
            } catch {
                if Self.isLasting(error) { return say("cannot create topic '\(topic)': \(error)") }
                // The server is unreachable, or a proxy says so.
                try? await Task.sleep(for: pause * Double.random(in: 0.5...1))
                pause = min(pause * 2, Self.longestPause)
            }
        }
    }

    private static func isLasting(_ error: ClientError) -> Bool {
        let status = error.problem?.status ?? 0
        return error.code == .unauthorized || error.code == .refused && status < 500 && status != 429
    }
}
