package import ApusProtocol
import AsyncHTTPClient
public import NIOCore
public import NIOHTTP1

/// The management API of a server: topics, health, statistics.
///
/// Every call is one request with its own deadline; nothing is retried. All errors are `ClientError`s: an error status
/// becomes `unauthorized` or `refused` with the server's `problem`.
public struct RESTClient: Sendable {
    /// The address of the server: of several, the first.
    public let address: ServerAddress
    /// Those that are asked when no connection can be made to the ones before.
    private let others: [ServerAddress]
    private let credential: Credential
    private let timeout: TimeAmount

    /// Exists as long as the process, so nobody has to shut it down.
    static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.connectionPool.idleTimeout = .seconds(30)
            // Fail at once if no server is listening, instead of at the deadline.
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )

    /// The largest response, in bytes. 64 MiB is enough for a list of several hundred thousand topics.
    private static let maxResponseBytes = 64 << 20

    /// Creates a client. It sends nothing yet.
    ///
    /// - Parameters:
    ///   - address: the server's address and dialect.
    ///   - apiKey: the API key, sent as `X-API-Key`.
    ///   - token: where the token comes from, sent as `Authorization: Bearer`; a provider is asked for each request.
    ///     Without effect if there is an API key.
    ///   - timeout: how long a request may take, and how long the token provider.
    public init(
        address: ServerAddress,
        apiKey: String? = nil,
        token: ApusClient.TokenSource? = nil,
        timeout: TimeAmount = .seconds(10)
    ) {
        let credential = Credential(apiKey: apiKey, token: token, limit: Duration(timeout))
        self.init(address: address, credential: credential, timeout: timeout)
    }

    package init(
        address: ServerAddress,
        others: [ServerAddress] = [],
        credential: Credential,
        timeout: TimeAmount = .seconds(10)
    ) {
        self.address = address
        self.others = others
        self.credential = credential
        self.timeout = timeout
    }

    /// The same server and credential with another dialect.
    package func speaking(_ dialect: Dialect) -> RESTClient {
        RESTClient(
            address: address.speaking(dialect),
            others: others.map { $0.speaking(dialect) },
            credential: credential,
            timeout: timeout
        )
    }

    /// All topics, in the server's order.
    public func topics() async throws(ClientError) -> [TopicSummary] {
        try await get("/topics").decode(TopicList.self).topics
    }

    /// Creates a topic. Returns `false` if the topic existed already and the server is configured to accept that.
    ///
    /// Otherwise throws `refused` with the problem code `TOPIC_EXISTS` for an existing topic.
    @discardableResult
    public func createTopic(_ name: String) async throws(ClientError) -> Bool {
        let body = "{\"name\":\(JSONText.string(name))}"
        return try await send(.POST, "/topics", body: body).checked().status == 201
    }

    /// Deletes a topic. Throws `refused` with the problem code `TOPIC_NOT_FOUND` if it does not exist.
    public func deleteTopic(_ name: String) async throws(ClientError) {
        _ = try await send(.DELETE, "/topics/\(Self.percentEncoded(name))").checked()
    }

    /// The server's uptime, and its numbers of topics and subscriptions.
    public func health() async throws(ClientError) -> Health {
        try await get("/health").decode(Health.self)
    }

    /// The number of messages published to each topic.
    public func stats() async throws(ClientError) -> Stats {
        try await get("/stats").decode(Stats.self)
    }

    /// Sends a GET request to a path of the server's dialect. Throws on an error status.
    public func get(_ path: String) async throws(ClientError) -> RESTResponse {
        try await send(.GET, path).checked()
    }

    /// Sends any request to a path of the server's dialect. An error status is returned, not thrown.
    public func send(
        _ method: HTTPMethod,
        _ path: String,
        headers: [(String, String)] = [],
        body: String? = nil
    ) async throws(ClientError) -> RESTResponse {
        for address in ([address] + others).dropLast() {
            do {
                return try await send(method, path, headers, body, to: address)
            } catch {
                // The server may have done what it was asked for, if there was a connection.
                guard error.isBeforeConnection else { throw error }
            }
        }
        return try await send(method, path, headers, body, to: others.last ?? address)
    }

    private func send(
        _ method: HTTPMethod,
        _ path: String,
        _ headers: [(String, String)],
        _ body: String?,
        to address: ServerAddress
    ) async throws(ClientError) -> RESTResponse {
        var request = try await request(method, path, to: address)
        request.headers.add(contentsOf: headers)
        if let body {
            if !request.headers.contains(name: "content-type") {
                request.headers.add(name: "content-type", value: "application/json")
            }
            request.body = .bytes(ByteBuffer(string: body))
        }
        do {
            let response = try await Self.http.execute(request, timeout: timeout)
            let bytes = try await response.body.collect(upTo: Self.maxResponseBytes)
            return RESTResponse(
                status: Int(response.status.code),
                headers: response.headers,
                body: String(buffer: bytes)
            )
        } catch {
            throw ClientError.network(error, to: address)
        }
    }

    /// A request with the credential.
    func request(
        _ method: HTTPMethod,
        _ path: String,
        to server: ServerAddress? = nil
    ) async throws(ClientError) -> HTTPClientRequest {
        let address = server ?? address
        var request = HTTPClientRequest(url: address.restBase + path)
        request.method = method
        if address.isSecure { request.tlsConfiguration = try address.tls.configuration() }
        if address.unixSocket != nil { request.headers.add(name: "Host", value: address.hostHeader) }
        request.headers.add(contentsOf: try await credential.fields().map { ($0.name, $0.value) })
        return request
    }

    /// The name as one path segment. Encodes everything except RFC 3986's unreserved characters, including `/`.
    package static func percentEncoded(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            case UInt8(ascii: ".") where name != "." && name != "..":
                // A segment of only dots would count as a relative path.
                encoded.append(byte)
            default:
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
