import ApusClient
import NIOHTTP1

/// Reads a topic as an event stream: `GET /topics/{name}/events`.
struct SSEReader: EventReader {
    let address: ServerAddress
    let credential: Credential
    let topic: String
    let clientID: String
    let queue: Int?

    func read(
        after position: LogPosition?,
        plan: SessionPlan,
        handle: ([Arrival]) async throws -> Bool
    ) async throws {
        try await StreamingHTTP.withConnection(to: address, credential: credential, plan: plan) { connection in
            let (path, headers) = request(after: position, usesQuery: plan.usesQuery)
            try await connection.get(path, headers: headers)
            guard !plan.cutsAtOnce, let head = try await connection.head() else { return }
            guard head.status == .ok else {
                _ = try await handle([.ended(code: "\(head.status.code)")])
                return
            }
            var parser = SSEParser()
            var frames: [SSEFrame] = []
            while let bytes = try await connection.body() {
                frames += try parser.receive(bytes)
                let arrivals = frames.compactMap(arrival)
                frames.removeAll(keepingCapacity: true)
                guard try await handle(arrivals) else { return }
            }
        }
    }

    func request(after position: LogPosition?, usesQuery: Bool) -> (path: String, headers: [(String, String)]) {
        var query = "client_id=\(clientID)"
        if let queue { query += "&queue=\(queue)" }
        var headers = [("Accept", "text/event-stream")]
        if let position {
            let id = "\(position.epoch):\(position.offset)"
            if usesQuery {
                query += "&last_event_id=\(id)"
            } else {
                headers.append(("Last-Event-ID", id))
            }
        }
        return ("/topics/\(topic)/events?\(query)", headers)
    }

    private func arrival(_ frame: SSEFrame) -> Arrival? {
        let position = frame.id.flatMap(Self.position)
        guard let data = frame.data else {
            guard frame.id != nil else { return nil }
            return position.map { .started(.init(position: $0)) } ?? .fault("an id that is no position")
        }
        guard frame.event == "message" || frame.event == "info" else {
            return .fault("an SSE event of type '\(frame.event)'")
        }
        if frame.event == "message", position == nil { return .fault("an SSE message without a position as its id") }
        return Arrival(text: data, topic: topic, knownOffset: frame.event == "message" ? position?.offset : nil)
    }

    /// Parses `EPOCH:OFFSET`.
    static func position(_ id: String) -> LogPosition? {
        guard let colon = id.lastIndex(of: ":"), let offset = Int(id[colon...].dropFirst()), offset >= 0 else {
            return nil
        }
        return LogPosition(epoch: String(id[..<colon]), offset: offset)
    }
}
