import ApusClient
import NIOHTTP1

/// A client of a server.
struct OverNetwork: PubSubSystem {
    let client: ApusClient
    let rest: RESTClient

    func createTopic(_ name: String) async throws {
        try await told { () async throws(ClientError) in try await rest.createTopic(name) }
    }

    func deleteTopic(_ name: String) async throws {
        try await told { () async throws(ClientError) in try await rest.deleteTopic(name) }
    }

    func putTopic(_ name: String, history: Int?, dedupeWindow: Duration?) async throws {
        var members: [String] = []
        if let history { members.append(#""history":\#(history)"#) }
        if let dedupeWindow { members.append(#""dedupe_window":"\#(dedupeWindow / .seconds(1))s""#) }
        let answer = try await rest.send(.PUT, "/topics/\(name)", body: "{\(members.joined(separator: ","))}")
        guard answer.status < 300 else { throw SystemFailure.refused(answer.body) }
    }

    func publish(
        _ topic: String,
        _ payloads: [String],
        id: String?,
        key: String?,
        ttl: Duration?
    ) async throws -> Published {
        do throws(ClientError) {
            let batch = payloads.map { ApusClient.Message(JSONText(unchecked: $0), id: id) }
            let outcome = try await client.publish(topic, batch: batch, key: key, ttl: ttl)
            return Published(
                epoch: outcome.position?.epoch ?? "",
                offset: outcome.position?.offset ?? 0,
                count: outcome.count,
                isDuplicate: outcome.isDuplicate,
                subscribers: outcome.subscribers ?? 0
            )
        } catch {
            throw SystemFailure(error)
        }
    }

    func subscribe(_ topic: String, _ wish: Wish) async throws -> ApusClient.Subscription {
        var options = ApusClient.SubscribeOptions(
            overflow: wish.overflow.flatMap(ApusClient.OverflowPolicy.init(rawValue:)),
            queue: wish.queue
        )
        options.hasPresence = wish.hasPresence
        options.waitsForTopic = wish.waits
        options.start =
            switch wish.start {
            case .live: .live
            case .last(let count): .last(count)
            case .after(let epoch, let offset): .after(.init(epoch: epoch, offset: offset))
            case .age(let age): .age(age)
            case .all: .all
            }
        do throws(ClientError) {
            return try await client.subscribe(topic, options)
        } catch {
            throw SystemFailure(error)
        }
    }

    private func told(_ body: () async throws(ClientError) -> Void) async throws {
        do throws(ClientError) { try await body() } catch { throw SystemFailure(error) }
    }
}

extension SystemFailure {
    init(_ error: ClientError) {
        self =
            error.close?.reason == "SLOW_CONSUMER"
            ? .slowConsumer : .refused(error.problem?.code ?? error.code.description)
    }
}

extension ApusClient.Subscription: PubSubFeed {
    func seen() async throws -> Seen? {
        do throws(ClientError) {
            return try await next().map(Seen.init)
        } catch {
            throw SystemFailure(error)
        }
    }

    func cancel() async { await unsubscribe() }
}

extension Seen {
    init(_ delivery: ApusClient.Delivery) {
        switch delivery {
        case .event(let event):
            self = .event(
                topic: event.topic,
                payload: event.payload.text,
                key: event.key,
                offset: event.position?.offset
            )
        case .notice(let notice):
            switch notice.kind {
            case .dropped(let count, _): self = .dropped(count)
            case .gap(.missed(let range)): self = .missed(range)
            case .gap(.newEpoch): self = .newEpoch
            case .topicDeleted: self = .topicDeleted
            case .waiting: self = .waiting
            case .topicCreated: self = .topicCreated
            case .joined: self = .joined
            case .left: self = .left
            default: self = .other("\(notice.kind)")
            }
        }
    }
}
