import ApusBroker
import ApusProtocol

struct InProcess: PubSubSystem {
    let apus = PubSub()

    func createTopic(_ name: String) async throws { try told { () throws(BrokerError) in try apus.createTopic(name) } }
    func deleteTopic(_ name: String) async throws { try told { () throws(BrokerError) in try apus.deleteTopic(name) } }

    func putTopic(_ name: String, history: Int?, dedupeWindow: Duration?) async throws {
        try apus.putTopic(name, [.history(history), .dedupeWindow(dedupeWindow)])
    }

    func publish(
        _ topic: String,
        _ payloads: [String],
        id: String?,
        key: String?,
        ttl: Duration?
    ) async throws -> Published {
        do throws(BrokerError) {
            let batch = payloads.map { PubSub.Message($0, id: id) }
            let outcome = try await apus.publish(topic, batch: batch, key: key, ttl: ttl)
            return Published(
                epoch: outcome.position.epoch,
                offset: Int(outcome.position.offset),
                count: outcome.count,
                isDuplicate: outcome.count == 0,
                subscribers: outcome.subscribers
            )
        } catch {
            throw SystemFailure(error)
        }
    }

    func subscribe(_ topic: String, _ wish: Wish) async throws -> PubSub.Subscription {
        let start: PubSub.Start =
            switch wish.start {
            case .live: .live
            case .last(let count): .last(count)
            case .after(let epoch, let offset): .after(.init(epoch: epoch, offset: UInt64(offset)))
            case .age(let age): .age(age)
            case .all: .all
            }
        let options = PubSub.SubscribeOptions(
            start: start,
            queue: wish.queue,
            overflow: wish.overflow.flatMap(OverflowPolicy.init(rawValue:)),
            hasPresence: wish.hasPresence,
            waitsForTopic: wish.waits
        )
        do throws(BrokerError) {
            return try await apus.subscribe(topic, options)
        } catch {
            throw SystemFailure(error)
        }
    }

    private func told(_ body: () throws(BrokerError) -> Void) throws {
        do throws(BrokerError) { try body() } catch { throw SystemFailure(error) }
    }
}

extension SystemFailure {
    init(_ error: BrokerError) {
        self =
            switch error.code {
            case .slowConsumer: .slowConsumer
            case .topicExists: .refused("TOPIC_EXISTS")
            case .topicNotFound: .refused("TOPIC_NOT_FOUND")
            default: .refused("BAD_REQUEST")
            }
    }
}

extension PubSub.Subscription: PubSubFeed {
    func seen() async throws -> Seen? {
        do throws(BrokerError) {
            return try await next().map(Seen.init)
        } catch {
            throw SystemFailure(error)
        }
    }
}

extension Seen {
    init(_ delivery: PubSub.Delivery) {
        switch delivery {
        case .event(let event):
            self = .event(topic: event.topic, payload: event.payload, key: event.key, offset: Int(event.offset))
        case .notice(let notice):
            switch notice.kind {
            case .dropped(let count, _): self = .dropped(count)
            case .gap(.missed(let range)): self = .missed(Int(range.lowerBound)...Int(range.upperBound))
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
