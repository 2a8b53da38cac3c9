import ApusSockets
import Logging
import NIOConcurrencyHelpers

/// Tells clients from the proxies in front of them, and limits the connections of each address.
///
/// ```
/// socket ──► PROXY header ──► address of the connection ──► X-Forwarded-For ──► address of a request's client
///            of a trusted peer                              of a trusted address
/// ```
/// One for the whole server, used on all loops. Its rules may change while the server runs; what is open keeps the
/// address and the place that it has.
final class ClientAddresses: Sendable {
    struct Rules: Sendable, Equatable {
        var proxies = TrustedProxies()
        /// Whether the connections of trusted proxies begin with a ``ProxyHeader``.
        var usesProxyProtocol = false
        /// How many connections an address may have; 0 means any number.
        var connectionsPerAddress = 0
    }

    let refusals: ConnectionRefusals
    private let current: NIOLockedValueBox<Rules>
    private let budget = AddressBudget()

    init(_ rules: Rules, refusals: ConnectionRefusals) {
        current = NIOLockedValueBox(rules)
        self.refusals = refusals
    }

    convenience init(_ configuration: ServerConfiguration, registry: MetricsRegistry, logger: Logger) {
        self.init(configuration.addressRules, refusals: ConnectionRefusals(registry: registry, logger: logger))
    }

    var rules: Rules { current.withLockedValue { $0 } }

    /// Uses other rules from now on.
    func use(_ rules: Rules) {
        current.withLockedValue { $0 = rules }
    }

    // MARK: Addresses

    /// Whether a new connection has to begin with a ``ProxyHeader``.
    func expectsProxyHeader(from peer: PeerAddress) -> Bool {
        let rules = rules
        return rules.usesProxyProtocol && rules.proxies.trusts(peer)
    }

    /// The client behind a request, a handshake or an event stream of a connection.
    ///
    /// - Parameter forwardedFor: the values of all `X-Forwarded-For` fields, joined by commas.
    func caller(of connection: Caller, forwardedFor: String?) -> Caller {
        guard let forwardedFor else { return connection }
        var caller = connection
        caller.address = rules.proxies.client(of: connection.address, forwardedFor: forwardedFor)
        return caller
    }

    // MARK: Connections of an address

    /// Counts a new connection, unless it is a proxy's, whose requests come from many clients and count one by one.
    ///
    /// - Throws: ``AddressBudget/Exceeded``.
    func admitConnection(of caller: inout Caller) throws(AddressBudget.Exceeded) {
        guard !rules.proxies.trusts(caller.address) else { return }
        try admit(&caller)
    }

    /// Counts a request, a WebSocket or an event stream, unless its connection counts already.
    ///
    /// - Throws: ``AddressBudget/Exceeded``.
    func admit(_ caller: inout Caller) throws(AddressBudget.Exceeded) {
        let limit = rules.connectionsPerAddress
        guard limit > 0, caller.place == nil, let network = caller.network else { return }
        caller.place = try budget.take(for: network, limit: limit)
    }

    /// How many connections and requests of an address are counted.
    func count(of network: IPAddress) -> Int { budget.count(of: network) }

    /// Frees memory that was reserved for more addresses than there are now.
    func releaseMemory() {
        budget.releaseMemory()
    }
}

extension ServerConfiguration {
    /// The rules for clients' addresses.
    var addressRules: ClientAddresses.Rules {
        ClientAddresses.Rules(
            proxies: proxies.trusted,
            usesProxyProtocol: proxies.speakProxyProtocol,
            connectionsPerAddress: limits.connectionsPerAddress
        )
    }
}
