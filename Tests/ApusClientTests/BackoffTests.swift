import Testing

@testable import ApusClient

@Suite("Reconnecting")
struct BackoffTests {
    private func lost(_ code: UInt16, _ reason: String = "", useful: Bool = false) -> ConnectionEnd {
        ConnectionEnd(error: ClientError(WebSocketClose(code: code, reason: reason)), wasUseful: useful)
    }

    @Test(arguments: [
        (1000, "TOPIC_DELETED", ConnectionEnd.Reaction.giveUp), (1000, "", .giveUp), (1001, "SHUTDOWN", .retry),
        (1002, "", .giveUp), (1003, "", .giveUp), (1007, "", .giveUp), (1008, "SLOW_CONSUMER", .retryPatiently),
        (1008, "RATE_LIMITED", .retryPatiently), (1008, "NO_PONG", .retryPatiently),
        (1008, "UNAUTHORIZED", .giveUp), (1008, "TOKEN_EXPIRED", .giveUp), (1008, "REVOKED", .giveUp),
        (1008, "FORBIDDEN", .giveUp), (1008, "", .giveUp),
        (1009, "MESSAGE_TOO_BIG", .giveUp), (1013, "OVERLOADED", .retryPatiently), (1005, "", .retry),
        (1006, "", .retry), (1011, "", .retry), (1012, "", .retry),
    ]
    )
    func `follows the table of disconnects`(code: UInt16, reason: String, reaction: ConnectionEnd.Reaction) {
        #expect(lost(code, reason).reaction == reaction)
    }

    @Test(arguments: [
        (400, ConnectionEnd.Reaction.giveUp), (401, .giveUp), (403, .giveUp), (404, .giveUp),
        (429, .retryPatiently),
        (500, .retry), (502, .retry), (503, .retryPatiently),
    ]
    )
    func `after a refused handshake depends on the status`(status: Int, reaction: ConnectionEnd.Reaction) {
        #expect(ConnectionEnd(error: ClientError.refusal(status: status, body: "")).reaction == reaction)
    }

    @Test func `is worth it after a refused token if there may be another one`() {
        var ends = ["TOKEN_EXPIRED", "UNAUTHORIZED", "REVOKED", "FORBIDDEN"].map { lost(1008, $0) }
        ends += [401, 403].map { ConnectionEnd(error: ClientError.refusal(status: $0, body: "")) }
        for index in ends.indices { ends[index].canRenewToken = true }
        let reactions: [ConnectionEnd.Reaction] = [
            .retryPatiently, .retryWithToken, .giveUp, .giveUp, .retryWithToken, .giveUp,
        ]
        #expect(ends.map(\.reaction) == reactions)
        let unavailable = ConnectionEnd(error: ClientError(.tokenUnavailable, "away"))
        #expect(unavailable.reaction == .retry)
    }

    @Test func `ends with the fifth token in a row that is refused`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy())
        var refused = ConnectionEnd(error: ClientError.refusal(status: 401, body: ""))
        refused.canRenewToken = true
        for _ in 0..<2 {
            for _ in 0..<4 { #expect(backoff.delay(after: refused) { $0 } != nil) }
            #expect(backoff.delay(after: lost(1006, useful: true)) { $0 } != nil)
        }
        let waits = (0..<5).map { _ in backoff.delay(after: refused) { $0 } }
        #expect(waits.map { $0 == nil } == [false, false, false, false, true])
    }

    @Test func `waits up to twice as long each time, up to a limit`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy())
        let waits = (0..<10).map { _ in backoff.delay(after: lost(1006)) { $0 } }
        let milliseconds: [Int64] = [100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]
        #expect(waits == milliseconds.map { .milliseconds($0) })
    }

    @Test func `waits for any time from none to the longest`() {
        let random = ReconnectingTransport.Environment().random
        let waits = (0..<1000).map { _ in random(.seconds(1)) }
        #expect(waits.allSatisfy { $0 >= .zero && $0 <= .seconds(1) })
        #expect(waits.contains { $0 < .milliseconds(200) } && waits.contains { $0 > .milliseconds(800) })
    }

    @Test func `waits as long as the server says`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy())
        var shutdown = lost(1001, "SHUTDOWN")
        shutdown.reconnectAfter = .seconds(7)
        #expect(backoff.delay(after: shutdown) { $0 } == .seconds(7))
        let busy = ConnectionEnd(error: ClientError.refusal(status: 503, body: "", retryAfter: 3))
        #expect(backoff.delay(after: busy) { $0 } == .seconds(3))
    }

    @Test func `counts anew after a connection that was of use, unless that one asked for patience`() {
        var backoff = Backoff(ApusClient.ReconnectPolicy())
        #expect(backoff.delay(after: lost(1006)) { $0 } == .milliseconds(100))
        #expect(backoff.delay(after: lost(1006, useful: true)) { $0 } == .milliseconds(100))
        #expect(backoff.delay(after: lost(1008, "SLOW_CONSUMER", useful: true)) { $0 } == .milliseconds(100))
        #expect(backoff.delay(after: lost(1008, "SLOW_CONSUMER", useful: true)) { $0 } == .milliseconds(200))
        var stable = lost(1008, "SLOW_CONSUMER", useful: true)
        stable.lasted = .seconds(10)
        #expect(backoff.delay(after: stable) { $0 } == .milliseconds(100))
    }

    @Test func `ends with the last attempt that the policy allows`() {
        var policy = ApusClient.ReconnectPolicy()
        policy.maxAttempts = 2
        var backoff = Backoff(policy)
        #expect(backoff.delay(after: lost(1006)) { $0 } != nil)
        #expect(backoff.delay(after: lost(1006)) { $0 } != nil)
        #expect(backoff.delay(after: lost(1006)) { $0 } == nil)
        var never = Backoff(.never)
        #expect(never.delay(after: lost(1006, useful: true)) { $0 } == nil)
    }
}

@Suite("A position")
struct PositionTests {
    @Test func `is written as epoch and offset`() {
        let position = ApusClient.Position(epoch: "k3v9", offset: 41)
        #expect(position.description == "k3v9:41")
        #expect(ApusClient.Position("k3v9:41") == position)
        for text in ["", "k3v9", ":1", "k:", "k:-1", "k:x", "k:1 "] { #expect(ApusClient.Position(text) == nil) }
    }
}
