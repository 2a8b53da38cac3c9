import ApusClient
import NIOCore
import NIOHTTP1

/// The server's own counters for every matched message, and whether they balance.
///
/// `matched + replayed = delivered + dropped + expired + conflated + own + pending`, at any quiet moment.
struct ServerBooks: Equatable {
    enum Outcome: Equatable {
        case balanced(String)
        case violated(String)
        /// No conclusion is possible, for the given reason.
        case inconclusive(String)
    }

    let values: [String: Double]

    private static let left = ["apus_messages_matched_total", "apus_messages_replayed_total"]
    private static let right = [
        "apus_messages_delivered_total", "apus_messages_dropped_total", "apus_messages_expired_total",
        "apus_messages_conflated_total", "apus_messages_own_total", "apus_messages_pending",
    ]
    private static let published = "apus_messages_published_total"
    private static let start = "process_start_time_seconds"

    /// Parses Prometheus text. Series of one name are summed.
    init(text: String) {
        values = ScrapedMetrics(text: text).samples.reduce(into: [:]) { $0[String($1.name), default: 0] += $1.value }
    }

    /// The books of several nodes as one.
    init(sum books: [ServerBooks]) {
        values = books.reduce(into: [:]) { $0.merge($1.values, uniquingKeysWith: +) }
    }

    /// The server's current counters; `nil` if it has none.
    static func read(_ client: RESTClient) async -> ServerBooks? {
        guard let answer = try? await client.send(.GET, "/metrics"), answer.status == 200 else { return nil }
        let books = ServerBooks(text: answer.body)
        return books.values[left[0]] == nil || books.values[right[0]] == nil ? nil : books
    }

    func sum(_ names: [String]) -> Int {
        names.reduce(0) { $0 + Int(values[$1] ?? 0) }
    }

    var isBalanced: Bool { sum(Self.left) == sum(Self.right) }

    var published: Int { sum([Self.published]) }

    var delivered: Int { sum([Self.right[0]]) }

    /// Whether these are of the same process as others, and later.
    func isLater(than other: ServerBooks) -> Bool {
        values[Self.start] == other.values[Self.start] && published >= other.published && delivered >= other.delivered
    }

    /// Both sides of the equation, with the numbers.
    var equation: String {
        func side(_ names: [String]) -> String {
            names.map { name in
                let word = name.dropFirst("apus_messages_".count)
                return "\(word.hasSuffix("_total") ? word.dropLast("_total".count) : word) \(sum([name]))"
            }.joined(separator: " + ")
        }
        return side(Self.left) + (isBalanced ? " = " : " ≠ ") + side(Self.right)
    }

    /// The values that are equal in two readings if nothing happened in between.
    private var moving: [Int] { (Self.left + Self.right + [Self.published]).map { sum([$0]) } }

    // MARK: Checking

    /// What the run did, according to its own counts.
    struct Share {
        let published: Int
        /// Messages sent without an answer, which may be stored or not.
        let unanswered: Int
        /// Messages received from subscriptions, not from pages.
        let delivered: Int
    }

    /// Reads the counters until they are quiet, for at most five seconds, and checks them.
    ///
    /// Without a share, only whether they balance: those of a restarted server began anew.
    static func check(_ client: RESTClient, since before: ServerBooks, share: Share?) async -> Outcome {
        let deadline = NIODeadline.now() + .seconds(5)
        var last: ServerBooks?
        var quiet = 0
        while NIODeadline.now() < deadline {
            guard let books = await read(client) else { return .inconclusive("GET /metrics answers no more") }
            quiet = books.moving == last?.moving ? quiet + 1 : 0
            if quiet > 0, books.isBalanced {
                return share.map { judge(books, since: before, share: $0) } ?? .balanced(books.equation)
            }
            last = books
            try? await Task.sleep(for: .milliseconds(200))
        }
        guard let last, quiet >= 5 else {
            return .inconclusive("other traffic: the server's counters did not stand still for a second")
        }
        return .violated("the server's books do not add up: \(last.equation)")
    }

    /// Compares balanced counters with what the run knows.
    static func judge(_ books: ServerBooks, since before: ServerBooks, share: Share) -> Outcome {
        let published = books.published - before.published
        let delivered = books.delivered - before.delivered
        if published < share.published {
            return .violated("the server counts \(published) publishes, but acked \(share.published)")
        }
        if delivered < share.delivered {
            return .violated("the server counts \(delivered) arrivals, but \(share.delivered) arrived")
        }
        if published > share.published + share.unanswered {
            return .inconclusive(
                "other traffic: \(published - share.published) publishes were not ours; the equation holds"
            )
        }
        return .balanced(books.equation)
    }
}
