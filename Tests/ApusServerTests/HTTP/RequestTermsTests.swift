import ApusProtocol
import NIOHTTP1
import Testing

@testable import ApusServer

@Suite struct RequestTermsTests {
    /// What became of a head: its terms, and what it says now; or the code of its refusal.
    private enum Outcome: Equatable {
        case taken(RequestTerms, uri: String, host: [String])
        case refused(ErrorCode)
    }

    private func outcome(
        _ method: HTTPMethod = .GET,
        _ uri: String = "/topics",
        _ headers: [(String, String)] = [("Host", "a")],
        version: HTTPVersion = .http1_1
    ) -> Outcome {
        var head = HTTPRequestHead(version: version, method: method, uri: uri, headers: HTTPHeaders(headers))
        do throws(Problem) {
            let terms = try RequestTerms(&head)
            return .taken(terms, uri: head.uri, host: head.headers["host"])
        } catch {
            return .refused(error.code)
        }
    }

    private func terms(_ headers: [(String, String)], version: HTTPVersion = .http1_1) -> RequestTerms? {
        guard case .taken(let terms, _, _) = outcome(.POST, "/topics", [("Host", "a")] + headers, version: version)
        else { return nil }
        return terms
    }

    private static let bare = RequestTerms(body: .none, awaitsContinue: false)

    // MARK: Host and target

    @Test func `a request names one host`() {
        #expect(outcome() == .taken(Self.bare, uri: "/topics", host: ["a"]))
        #expect(outcome(.GET, "/", [("host", " a:80 \t")]) == .taken(Self.bare, uri: "/", host: [" a:80 \t"]))
        for hosts in [[], ["a", "a"], ["a", ""], [""], ["a b"], ["a/"], ["a,b c"]] {
            #expect(outcome(.GET, "/", hosts.map { ("Host", $0) }) == .refused(.badRequest), "\(hosts)")
        }
    }

    @Test func `only who speaks an older version may name none`() {
        #expect(outcome(.GET, "/", [], version: .http1_0) == .taken(Self.bare, uri: "/", host: []))
        #expect(outcome(.GET, "/", [("Host", "a"), ("Host", "b")], version: .http1_0) == .refused(.badRequest))
        #expect(outcome(.GET, "/", [("Host", "a b")], version: .http1_0) == .refused(.badRequest))
    }

    @Test(arguments: [
        ("http://b/ws", "/ws", "b"), ("HTTP://b:80/ws?x=1", "/ws?x=1", "b:80"), ("https://[::1]:8/", "/", "[::1]:8"),
        ("ws://b", "/", "b"), ("http://b?x", "/?x", "b"), ("wss://b//x", "//x", "b"),
        ("http://b/http://c/", "/http://c/", "b"),
    ])
    func `a whole address is read as its path, and its host goes before the field`(
        uri: String,
        path: String,
        host: String
    ) {
        for field in ["a", "", "b"] {
            #expect(outcome(.GET, uri, [("Host", field)]) == .taken(Self.bare, uri: path, host: [host]))
        }
        #expect(outcome(.GET, uri, []) == .refused(.badRequest))
        #expect(outcome(.GET, uri, [("Host", "a b")]) == .refused(.badRequest))
        #expect(outcome(.GET, uri, [], version: .http1_0) == .taken(Self.bare, uri: path, host: [host]))
    }

    @Test(arguments: [
        "http://", "http:///ws", "http://a b/", "http://user@a/ws", "ftp://a/ws", "a:80", "ws", "*", "?x", "", "://a/",
        "http:/a", "http://a:x/",
    ])
    func `a target of another form is refused`(uri: String) {
        #expect(outcome(.GET, uri) == .refused(.badRequest))
    }

    @Test func `the server as a whole may be asked for its options, and is no proxy`() {
        #expect(outcome(.OPTIONS, "*") == .taken(Self.bare, uri: "*", host: ["a"]))
        #expect(outcome(.OPTIONS, "*", [("Host", "")]) == .taken(Self.bare, uri: "*", host: [""]))
        #expect(outcome(.CONNECT, "a:80") == .refused(.badRequest))
        #expect(outcome(.CONNECT, "/ws") == .refused(.badRequest))
    }

    // MARK: Bodies

    @Test func `a body has a size or is in chunks`() {
        #expect(terms([])?.body == RequestTerms.Body.none)
        #expect(terms([("Content-Length", "0")])?.body == RequestTerms.Body.none)
        #expect(terms([("Content-Length", " 12\t")])?.body == .size(12))
        #expect(terms([("Content-Length", "9223372036854775807")])?.body == .size(.max))
        #expect(terms([("Transfer-Encoding", "chunked")])?.body == .chunked)
        #expect(terms([("transfer-encoding", " Chunked ")])?.body == .chunked)
    }

    @Test(arguments: [
        [("Content-Length", "-1")], [("Content-Length", "+1")], [("Content-Length", "1x")], [("Content-Length", "")],
        [("Content-Length", "9223372036854775808")], [("Content-Length", "1, 1")], [("Content-Length", "0x1")],
        [("Content-Length", "1"), ("Content-Length", "1")], [("Content-Length", "1"), ("Content-Length", "2")],
        [("Content-Length", "1"), ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "")],
        [("Transfer-Encoding", "chunked, chunked")], [("Transfer-Encoding", "chunked,")],
        [("Transfer-Encoding", "chunked, gzip")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
    ])
    func `framing that can be read in two ways is refused`(headers: [(String, String)]) {
        #expect(outcome(.POST, "/topics", [("Host", "a")] + headers) == .refused(.badRequest))
    }

    @Test(arguments: ["foo", "gzip", "gzip, chunked", "identity", "chunked;q=1", "chunkedx"])
    func `another transfer coding is not implemented`(coding: String) {
        #expect(outcome(.POST, "/", [("Host", "a"), ("Transfer-Encoding", coding)]) == .refused(.notImplemented))
    }

    @Test func `an older version knows no chunks`() {
        #expect(terms([("Transfer-Encoding", "chunked")], version: .http1_0) == nil)
        #expect(terms([("Content-Length", "1")], version: .http1_0)?.body == .size(1))
    }

    // MARK: Expectations

    @Test func `a client may wait until it is told to go on`() {
        for value in ["100-continue", "100-Continue", " 100-continue , 100-continue", ",100-continue"] {
            #expect(terms([("Expect", value), ("Content-Length", "1")])?.awaitsContinue == true, "\(value)")
        }
        #expect(terms([("Expect", "100-continue"), ("Transfer-Encoding", "chunked")])?.awaitsContinue == true)
    }

    @Test func `without a body, or in an older version, nobody waits`() {
        #expect(terms([("Expect", "100-continue")])?.awaitsContinue == false)
        #expect(terms([("Expect", "")])?.awaitsContinue == false)
        #expect(terms([("Expect", "100-continue"), ("Content-Length", "0")])?.awaitsContinue == false)
        for value in ["100-continue", "foo"] {
            #expect(terms([("Expect", value), ("Content-Length", "1")], version: .http1_0)?.awaitsContinue == false)
        }
    }

    @Test(arguments: ["foo", "100-continue, foo", "100", "100-continue=1", "200-ok"])
    func `another expectation can not be met`(value: String) {
        #expect(outcome(.POST, "/", [("Host", "a"), ("Expect", value)]) == .refused(.expectationFailed))
    }
}
