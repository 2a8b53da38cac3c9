import ApusClient
import NIOCore
import NIOHTTP1

extension VerifyPublisher {
    /// Publishes by POST, one request after the other, until one fails, it is time to move, or publishing is over.
    ///
    /// - Returns: whether everything was stored.
    func post(_ visit: Visit, pace: inout Pace, _ streams: inout PublishStreams) async throws -> Bool {
        let client = RESTClient(address: visit.address, credential: settings.credential)
        while control.phase == .publishing, !visit.isOver, !Task.isCancelled {
            guard let send = pace.next(now: .now()) else {
                try await Task.sleep(for: .milliseconds(1))
                continue
            }
            let pending = streams.take(send)
            guard try await waitForRoom(pending) else { return false }
            let response: RESTResponse
            do {
                response = try await request(client, send, streams.messages(pending, send))
            } catch {
                // It is unknown whether the messages are stored.
                control.update { $0.unanswered += pending.count }
                throw error
            }
            if response.status == 201, let members = JSONText(unchecked: response.body).members {
                stored(pending, members)
            } else {
                let code = JSONText(unchecked: response.body).members?["code"]?.stringValue
                refused(pending, code: code ?? "\(response.status)")
                try await Task.sleep(for: .milliseconds(200))
                return false
            }
        }
        return true
    }

    private func request(
        _ client: RESTClient,
        _ send: PublisherSchedule.Send,
        _ messages: [(id: String, payload: String)]
    ) async throws -> RESTResponse {
        let path = "/topics/\(records[send.topic].name)/messages"
        if send.isBatch {
            return try await client.send(
                .POST,
                path,
                headers: [("Content-Type", "application/x-ndjson")],
                body: messages.map { $0.payload + "\n" }.joined()
            )
        }
        return try await client.send(
            .POST,
            path,
            headers: [("Content-Type", "application/json"), ("Idempotency-Key", messages[0].id)],
            body: messages[0].payload
        )
    }
}
