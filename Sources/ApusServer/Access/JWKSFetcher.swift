import ApusAccess
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Fetches a JWK set from its address.
struct JWKSFetcher: Sendable {
    /// Exists as long as the process, so nobody has to shut it down.
    private static let http = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: {
            var configuration = HTTPClient.Configuration()
            // Another address could be one that only the server can reach.
            configuration.redirectConfiguration = .disallow
            configuration.connectionPool.idleTimeout = .seconds(10)
            configuration.connectionPool.retryConnectionEstablishment = false
            return configuration
        }()
    )
    /// The longest time for one attempt. Whoever waits for the keys gives up earlier.
    private static let timeout = TimeAmount.seconds(10)

    let address: String

    /// - Parameter limit: the largest body, in bytes.
    func fetch(_ limit: Int) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "Accept", value: "application/jwk-set+json, application/json")
        let response = try await Self.http.execute(request, timeout: Self.timeout)
        guard response.status == .ok else {
            throw AccessError(.file, "the server answered \(response.status.code)")
        }
        var body = try await response.body.collect(upTo: limit + 1)
        return body.readBytes(length: body.readableBytes) ?? []
    }
}
