import ApusClient
import ArgumentParser

/// The settings of a verification.
struct VerifySettings: Sendable {
    var address: ServerAddress
    var apiKey: String?
    var seed: UInt64
    /// How long to publish, in seconds.
    var duration: Double
    var subscribers: Int
    var publishers: Int
    var topics: Int
    /// Messages per second, of all publishers together.
    var rate: Double
    /// The transports to use; `nil` for all that the server supports.
    var transports: [VerifyTransport]?
    /// The seconds after which a subscriber's socket is closed.
    var dropEvery: ClosedRange<Double>
    var allowsDrops = false
    /// How long nothing may arrive at the end, in seconds, before missing messages count as lost.
    var patience = 15.0

    /// How many messages each topic should keep: one minute of its share of the rate, between 20,000 and 100,000.
    var history: Int {
        min(100_000, max(20_000, Int(rate / Double(topics) * 60)))
    }

    func topicName(_ index: Int) -> String {
        "apus-verify-\(seed)-\(index)"
    }

    /// The server's address in one of the two dialects.
    func address(_ dialect: ServerAddress.Dialect) -> ServerAddress {
        address.speaking(dialect)
    }
}

/// How a subscriber receives its events.
enum VerifyTransport: String, CaseIterable, Sendable {
    case ws
    case v1
    case sse
    case poll
}

/// A list such as `ws,v1,sse,poll`.
struct TransportList: ExpressibleByArgument {
    let transports: [VerifyTransport]

    init?(argument: String) {
        var transports: [VerifyTransport] = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let transport = VerifyTransport(rawValue: String(word)) else { return nil }
            if !transports.contains(transport) { transports.append(transport) }
        }
        self.transports = transports
    }
}

/// A range of seconds such as `0.2..2`.
struct SecondsRange: ExpressibleByArgument {
    let range: ClosedRange<Double>

    init?(argument: String) {
        guard let dots = argument.firstRange(of: "..") else { return nil }
        guard let from = Double(argument[..<dots.lowerBound]), let to = Double(argument[dots.upperBound...]),
            from > 0, from <= to, to <= 86_400
        else { return nil }
        range = from...to
    }
}
