import ApusClient
import Foundation
import NIOCore
import NIOHTTP1

/// Reads a topic in pages, with long polling: `GET /topics/{name}/messages`.
struct PollReader: EventReader {
    /// The response to a request for a page.
    struct Page: Decodable {
        struct Message: Decodable {
            struct Inner: Decodable {
                let payload: VerifyPayload
            }

            let offset: Int
            let label: MessageLabel?

            private enum CodingKeys: String, CodingKey {
                case offset
                case message
            }

            init(from decoder: any Decoder) throws {
                let members = try decoder.container(keyedBy: CodingKeys.self)
                offset = try members.decode(Int.self, forKey: .offset)
                label = (try? members.decode(Inner.self, forKey: .message))?.payload.label
            }
        }

        struct Missed: Decodable {
            let from: Int
            let to: Int
        }

        let epoch: String
        let first: Int
        let last: Int
        let next: Int
        let messages: [Message]
        let recovered: Bool?
        let missed: Missed?
    }

    private static let maxPageBytes = 64 << 20
    private static let waitSeconds = 2

    let address: ServerAddress
    let credential: Credential
    let topic: String

    func read(
        after position: LogPosition?,
        plan: SessionPlan,
        handle: ([Arrival]) async throws -> Bool
    ) async throws {
        try await StreamingHTTP.withConnection(to: address, credential: credential, plan: plan) { connection in
            var position = position
            var isFirst = true
            while true {
                try await connection.get(path(after: position, plan: plan))
                if plan.cutsAtOnce { return }
                guard let head = try await connection.head(wait: Double(Self.waitSeconds)),
                    let body = try await connection.wholeBody(limit: Self.maxPageBytes)
                else { return }
                guard head.status == .ok else {
                    _ = try await handle([.ended(code: "\(head.status.code)")])
                    return
                }
                guard let page = try? JSONDecoder().decode(Page.self, from: Data(body.readableBytesView)) else {
                    _ = try await handle([.fault("a page that is none: \(String(buffer: body).prefix(200))")])
                    return
                }
                let arrivals = Self.arrivals(page, after: position, isFirst: isFirst)
                isFirst = false
                position = LogPosition(epoch: page.epoch, offset: page.next)
                guard try await handle(arrivals) else { return }
            }
        }
    }

    func path(after position: LogPosition?, plan: SessionPlan) -> String {
        guard let position else { return "/topics/\(topic)/messages?limit=1&last_n=0" }
        // Pages of a slow reader are small.
        return "/topics/\(topic)/messages?after=\(position.offset)&epoch=\(position.epoch)"
            + "&wait=\(Self.waitSeconds)s&limit=\(plan.isSlow ? 20 : 200)"
    }

    /// The arrivals in a page that was requested after `position`.
    static func arrivals(_ page: Page, after position: LogPosition?, isFirst: Bool) -> [Arrival] {
        var arrivals: [Arrival] = []
        if position == nil || isFirst || page.recovered == false || page.epoch != position?.epoch {
            let before = page.messages.first.map { $0.offset - 1 } ?? page.next
            let start = page.recovered == false ? before : position?.offset ?? before
            let missed = page.missed.flatMap { $0.from <= $0.to ? $0.from...$0.to : nil }
            arrivals.append(
                .started(
                    .init(
                        position: LogPosition(epoch: page.epoch, offset: start),
                        recovered: position.map { _ in page.recovered ?? true },
                        missed: missed
                    )
                )
            )
        }
        arrivals += page.messages.map { .event(SeenEvent(offset: $0.offset, label: $0.label)) }
        let end = page.messages.last?.offset ?? position?.offset ?? page.next
        if page.next != end { arrivals.append(.fault("a page that ends at \(end) says next is \(page.next)")) }
        return arrivals
    }
}
