import ApusAccess
import ApusTesting
import NIOConcurrencyHelpers
import Testing

struct RemoteTokenKeysTests {
    /// A server of JWK sets that a test plays.
    final class Source: Sendable {
        struct State {
            var fetches = 0
            var answer: String?
            var isHanging = false
            var hanging: [CheckedContinuation<Void, Never>] = []
        }

        let state = NIOLockedValueBox(State())

        init(_ answer: String?) {
            state.withLockedValue { $0.answer = answer }
        }

        var fetches: Int { state.withLockedValue { $0.fetches } }

        func answer(_ answer: String?) {
            state.withLockedValue { $0.answer = answer }
        }

        func hang() {
            state.withLockedValue { $0.isHanging = true }
        }

        /// Lets all fetches go on.
        func release() {
            let hanging = state.withLockedValue { state in
                state.isHanging = false
                defer { state.hanging = [] }
                return state.hanging
            }
            for continuation in hanging { continuation.resume() }
        }

        /// Ignores cancellation, as a bad fetcher would.
        func fetch(_ limit: Int) async throws -> [UInt8] {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLockedValue { state in
                    state.fetches += 1
                    if state.isHanging { state.hanging.append(continuation) }
                    return !state.isHanging
                }
                if goesOn { continuation.resume() }
            }
            guard let answer = state.withLockedValue({ $0.answer }) else { throw Unreachable() }
            return Array(answer.utf8)
        }

        struct Unreachable: Error {}
    }

    private let clock = ManualClock()

    /// - Parameter deadline: whether the deadline of a fetch is over at once; else it never is.
    private func remote(_ source: Source, deadlinePasses: Bool = false) -> RemoteTokenKeys {
        RemoteTokenKeys(
            now: { [clock] in clock.now },
            sleep: { _ in if !deadlinePasses { try await Task.sleep(for: .seconds(3600)) } },
            fetcher: { try await source.fetch($0) }
        )
    }

    private static func set(_ kids: String...) throws -> String {
        #"{"keys":["# + (try kids.map { try TestKeys.jwk(.es256, kid: $0) }).joined(separator: ",") + "]}"
    }

    @Test func `The set is fetched once, and again when it is too old`() async throws {
        let source = Source(try Self.set("a"))
        let remote = remote(source)
        for _ in 0..<3 { #expect(await remote.keys().map(\.kid) == ["a"]) }
        #expect(source.fetches == 1)
        source.answer(try Self.set("b"))
        clock.advance(by: .seconds(3599))
        #expect(await remote.keys().map(\.kid) == ["a"])
        clock.advance(by: .seconds(1))
        #expect(await remote.keys().map(\.kid) == ["b"])
        #expect(source.fetches == 2)
    }

    @Test func `An unknown name fetches the set, at most once a minute`() async throws {
        let source = Source(try Self.set("a"))
        let remote = remote(source)
        _ = await remote.keys()
        source.answer(try Self.set("a", "b"))
        for number in 0..<50 { #expect(await remote.keys(missing: "made-up-\(number)").count == 1) }
        #expect(source.fetches == 1)
        clock.advance(by: .seconds(60))
        #expect(await remote.keys(missing: "b").count == 2)
        for number in 0..<50 { _ = await remote.keys(missing: "made-up-\(number)") }
        #expect(source.fetches == 2)
        clock.advance(by: .seconds(60))
        #expect(await remote.keys(missing: "b").count == 2)
        #expect(source.fetches == 2)
    }

    @Test(arguments: [nil, "", "<html>", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","k":"AA"}]}"#] as [String?])
    func `An old set stays in use when its server fails or lies`(answer: String?) async throws {
        let source = Source(try Self.set("a"))
        let remote = remote(source)
        _ = await remote.keys()
        source.answer(answer)
        clock.advance(by: .seconds(3600))
        for _ in 0..<3 { #expect(await remote.keys().map(\.kid) == ["a"]) }
        #expect(source.fetches == 2)
        #expect(await remote.failure?.code == .file)
        source.answer(try Self.set("b"))
        clock.advance(by: .seconds(60))
        #expect(await remote.keys().map(\.kid) == ["b"])
        #expect(await remote.failure == nil)
    }

    @Test func `A start that failed is tried again after a minute`() async throws {
        let source = Source(nil)
        let remote = remote(source)
        for _ in 0..<3 { #expect(await remote.keys().isEmpty) }
        #expect(source.fetches == 1)
        source.answer(try Self.set("a"))
        clock.advance(by: .seconds(59))
        #expect(await remote.keys().isEmpty)
        clock.advance(by: .seconds(1))
        #expect(await remote.keys().map(\.kid) == ["a"])
    }

    @Test func `A set that is too large is refused`() async throws {
        let source = Source(String(repeating: " ", count: JWKSet.maximumSize + 1))
        let remote = remote(source)
        #expect(await remote.keys().isEmpty)
        #expect(await remote.failure?.reason.contains("larger") == true)
    }

    @Test func `Who asks while a fetch runs waits for it, and starts no other`() async throws {
        let source = Source(try Self.set("a"))
        source.hang()
        let remote = remote(source)
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { await remote.keys().count } }
            group.addTask {
                while source.fetches == 0 { await Task.yield() }
                source.release()
                return 1
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == Array(repeating: 1, count: 21))
        #expect(source.fetches == 1)
    }

    @Test func `A server that hangs keeps nobody longer than the deadline, and what it says later is ignored`()
        async throws
    {
        let source = Source(try Self.set("late"))
        source.hang()
        let remote = remote(source, deadlinePasses: true)
        #expect(await remote.keys().isEmpty)
        #expect(await remote.failure?.reason.contains("in time") == true)
        #expect(await remote.keys().isEmpty)
        source.release()
        #expect(await remote.keys().isEmpty)
    }

    @Test func `A token of a new key is accepted once the set has it, and one of a key that is gone no longer`()
        async throws
    {
        let source = Source(try Self.set("old"))
        let verifier = try TokenVerifier(keys: [], remote: remote(source), policy: TokenPolicy())
        let old = try await TestKeys.signing(.es256, kid: "old").sign(claims: #"{"exp":2000}"#)
        let new = try await TestKeys.signing(.es256, kid: "new").sign(claims: #"{"exp":2000}"#)
        #expect(try await verifier.verify(old, at: 0).source == .token(kid: "old"))
        #expect(await refusal { try await verifier.verify(new, at: 0) } == .unknownKey)
        source.answer(try Self.set("new"))
        clock.advance(by: .seconds(60))
        #expect(try await verifier.verify(new, at: 0).source == .token(kid: "new"))
        #expect(await refusal { try await verifier.verify(old, at: 0) } == .unknownKey)
        #expect(try verifier.verifyAtOnce(new, at: 0) == nil)
    }

    @Test func `A token that is refused in any case fetches nothing`() async throws {
        let source = Source(try Self.set("a"))
        let verifier = try TokenVerifier(keys: [], remote: remote(source), policy: TokenPolicy())
        for token in ["", "a.b.c", forged(header: #"{"alg":"none"}"#), forged(header: #"{"alg":"HS256","jku":"x"}"#)] {
            #expect(await refusal { try await verifier.verify(token, at: 0) } != nil)
        }
        #expect(source.fetches == 0)
    }
}
