import ApusProtocol
import ApusSockets
import Testing

@testable import ApusServer

/// `connections_per_address`, at the listener.
@Suite struct AddressLimitTests {
    private static let (attacker, bystander) = ("192.0.2.1", "192.0.2.2")

    private static func run(limit: Int, _ test: (PendingRig) throws -> Void) async throws {
        try await PendingRig.run({ $0.limits.connectionsPerAddress = limit }, test)
    }

    private static func count(_ rig: PendingRig, of address: String = attacker) -> Int {
        IPAddress(address).map { rig.addresses.count(of: $0.network) } ?? -1
    }

    @Test(arguments: [
        ProxiedConnectionTests.handshake, ProxiedConnectionTests.stream, ProxiedConnectionTests.plain, "", "GET /ws",
    ])
    func `connections count from the start, whatever becomes of them, until they end`(request: String) async throws {
        try await Self.run(limit: 2) { rig in
            let clients = try (0..<2).map { _ in try rig.accept(from: Self.attacker) }
            #expect(Self.count(rig) == 2)
            for client in clients { client.send(request) }
            #expect(Self.count(rig) == 2)
            for (number, client) in clients.enumerated() {
                client.hangUp()
                // HTTP has it, or got it with a head that broke off.
                client.closeHTTP()
                #expect(Self.count(rig) == 1 - number)
            }
        }
    }

    @Test(arguments: [ProxiedConnectionTests.handshake, ProxiedConnectionTests.stream, ProxiedConnectionTests.plain])
    func `one more is refused before anything is done, and nobody else notices`(request: String) async throws {
        try await Self.run(limit: 2) { rig in
            let clients = try (0..<2).map { _ in try rig.accept(from: Self.attacker) }
            let more = try rig.accept(from: Self.attacker)
            // An answer without a request would surprise the client.
            #expect(more.received() == "")
            more.send(request)
            let answer = more.received() ?? ""
            #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"))
            #expect(answer.contains(#""code":"OVERLOADED""#))
            #expect(more.forHTTP() == nil && rig.owner.open.value + rig.owner.openStreams.value == 0)
            more.send("more")
            #expect(more.received() == nil)
            let other = try rig.accept(from: Self.bystander)
            other.send(ProxiedConnectionTests.handshake)
            #expect(other.received()?.hasPrefix("HTTP/1.1 101 ") == true)
            // A place that is free may be taken again.
            clients[0].hangUp()
            let next = try rig.accept(from: Self.attacker)
            next.send(ProxiedConnectionTests.handshake)
            #expect(next.received()?.hasPrefix("HTTP/1.1 101 ") == true)
            #expect(Self.count(rig) == 2 && Self.count(rig, of: Self.bystander) == 1)
        }
    }

    @Test func `a refused client that says nothing, or does not go, is closed`() async throws {
        try await Self.run(limit: 1) { rig in
            let first = try rig.accept(from: Self.attacker)
            let (silent, staying) = (try rig.accept(from: Self.attacker), try rig.accept(from: Self.attacker))
            staying.send("GET /")
            #expect(staying.received()?.hasPrefix("HTTP/1.1 503 ") == true && staying.received() == nil)
            #expect(rig.owner.context.refusedCount == 2)
            let now = rig.owner.context.monotonicNow()
            for client in [silent, staying] { client.pending?.tick(now: now) }
            #expect(rig.owner.context.refusedCount == 2)
            for client in [silent, staying] { client.pending?.tick(now: now + 3000) }
            #expect(rig.owner.context.refusedCount == 0 && silent.received() == nil)
            #expect(Self.count(rig) == 1)
            first.hangUp()
        }
    }

    @Test func `refused clients hold few sockets`() async throws {
        try await Self.run(limit: 1) { rig in
            let first = try rig.accept(from: Self.attacker)
            let waiting = try (0..<PendingConnection.maxRefused).map { _ in try rig.accept(from: Self.attacker) }
            #expect(rig.owner.context.refusedCount == PendingConnection.maxRefused)
            let more = try rig.accept(from: Self.attacker)
            // Answered and closed at once.
            #expect(more.received()?.hasPrefix("HTTP/1.1 503 ") == true && more.received() == nil)
            #expect(rig.owner.context.refusedCount == PendingConnection.maxRefused)
            for client in waiting { client.hangUp() }
            #expect(rig.owner.context.refusedCount == 0)
            first.hangUp()
        }
    }

    @Test func `behind a proxy each client has its own limit, and each WebSocket and stream counts`() async throws {
        let change: (inout ServerConfiguration) -> Void = { settings in
            settings.limits.connectionsPerAddress = 1
            settings.proxies.trusted = TrustedProxies(["10.0.0.1"]) ?? TrustedProxies()
        }
        try await PendingRig.run(change) { rig in
            func open(_ request: String, for address: String) throws -> PendingRig.Client {
                let client = try rig.accept(from: "10.0.0.1")
                let field = "Host: a\r\nX-Forwarded-For: \(address)\r\n"
                client.send(request.replacing("Host: a\r\n", with: field))
                return client
            }
            let idle = try (0..<3).map { _ in try rig.accept(from: "10.0.0.1") }
            let first = try open(ProxiedConnectionTests.handshake, for: Self.attacker)
            #expect(first.received()?.hasPrefix("HTTP/1.1 101 ") == true)
            for request in [ProxiedConnectionTests.handshake, ProxiedConnectionTests.stream] {
                // HTTP refuses it.
                let more = try open(request, for: Self.attacker)
                #expect(more.forHTTP()?.hasPrefix("GET ") == true && more.callerForHTTP?.place == nil)
            }
            let other = try open(ProxiedConnectionTests.stream, for: Self.bystander)
            #expect(other.received()?.hasPrefix("HTTP/1.1 200 ") == true)
            #expect(Self.count(rig) == 1 && Self.count(rig, of: Self.bystander) == 1)
            first.hangUp()
            other.hangUp()
            #expect(Self.count(rig) == 0 && Self.count(rig, of: Self.bystander) == 0)
            for client in idle { client.hangUp() }
        }
    }
}
