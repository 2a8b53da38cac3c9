import AsyncHTTPClient
import Foundation
package import NIOCore
package import NIOHTTP1

/// What came of an event stream in its first moments.
package struct StreamProbe: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    /// How long the head of the answer took.
    package let head: Duration
    /// How long the first bytes of the stream took; `nil` if none came in time.
    package let firstBytes: Duration?
}

extension RESTClient {
    /// Opens an event stream, waits for its first bytes, and closes it.
    ///
    /// - Parameter patience: how long each of the two may take.
    package func probeStream(_ path: String, patience: TimeAmount) async throws(ClientError) -> StreamProbe {
        var request = try await request(.GET, path)
        request.headers.add(name: "Accept", value: "text/event-stream")
        let start = ContinuousClock.now
        do {
            let response = try await Self.http.execute(request, timeout: patience)
            let head = ContinuousClock.now - start
            let first = try await withThrowingTaskGroup(of: Duration?.self) { group in
                group.addTask {
                    for try await bytes in response.body where bytes.readableBytes > 0 {
                        return ContinuousClock.now - start
                    }
                    return nil
                }
                group.addTask {
                    try await Task.sleep(for: Duration(patience))
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            return StreamProbe(
                status: Int(response.status.code),
                headers: response.headers,
                head: head,
                firstBytes: first
            )
        } catch {
            throw ClientError.network(error, to: address)
        }
    }

    /// Opens an event stream and holds it open.
    ///
    /// - Returns: after what time it ended; `nil` if it was still open in the end.
    package func holdStream(
        _ path: String,
        for time: Duration,
        patience: TimeAmount
    ) async throws(ClientError) -> Duration? {
        var request = try await request(.GET, path)
        request.headers.add(name: "Accept", value: "text/event-stream")
        do {
            let response = try await Self.http.execute(request, timeout: patience + TimeAmount(time))
            let start = ContinuousClock.now
            return await withTaskGroup(of: Duration?.self) { group in
                group.addTask {
                    // One that is cut ends with an error.
                    do { for try await _ in response.body {} } catch {}
                    return Task.isCancelled ? nil : ContinuousClock.now - start
                }
                group.addTask {
                    try? await Task.sleep(for: time)
                    return nil
                }
                defer { group.cancelAll() }
                return await group.next() ?? nil
            }
        } catch {
            throw ClientError.network(error, to: address)
        }
    }
}
