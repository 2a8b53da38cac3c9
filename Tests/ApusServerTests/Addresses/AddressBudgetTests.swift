import ApusProtocol
import ApusSockets
import HTTPTypes
import Logging
import Testing

@testable import ApusServer

@Suite struct AddressBudgetTests {
    private func network(_ address: String) throws -> IPAddress { try #require(IPAddress(address)).network }

    @Test func `an address has as many places as the limit, and gets one back when it is not held any more`() throws {
        let budget = AddressBudget()
        let (one, other) = (try network("192.0.2.1"), try network("192.0.2.2"))
        var places = try (0..<3).map { _ in try budget.take(for: one, limit: 3) }
        #expect(throws: AddressBudget.Exceeded(limit: 3)) { try budget.take(for: one, limit: 3) }
        #expect(budget.count(of: one) == 3 && budget.count(of: other) == 0)
        // Others do not notice.
        let bystander = try budget.take(for: other, limit: 3)
        places.removeLast()
        #expect(budget.count(of: one) == 2)
        places.append(try budget.take(for: one, limit: 3))
        // A place that two hold counts once, until both have let go.
        var copies = [places.removeLast()]
        copies.append(copies[0])
        #expect(budget.count(of: one) == 3)
        copies.removeLast()
        #expect(budget.count(of: one) == 3)
        copies.removeLast()
        #expect(budget.count(of: one) == 2)
        withExtendedLifetime((places, bystander)) {}
    }

    @Test func `an address without connections is forgotten`() throws {
        let budget = AddressBudget()
        var places: [AddressBudget.Place] = []
        for number in 0..<1000 {
            places.append(try budget.take(for: network("10.0.\(number / 250).\(number % 250)"), limit: 1))
        }
        #expect(budget.addressCount == 1000)
        places = []
        #expect(budget.addressCount == 0)
    }

    @Test func `a lower limit turns away only new connections`() throws {
        let budget = AddressBudget()
        let one = try network("192.0.2.1")
        let places = try (0..<3).map { _ in try budget.take(for: one, limit: 3) }
        #expect(throws: AddressBudget.Exceeded(limit: 1)) { try budget.take(for: one, limit: 1) }
        #expect(budget.count(of: one) == 3)
        withExtendedLifetime(places) {}
    }

    @Test func `the places are right whoever takes and gives at the same time`() async throws {
        let budget = AddressBudget()
        let networks = [try network("192.0.2.1"), try network("2001:db8::1")]
        await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<8 {
                tasks.addTask {
                    var held: [AddressBudget.Place] = []
                    for round in 0..<500 {
                        let network = networks[(number + round) % 2]
                        if let place = try? budget.take(for: network, limit: 10) { held.append(place) }
                        if held.count > 4 { held.removeFirst(3) }
                    }
                }
            }
        }
        #expect(budget.addressCount == 0)
    }

    @Test func `a refusal says when to come back`() {
        let problem = AddressBudget.Exceeded(limit: 3).problem
        #expect(problem.code == .overloaded && problem.code.status == 503)
        #expect(problem.headers.contains { $0.0 == .retryAfter && $0.1 == "1" })
    }
}

@Suite struct ClientAddressesTests {
    private func addresses(_ entries: [String] = [], limit: Int = 0, usesProxyProtocol: Bool = false) throws
        -> ClientAddresses
    {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        return ClientAddresses(
            ClientAddresses.Rules(
                proxies: try #require(TrustedProxies(entries)),
                usesProxyProtocol: usesProxyProtocol,
                connectionsPerAddress: limit
            ),
            refusals: ConnectionRefusals(registry: MetricsRegistry(), logger: logger)
        )
    }

    private func caller(_ address: String) throws -> Caller {
        Caller(address: PeerAddress(try #require(IPAddress(address)), port: 1))
    }

    @Test func `a client's connection counts as one, whatever is asked for on it`() throws {
        let addresses = try addresses(limit: 1)
        var connection = try caller("192.0.2.1")
        try addresses.admitConnection(of: &connection)
        for _ in 0..<3 {
            // The field of a client that is no proxy says nothing.
            var request = addresses.caller(of: connection, forwardedFor: "203.0.113.5")
            try addresses.admit(&request)
            #expect(request == connection)
        }
        var second = try caller("192.0.2.1")
        #expect(throws: AddressBudget.Exceeded(limit: 1)) { try addresses.admitConnection(of: &second) }
        connection.place = nil
        try addresses.admitConnection(of: &second)
    }

    @Test func `on a proxy's connections each client counts for itself`() throws {
        let addresses = try addresses(["10.0.0.0/8"], limit: 2)
        var requests: [Caller] = []
        for _ in 0..<5 {
            var connection = try caller("10.0.0.1")
            try addresses.admitConnection(of: &connection)
            #expect(connection.place == nil)
            var request = addresses.caller(of: connection, forwardedFor: "203.0.113.\(requests.count / 2)")
            try addresses.admit(&request)
            requests.append(request)
        }
        var another = addresses.caller(of: try caller("10.0.0.2"), forwardedFor: "203.0.113.0")
        #expect(throws: AddressBudget.Exceeded(limit: 2)) { try addresses.admit(&another) }
        requests = []
        try addresses.admit(&another)
    }

    @Test func `IPv6 clients count by their network of 64 bits`() throws {
        let addresses = try addresses(limit: 2)
        var (one, other, third, elsewhere) = (
            try caller("2001:db8:1:1::1"), try caller("2001:db8:1:1:ffff::2"), try caller("2001:db8:1:1::3"),
            try caller("2001:db8:1:2::1")
        )
        try addresses.admitConnection(of: &one)
        try addresses.admitConnection(of: &other)
        #expect(throws: AddressBudget.Exceeded.self) { try addresses.admitConnection(of: &third) }
        try addresses.admitConnection(of: &elsewhere)
        // An IPv4 address is the same in its IPv6 form.
        var (four, mapped, again) = (try caller("192.0.2.1"), try caller("::ffff:192.0.2.1"), try caller("192.0.2.1"))
        try addresses.admitConnection(of: &four)
        try addresses.admitConnection(of: &mapped)
        #expect(throws: AddressBudget.Exceeded.self) { try addresses.admitConnection(of: &again) }
    }

    @Test func `without a limit nothing is counted, and neither is a client without an address`() throws {
        let unlimited = try addresses()
        var connection = try caller("192.0.2.1")
        try unlimited.admitConnection(of: &connection)
        #expect(connection.place == nil)
        let limited = try addresses(limit: 1)
        for _ in 0..<3 {
            var local = Caller(address: .unix, isOnUnixSocket: true)
            try limited.admitConnection(of: &local)
            try limited.admit(&local)
            #expect(local.place == nil && local.network == nil)
        }
    }

    @Test func `other rules hold from the next connection and request on`() throws {
        let addresses = try addresses()
        var old = try caller("192.0.2.1")
        try addresses.admitConnection(of: &old)
        #expect(!addresses.expectsProxyHeader(from: old.address))
        var rules = ClientAddresses.Rules(connectionsPerAddress: 1)
        addresses.use(rules)
        // What was there before counts from its next request on.
        try addresses.admit(&old)
        var new = try caller("192.0.2.1")
        #expect(throws: AddressBudget.Exceeded(limit: 1)) { try addresses.admitConnection(of: &new) }
        rules.proxies = try #require(TrustedProxies(["192.0.2.1"]))
        rules.usesProxyProtocol = true
        addresses.use(rules)
        #expect(addresses.expectsProxyHeader(from: old.address))
        #expect(addresses.caller(of: old, forwardedFor: "203.0.113.5").address.description == "203.0.113.5")
        addresses.use(ClientAddresses.Rules())
        try addresses.admitConnection(of: &new)
        #expect(new.place == nil)
        #expect(addresses.count(of: try #require(IPAddress("192.0.2.1"))) == 1)
        old.place = nil
        #expect(addresses.count(of: try #require(IPAddress("192.0.2.1"))) == 0)
    }

    @Test func `a header is expected only from trusted proxies, where the protocol is on`() throws {
        let (on, off) = (
            try addresses(["10.0.0.1", "unix"], usesProxyProtocol: true), try addresses(["10.0.0.1", "unix"])
        )
        for (peer, isExpected) in [
            (try caller("10.0.0.1").address, true), (try caller("10.0.0.2").address, false), (.unix, true),
            (.unknown, false),
        ] {
            #expect(on.expectsProxyHeader(from: peer) == isExpected)
            #expect(!off.expectsProxyHeader(from: peer))
        }
    }
}
