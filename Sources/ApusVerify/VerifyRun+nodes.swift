import ApusClient
import NIOCore
import NIOHTTP1

extension VerifyRun {
    /// A client of each node.
    var nodes: [RESTClient] {
        settings.nodes.map { RESTClient(address: $0, credential: settings.credential) }
    }

    /// Waits until every node has the topics. Throws if one does not get them: it is not of the same cluster.
    func waitForTopics(_ names: [String]) async throws {
        let deadline = NIODeadline.now() + .nanoseconds(Int64(settings.topicPatience * 1e9))
        for (node, address) in zip(nodes, settings.nodes).dropFirst() {
            for name in names {
                while try await node.send(.GET, "/topics/\(name)").status == 404 {
                    guard NIODeadline.now() < deadline else {
                        let places = "\(settings.address), but not at \(address)"
                        throw VerifyFailure(.refused, "topic '\(name)' is at \(places): are they nodes of one cluster?")
                    }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }

    // MARK: Books

    /// The books of each node; `nil` for one that has none.
    func readBooks() async -> [ServerBooks?] {
        var books: [ServerBooks?] = []
        for node in nodes { books.append(await ServerBooks.read(node)) }
        return books
    }

    /// Checks that each node's books add up, and that all of them together have what the run knows.
    func books(_ stage: Stage) async -> ServerBooks.Outcome {
        guard control.failure == nil else { return .inconclusive("the run was broken off") }
        let before = stage.booksBefore.compactMap { $0 }
        guard before.count == settings.nodes.count else {
            return .inconclusive("the server has no /metrics with its books")
        }
        let sums = control.sums
        let share = ServerBooks.Share(
            published: sums.published,
            unanswered: sums.unanswered,
            delivered: sums.byTransport.reduce(0) { $0 + ($1.key == .poll ? 0 : $1.value.delivered) }
        )
        guard !settings.others.isEmpty else {
            return await ServerBooks.check(
                stage.client,
                since: before[0],
                share: settings.restarts == nil ? share : nil
            )
        }
        for ((node, address), before) in zip(zip(nodes, settings.nodes), before) {
            let outcome = await ServerBooks.check(node, since: before, share: nil)
            switch outcome {
            case .balanced: continue
            case .violated(let what): return .violated("\(address): \(what)")
            case .inconclusive(let why): return .inconclusive("\(address): \(why)")
            }
        }
        let after = await readBooks().compactMap { $0 }
        guard after.count == before.count, zip(before, after).allSatisfy({ $1.isLater(than: $0) }) else {
            return .inconclusive("a node was started again; each one's equation holds")
        }
        return ServerBooks.judge(ServerBooks(sum: after), since: ServerBooks(sum: before), share: share)
    }
}
