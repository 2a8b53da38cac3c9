// Publish and subscribe inside one program, without a server.
import ApusBroker

struct Order: Codable {
    var number: Int
    var total: Double
}

@main
struct Embed {
    static func main() async throws {
        let apus = PubSub(.init(queue: 100))
        try apus.createTopic("orders.eu")

        let orders = try await apus.subscribe("orders.*", .init(overflow: .throttle))
        let reader = Task {
            for try await delivery in orders {
                switch delivery {
                case .event(let event):
                    let order = try event.decode(Order.self)
                    print("order \(order.number) of \(order.total), offset \(event.offset)")
                case .notice(let notice):
                    print("\(notice.topic): \(notice.kind)")
                    if notice.kind == .topicDeleted { return }
                }
            }
        }

        for number in 1...3 {
            let order = Order(number: number, total: Double(number) * 9.5)
            try await apus.publish("orders.eu", batch: [.init(encoding: order)])
        }
        try apus.deleteTopic("orders.eu")
        try await reader.value
    }
}
