// Apus below /live of a Hummingbird application, which publishes to the same topics.
import ApusBroker
import ApusServer
import Hummingbird
import Logging

@main
struct App {
    static func main() async throws {
        let logger = Logger(label: "app")
        let apus = try await ApusMount(at: "/live", logger: logger)
        try apus.pubSub.createTopic("orders")

        let router = Router()
        router.get("/") { _, _ in "Orders are at /live/topics/orders/events\n" }
        router.post("/orders/:number") { _, context in
            let number = try context.parameters.require("number", as: Int.self)
            let outcome = try await apus.pubSub.publish("orders", #"{"number":\#(number)}"#)
            return "order \(number) went to \(outcome.subscribers) subscribers\n"
        }

        let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 8080
        let app = Application(
            router: router,
            server: apus.server,
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            services: [apus],
            logger: logger
        )
        try await app.runService()
    }
}
