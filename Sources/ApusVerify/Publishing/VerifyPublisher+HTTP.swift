import ApusClient
import NIOCore
import NIOHTTP1

extension VerifyPublisher {
    /// Publishes by POST, one request after the other, until a request fails or publishing is over.
    func post(to address: ServerAddress, pace: inout Pace) async throws {
        let client = RESTClient(address: address, credential: settings.credential)
        var streams = PublishStreams(seed: settings.seed, records: records)
        defer { streams.close() }
        while control.phase == .publishing, !Task.isCancelled {
            guard let send = pace.next(now: .now()) else {
                try await Task.sleep(for: .milliseconds(1))
                continue
            }
            let pending = streams.take(send)
            guard try await waitForRoom(pending) else { return }
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
                return try await Task.sleep(for: .milliseconds(200))
            }
        }
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
