import ApusBroker
import ApusProtocol
import Testing

/// A ``PubSub``, used from many tasks at once.
@Suite struct PubSubStormTests {
    @Test func `readers that come, stop and go have what 4 tasks publish, in one order`() async throws {
        let apus = PubSub()
        try apus.createTopic("t")
        var readers: [Task<[String], any Error>] = []
        for reader in 0..<10 {
            let policy = reader % 2 == 0 ? OverflowPolicy.throttle : .dropOldest
            let subscription = try await apus.subscribe("t", .init(queue: 100, overflow: policy, buffer: 4096))
            readers.append(
                Task {
                    var payloads: [String] = []
                    while let delivery = try await subscription.next() {
                        if let event = delivery.event { payloads.append(event.payload) }
                    }
                    return payloads
                }
            )
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<4 {
                group.addTask {
                    for number in 0..<250 { try await apus.publish("t", "\(publisher * 250 + number)") }
                }
            }
            group.addTask {
                for _ in 0..<50 {
                    let subscription = try await apus.subscribe("t", .init(start: .last(3)))
                    _ = try await subscription.next()
                }
            }
            try await group.waitForAll()
        }
        try apus.deleteTopic("t")
        let whole = try await readers[0].value
        #expect(Set(whole).count == 1000)
        for reader in readers {
            // Those that skip something skip it in the same order.
            var rest = whole[...]
            for payload in try await reader.value {
                rest = rest.drop { $0 != payload }
                #expect(rest.popFirst() == payload)
            }
        }
    }
}
