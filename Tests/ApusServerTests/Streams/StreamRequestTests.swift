import ApusBroker
import ApusProtocol
import Testing

@testable import ApusServer

/// Requests for event streams, from their URLs and the position that a browser comes back with.
@Suite struct StreamRequestTests {
    /// `t,u from START` with ` waits`, or the text of the refusal.
    private func outcome(_ path: Substring, _ query: String = "", lastEventID: String? = nil) -> String {
        guard let match = Endpoint.at(path), match.endpoint.kind == .eventStream else { return "another path" }
        do throws(Problem) {
            let request = try StreamRequest(match, query: query, lastEventID: lastEventID, settings: .init())
            let topics = request.subscriptions.map(\.topic).joined(separator: ",")
            guard let first = request.subscriptions.first else { return "nothing" }
            let end = (first.waits ? " waits" : "") + (request.isPositioned ? "" : " without positions")
            return "\(topics) from \(text(first.start))\(end)"
        } catch {
            return error.detail
        }
    }

    private func text(_ start: ReplayStart) -> String {
        switch start {
        case .lastN(let count): "last \(count)"
        case .position(let epoch, let offset): "\(epoch):\(offset)"
        default: "\(start)"
        }
    }

    @Test func `a path names one topic, or the query some`() {
        for prefix in ["", "/v1"] {
            #expect(outcome("\(prefix)/topics/a%20b/events") == "a b from last 0")
            #expect(outcome("\(prefix)/events", "topic=t&topic=u") == "t,u from last 0 without positions")
        }
        #expect(outcome("/events", "topic=a.*") == "a.* from last 0 without positions")
        for path in ["/topics/t", "/topics//events", "/topics/t/events/", "/v2/events", "/event", "events"] {
            #expect(outcome(Substring(path)) == "another path", "\(path)")
        }
    }

    @Test func `the position of a browser that comes back goes before the page's, and it waits for the topic`() {
        let path: Substring = "/topics/t/events"
        #expect(outcome(path, "last_event_id=e:1") == "t from e:1 waits")
        #expect(outcome(path, "last_event_id=e:1", lastEventID: "e:2") == "t from e:2 waits")
        #expect(outcome(path, "since=all", lastEventID: "e:2") == "t from e:2 waits")
        #expect(outcome(path, "wait=false", lastEventID: "e:2") == "t from e:2")
        #expect(outcome(path, "last_n=5", lastEventID: "") == "t from last 5")
    }

    @Test func `what is refused is named`() {
        let path: Substring = "/topics/t/events"
        let most = Field.topics.range(ServerConfiguration().limits).upperBound
        let tooMany = Array(repeating: "topic=t", count: most + 1).joined(separator: "&")
        for (path, query, lastEventID, refusal) in [
            (path, "", "e", "'Last-Event-ID' must be a position: EPOCH:OFFSET"),
            (path, "last_event_id=e", "e:1", "'last_event_id' must be a position: EPOCH:OFFSET"),
            (path, "overflow=x", nil, "'overflow' must be one of"), (path, "queue=0", nil, "'queue' must be"),
            (path, "client_id=", nil, "'client_id' must be 1 to 1024 bytes"),
            ("/topics/%ff/events", "", nil, "The topic name in the path is not percent-encoded UTF-8"),
            ("/events", "", nil, "'topic' is required"), ("/events", tooMany, nil, "'topic' is required"),
            ("/events", "topic=t&topic=", nil, "'topic' must not be empty"),
            ("/events", "topic=t&topic=u", "e:1", "'Last-Event-ID' needs one topic"),
            ("/events", "topic=a.*&wait=true", nil, "'wait' needs a topic"),
            ("/events", "topic=a.*", "e:1", "'Last-Event-ID' needs one topic"),
            ("/events", "topic=a.*&since=all", nil, "'since' needs a topic"),
        ] as [(Substring, String, String?, String)] {
            let outcome = outcome(path, query, lastEventID: lastEventID)
            #expect(outcome.hasPrefix(refusal), "\(path)?\(query)")
        }
    }
}
