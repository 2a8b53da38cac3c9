package import NIOCore
package import NIOPosix

extension ClientBootstrap {
    /// Connects to a server, by TCP or to its Unix socket.
    package func connect<Output: Sendable>(
        to address: ServerAddress,
        channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
    ) async throws -> Output {
        if let file = address.unixSocket {
            return try await connect(unixDomainSocketPath: file, channelInitializer: channelInitializer)
        }
        return try await connect(host: address.host, port: address.port, channelInitializer: channelInitializer)
    }
}
