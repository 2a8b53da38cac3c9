import ApusSockets
import Dispatch
import Foundation
import NIOCore

/// Runs a loop on a thread of its own while `body` works with it, and waits for its end.
func withLoop<Result>(_ body: (SocketLoop) async throws -> Result) async throws -> Result {
    let loop = try SocketLoop()
    Thread.detachNewThread { loop.run() }
    do {
        let result = try await body(loop)
        try await loop.shutdownGracefully()
        return result
    } catch {
        try await loop.shutdownGracefully()
        throw error
    }
}
