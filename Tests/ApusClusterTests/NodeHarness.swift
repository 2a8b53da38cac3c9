import ApusCluster
import NIOCore

/// A node whose JetStream is the test.
struct NodeHarness {
    static let topic = "orders"
    let stream = ClusterStream(ofTopic: topic)
    let era = TopicEra(generation: 1, epoch: "e")
    var node: ClusterNode<SimulatedContents>
    var now: Int64 = 1000
    var published: [PublishRequest] = []
    var consumed: [ConsumeRequest] = []
    var others: [JetStreamAction] = []
    var events: [ClusterEvent<SimulatedContents>] = []
    /// The last sequence of each stream, and the deliveries of its consumer.
    var sequences: [ClusterStream: UInt64] = [:]
    private var deliveries: [ClusterStream: UInt64] = [:]

    /// A node that has read a registry with one topic, and nothing in that.
    init?(dedupeWindow: Int64? = nil, limits: ClusterLimits = ClusterLimits()) {
        guard let names = ClusterNames() else { return nil }
        let streams = [stream, ClusterStream.registry]
        node = ClusterNode(names: names, id: 7, limits: limits, streams: streams, now: now, lead: 0)
        receive(.connected)
        let entry = TopicEntry(era: era, boundary: 0, dedupeWindow: dedupeWindow, settings: "{}")
        deliver(
            .registry,
            names.registrySubject(ofTopic: Self.topic),
            header: entry.text,
            body: ByteBuffer(string: "{}")
        )
        for stream in streams { passBarrier(of: stream) }
        (published, consumed, events) = ([], [], [])
    }

    mutating func receive(_ event: JetStreamEvent) {
        node.receive(event, now: now)
        collect()
    }

    mutating func tick(after time: Int64) {
        now += time
        node.tick(now: now, lead: 0)
        collect()
    }

    mutating func publish(_ numbers: UInt64..., id: UInt64 = 0, ticket: Ticket) {
        let messages = numbers.map { SimulatedContents.Message(number: $0, id: id) }
        node.publish(SimulatedContents(messages, time: now), to: Self.topic, ticket: ticket)
        collect()
    }

    mutating func change(_ change: RegistryChange, ticket: Ticket) {
        node.change(Self.topic, change, ticket: ticket)
        collect()
    }

    mutating func catchUp(on name: String, ticket: Ticket) {
        node.catchUp(on: [name], ticket: ticket)
        collect()
    }

    mutating func answer(_ answer: PublishAnswer) {
        guard let request = published.last else { return }
        receive(.answered(request.number, answer))
    }

    /// The stream's consumer brings a message.
    mutating func deliver(
        _ stream: ClusterStream,
        _ subject: String,
        at sequence: UInt64? = nil,
        id: PackID = PackID(node: 1, number: .random(in: 0..<(.max))),
        header: String?,
        body: ByteBuffer = ByteBuffer()
    ) {
        sequences[stream] = sequence ?? sequences[stream, default: 0] + 1
        deliveries[stream, default: 0] += 1
        let delivery = Delivery(
            stream: stream,
            consumer: consumed.last { $0.stream == stream }?.number ?? 1,
            number: deliveries[stream, default: 0],
            sequence: sequences[stream, default: 0],
            subject: subject,
            id: id.description,
            header: header,
            body: body
        )
        receive(.delivered(delivery))
    }

    /// A pack of another node, or this node's own one.
    mutating func deliverPack(
        _ header: String,
        _ numbers: UInt64...,
        id: PackID,
        message: UInt64 = 0,
        at sequence: UInt64
    ) {
        let messages = numbers.map { SimulatedContents.Message(number: $0, id: message) }
        let subject = ClusterNames()?.subject(ofTopic: Self.topic) ?? ""
        let body = SimulatedContents(messages, time: now).body
        deliver(stream, subject, at: sequence, id: id, header: header, body: body)
    }

    /// The barrier in flight is acked, and comes up in the mirror.
    mutating func passBarrier(of stream: ClusterStream) {
        guard let request = published.last(where: { $0.stream == stream && $0.header.name == BarrierHeader.name })
        else {
            return
        }
        let sequence = sequences[stream, default: 0] + 1
        receive(.answered(request.number, .acked(sequence: sequence, isDuplicate: false)))
        deliver(stream, request.subject, id: request.id, header: request.header.value)
    }

    /// The outcomes of publishes.
    var receipts: [PackReceipt] {
        events.compactMap { if case .done(_, .success(let receipt)) = $0 { receipt } else { nil } }
    }

    var failures: [ClusterFailure] {
        events.compactMap { if case .done(_, .failure(let failure)) = $0 { failure } else { nil } }
    }

    var answers: [TopicAnswer] {
        events.compactMap { if case .answered(_, .success(let answer)) = $0 { answer } else { nil } }
    }

    private mutating func collect() {
        for action in node.takeActions() {
            switch action {
            case .publish(let request): published.append(request)
            case .consume(let request):
                consumed.append(request)
                deliveries[request.stream] = 0
            default: others.append(action)
            }
        }
        events += node.takeEvents()
    }
}
