import ApusCluster
import NIOCore

// What passes between a node and JetStream, with a planted fault or without.

extension ClusterWorld {
    func passed(_ request: PublishRequest, from node: Int) -> PublishRequest {
        var (expected, id) = (request.expected, request.id)
        switch fault {
        case .expectsNothing where !request.stream.isRegistry: expected = .anything
        case .createsBlindly where request.stream.isRegistry: expected = .anything
        case .sendsWithAnotherID where expected != .anything:
            id = PackID(node: id.node, number: id.number << 20 | request.number)
        default: return request
        }
        return PublishRequest(
            number: request.number,
            stream: request.stream,
            subject: request.subject,
            id: id,
            expected: expected,
            header: request.header,
            body: request.body,
            timeout: request.timeout
        )
    }

    func passed(_ event: JetStreamEvent, to node: Int) -> JetStreamEvent? {
        switch (fault, event) {
        case (.renumbersWithoutLooking, .answered(let number, .wrongLastSequence)):
            // The client publishes the same again.
            return .answered(number, .refused("overtaken"))
        case (.takesTrimForGap, .delivered(let delivery)) where !delivery.stream.isRegistry:
            let mirror = nodes[node].machine.mirrors[delivery.stream.number]
            guard mirror.position > 0, delivery.sequence > mirror.position + 1 else { return event }
            return .consumerFailed(delivery.stream, consumer: delivery.consumer)
        case (.ignoresGaps, .delivered(let delivery)):
            let stream = index(of: delivery.stream)
            let isSame = nodes[node].seenConsumer[stream] == delivery.consumer
            nodes[node].seen[stream] = isSame ? nodes[node].seen[stream] + 1 : 1
            nodes[node].seenConsumer[stream] = delivery.consumer
            return .delivered(renumbered(delivery, nodes[node].seen[stream], body: delivery.body))
        case (.ignoresGaps, .heartbeat(let stream, let consumer, _)):
            return .heartbeat(stream, consumer: consumer, deliveries: 0)
        case (.forgetsForeignIDs, .delivered(let delivery)) where delivery.stream == setup.streams[0]:
            guard
                let contents = SimulatedContents(body: delivery.body, count: delivery.body.readableBytes / 16, time: 0)
            else { return event }
            let messages = contents.messages.map { SimulatedContents.Message(number: $0.number, id: 0) }
            return .delivered(renumbered(delivery, delivery.number, body: SimulatedContents(messages, time: 0).body))
        default:
            return event
        }
    }

    private func renumbered(_ delivery: Delivery, _ number: UInt64, body: ByteBuffer) -> Delivery {
        Delivery(
            stream: delivery.stream,
            consumer: delivery.consumer,
            number: number,
            sequence: delivery.sequence,
            subject: delivery.subject,
            id: delivery.packID?.description,
            header: delivery.header,
            body: body
        )
    }
}
