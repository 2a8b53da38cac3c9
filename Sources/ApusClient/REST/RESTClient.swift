import AsyncHTTPClient
public import NIOCore
public import NIOHTTP1

/// The management side of a server: topics, health, statistics.
///
/// Every call is one request with its own deadline; nothing is retried. Errors are `ClientError`s: an error status is
/// `unauthorized` or `refused` with the server's `problem`.
public struct RESTClient: Sendable {
    /// Where the server is.
    public let address: ServerAddress
    private let apiKey: String?
    private let timeout: TimeAmount

    /// Lives as long as the process, so that nobody has to shut it down.
    private static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.connectionPool.idleTimeout = .seconds(30)
            // Whoever calls is told at once that nobody listens, not when the deadline has passed.
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )

    /// The most bytes that are taken of an answer: 64 MiB, room for a list of several hundred thousand topics.
    private static let maxResponseBytes = 64 << 20

    /// Makes a client; nothing is sent yet.
    public init(address: ServerAddress, apiKey: String? = nil, timeout: TimeAmount = .seconds(10)) {
        self.address = address
        self.apiKey = apiKey
        self.timeout = timeout
    }

    /// All topics, in the server's order.
    public func topics() async throws(ClientError) -> [TopicSummary] {
        try await get("/topics").decode(TopicList.self).topics
    }

    /// Creates a topic; false when it was there already and the server is set to accept that.
    ///
    /// Throws `refused` with the problem code `TOPIC_EXISTS` otherwise.
    @discardableResult
    public func createTopic(_ name: String) async throws(ClientError) -> Bool {
        let body = "{\"name\":\(JSONText.string(name))}"
        return try await send(.POST, "/topics", body: body).checked().status == 201
    }

    /// Deletes a topic; throws `refused` with the problem code `TOPIC_NOT_FOUND` when there is none.
    public func deleteTopic(_ name: String) async throws(ClientError) {
        _ = try await send(.DELETE, "/topics/\(Self.percentEncoded(name))").checked()
    }

    /// How long the server runs and what it has.
    public func health() async throws(ClientError) -> Health {
        try await get("/health").decode(Health.self)
    }

    /// How much was published to each topic.
    public func stats() async throws(ClientError) -> Stats {
        try await get("/stats").decode(Stats.self)
    }

    /// GETs a path of the server's dialect and throws on an error status.
    public func get(_ path: String) async throws(ClientError) -> RESTResponse {
        try await send(.GET, path).checked()
    }

    /// Sends any request to a path of the server's dialect; an error status is returned, not thrown.
    public func send(
        _ method: HTTPMethod,
        _ path: String,
        headers: [(String, String)] = [],
        body: String? = nil
    ) async throws(ClientError) -> RESTResponse {
        var request = HTTPClientRequest(url: address.restBase + path)
        request.method = method
        if address.unixSocket != nil { request.headers.add(name: "Host", value: address.hostHeader) }
        if let apiKey { request.headers.add(name: "X-API-Key", value: apiKey) }
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

    /// The name as one path segment: everything but RFC 3986's unreserved characters is encoded, `/` too.
    static func percentEncoded(_ name: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            case UInt8(ascii: ".") where name != "." && name != "..":
                // A segment of only dots would be taken for a relative path.
                encoded.append(byte)
            default:
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
