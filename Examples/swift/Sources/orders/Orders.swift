import ApusClient
import Foundation

/// Publishes three orders and prints what a subscriber sees of them.
///
///     swift run --package-path Examples/swift orders http://localhost:8080
@main
struct Orders {
    static let topic = "orders"

    static func main() async throws {
        let address = try ServerAddress(CommandLine.arguments.dropFirst().first ?? "http://localhost:8080")
        let apiKey = ProcessInfo.processInfo.environment["APUS_API_KEY"]

        let topics = RESTClient(address: address, apiKey: apiKey)
        if try await !topics.topics().contains(where: { $0.name == topic }) {
            try await topics.createTopic(topic)
        }

        let connection = try await WebSocketConnection.connect(to: address, configuration: .init(apiKey: apiKey))
        try await connection.send(text: ClientCommand.subscribe(topic: topic, clientID: "example").text())
        for number in 1...3 {
            let payload = JSONText(unchecked: #"{"order":"ORD-\#(number)","amount":\#(number).50}"#)
            let publish = ClientCommand.publish(topic: topic, id: UUID().uuidString, payload: payload)
            try await connection.send(text: publish.text(requestID: "publish-\(number)"))
        }

        var events = 0
        for try await message in connection.messages {
            switch message {
            case .text(let text):
                let message = try ServerMessage(text)
                show(message)
                if case .event = message { events += 1 }
                if case .error = message { events = 3 }
                if events == 3 { await connection.close() }
            case .close(let close):
                print("closed: \(close.code) \(close.reason)")
            case .binary, .ping, .pong:
                break
            }
        }
    }

    static func show(_ message: ServerMessage) {
        switch message {
        case .event(let event):
            // The payload is the text that was published; `decode` makes a value of it.
            print("\(event.time) \(event.topic) \(event.payload)")
        case .ack(let requestID, _, _):
            print("acked: \(requestID ?? "subscribe")")
        case .error(let error):
            print("refused: \(error.code), \(error.message)")
        case .info(let info):
            print("info: \(info.message)")
        case .pong, .unknown:
            break
        }
    }
}
