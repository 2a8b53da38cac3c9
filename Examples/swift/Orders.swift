import ApusClient
import Foundation

/// Publishes three orders and prints what a subscriber sees of them.
///
///     swift run example-orders http://localhost:8080
@main
struct Orders {
    static let topic = "orders"

    struct Order: Codable {
        let order: String
        let amount: Double
    }

    static func main() async throws {
        let address = try ServerAddress(CommandLine.arguments.dropFirst().first ?? "http://localhost:8080")
        let apiKey = ProcessInfo.processInfo.environment["APUS_API_KEY"]

        let topics = RESTClient(address: address, apiKey: apiKey)
        if try await !topics.topics().contains(where: { $0.name == topic }) {
            try await topics.createTopic(topic)
        }

        try await ApusClient.withConnection(to: address, options: .init(apiKey: apiKey)) { client in
            let subscription = try await client.subscribe(topic)
            for number in 1...3 {
                let order = Order(order: "ORD-\(number)", amount: Double(number) + 0.5)
                let outcome = try await client.publish(topic, JSONText(encoding: order), key: order.order)
                print("published: \(outcome.position.map { "\($0)" } ?? outcome.id)")
            }
            // Notices tell of what the server dropped and of what a lost connection cost.
            var events = subscription.events { print("notice: \($0.kind)") }.makeAsyncIterator()
            for _ in 1...3 {
                guard let event = try await events.next() else { break }
                print("\(event.time) \(event.topic) \(try event.payload.decode(Order.self))")
            }
        }
    }
}
