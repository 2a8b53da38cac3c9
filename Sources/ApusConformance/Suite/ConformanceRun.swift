import ApusClient
import ApusProtocol
import NIOHTTP1
import NIOWebSocket

/// How a check ended.
package struct ConformanceResult: Sendable {
    package enum Outcome: Sendable, Equatable {
        case passed
        case failed(String)
        case skipped(String)
    }

    package let name: String
    package let group: String
    package let section: String
    package let expects: String
    package let outcome: Outcome
    package let duration: Duration
}

/// Makes checks of a server, one after the other.
package struct ConformanceRun: Sendable {
    /// How long one check may take, in patience for an answer.
    private static let limit = 6

    private let server: ServerUnderTest
    /// After this time the rest is skipped.
    private let deadline: ContinuousClock.Instant
    private let features: FeatureProbe.Answer

    package init(server: ServerUnderTest, limit: Duration) async throws {
        self.server = server
        deadline = .now + limit
        features = try await FeatureProbe(server: server).ask()
    }

    /// Makes a check, and cleans up behind it. The result is worth nothing if the task was cancelled meanwhile.
    package func run(_ test: ConformanceCase) async -> ConformanceResult {
        let start = ContinuousClock.now
        let outcome = await outcome(of: test)
        return ConformanceResult(
            name: test.name,
            group: "\(test.check.place.group) (\(test.dialect))",
            section: test.check.place.section,
            expects: test.check.expects,
            outcome: outcome,
            duration: ContinuousClock.now - start
        )
    }

    private func outcome(of test: ConformanceCase) async -> ConformanceResult.Outcome {
        if ContinuousClock.now >= deadline { return .failed("not made: the time for the whole suite is over") }
        if let why = features.absent(test) { return .skipped(why) }
        let bench = Bench(server: server, dialect: test.dialect)
        let outcome = await made(test, bench)
        await bench.cleanUp()
        return outcome
    }

    private func made(_ test: ConformanceCase, _ bench: Bench) async -> ConformanceResult.Outcome {
        do {
            try await within(server.patience * Self.limit, bench.giveUp) { try await test.check.run(bench) }
            return .passed
        } catch let fault as Fault {
            return .failed(fault.what)
        } catch let reason as NotApplicable {
            return .skipped(reason.why)
        } catch let error as ClientError {
            return .failed(error.message)
        } catch {
            return .failed("\(error)")
        }
    }
}

/// Finds out which dialects and extensions a server has, by its answers.
struct FeatureProbe: Sendable {
    struct Answer: Sendable {
        let lacking: [Dialect: [Feature: String]]
        let dialects: [Dialect: String]

        /// Why a check cannot be made; `nil` if it can.
        func absent(_ test: ConformanceCase) -> String? {
            if let why = dialects[test.dialect] { return why }
            return test.check.place.needs.flatMap { lacking[test.dialect]?[$0] }
        }
    }

    let server: ServerUnderTest

    func ask() async throws -> Answer {
        var lacking: [Dialect: [Feature: String]] = [:]
        var dialects: [Dialect: String] = [:]
        for dialect in Dialect.allCases {
            let bench = Bench(server: server, dialect: dialect)
            do {
                lacking[dialect] = try await features(bench)
            } catch {
                let what = (error as? Fault)?.what ?? "\(error)"
                dialects[dialect] = "no \(dialect) dialect: \(what)"
            }
            await bench.cleanUp()
            try Task.checkCancellation()
        }
        if dialects.count == Dialect.allCases.count, let why = dialects[.base] { throw Fault(why) }
        return Answer(lacking: lacking, dialects: dialects)
    }

    /// Why extensions are not there.
    private func features(_ bench: Bench) async throws -> [Feature: String] {
        let (name, peer) = (try await bench.topic(), try await bench.peer())
        var lacking: [Feature: String] = [:]
        func ask(_ feature: Feature, _ what: String, _ text: String, _ isThere: (Reply) -> Bool) async throws {
            try await peer.send(text)
            let reply = try await peer.next()
            if !isThere(reply) { lacking[feature] = "\(what) is answered \(reply.code ?? reply.type)" }
        }
        let missing = await bench.name()
        try await ask(.positions, "`positions`", Peer.subscription(name, as: "1", #","positions":true"#)) {
            $0["epoch"] != nil
        }
        try await ask(.policies, "a wrong `overflow`", Peer.subscription(name, as: "2", #","overflow":"no-such""#)) {
            $0.type == "error"
        }
        try await ask(.waiting, "`wait`", Peer.subscription(missing, as: "4", #","wait":true"#)) { $0.type == "ack" }
        try await ask(.filters, "a pattern", Peer.subscription(missing + ".*", as: "3")) { $0.type == "ack" }
        // Nobody must be subscribed to the topic, whose events would come between.
        let other = try await bench.peer()
        try await other.send(Peer.publication(name, Bench.message().text, #","outcome":true"#))
        if try await other.next().offset == nil { lacking[.publishing] = "`outcome` is ignored" }
        let put = try await bench.send(.PUT, "/topics/\(name)", body: #"{"history":5}"#)
        if put.status != 200 { lacking[.topics] = "PUT /topics/{name} is answered \(put.status)" }
        let post = try await bench.send(.POST, "/topics/\(name)/messages", body: "1")
        if post.status != 201 { lacking[.http] = "POST /topics/{name}/messages is answered \(post.status)" }
        let topic = try await bench.send(.GET, "/topics/\(name)")
        if !topic.body.contains("\"durability\"") { lacking[.durability] = "GET /topics/{name} has no durability" }
        let broken = try await bench.peer()
        try await broken.frame(.text, [0xFF])
        if case .close(let close) = try await broken.message(), close.reason.isEmpty {
            lacking[.disconnects] = "closes have no reason"
        }
        return lacking
    }
}
