import ApusProtocol
import NIOHTTP1

/// What a request's head says about how to read the request, independent of its target (RFC 9112 sections 3 and 6, RFC
/// 9110 section 10.1.1).
struct RequestTerms: Equatable {
    enum Body: Equatable {
        case none
        case size(Int)
        /// A chunked body. Its size is known only at its end.
        case chunked
    }

    var body: Body
    /// Whether the client sends the body only after a `100 Continue`.
    var awaitsContinue: Bool
}

extension RequestTerms {
    /// Checks a head, and converts its target to the form that begins with a slash.
    ///
    /// - Throws: ``Problem`` when no handler can serve the request and input after its head cannot be parsed.
    init(_ head: inout HTTPRequestHead) throws(Problem) {
        guard head.method != .CONNECT else { throw Problem(.badRequest, "This server is no proxy") }
        try Self.readTarget(of: &head)
        let body = try Self.body(of: head)
        self.init(body: body, awaitsContinue: try Self.expectsContinue(head) && body != .none)
    }

    // MARK: Target and host

    private static let schemes: Set = ["http", "https", "ws", "wss"]

    private static func readTarget(of head: inout HTTPRequestHead) throws(Problem) {
        let hosts = head.headers["host"]
        guard hosts.count <= 1 else { throw Problem(.badRequest, "There is more than one Host field") }
        guard !hosts.isEmpty || head.version == .http1_0 else {
            throw Problem(.badRequest, "There is no Host field")
        }
        // An empty Host field counts as none. A malformed one is always an error.
        let host = hosts.first.map { $0.trimmingBlanks } ?? ""
        guard host.isEmpty || HostField.isValid(host) else {
            throw Problem(.badRequest, "The Host field names no host")
        }
        if head.uri.utf8.first == UInt8(ascii: "/") || head.uri == "*" && head.method == .OPTIONS {
            guard !host.isEmpty || hosts.isEmpty || head.uri == "*" else {
                throw Problem(.badRequest, "The Host field is empty")
            }
            return
        }
        let (authority, target) = try absolute(head.uri)
        // The Host field is ignored in this case (RFC 9112 section 3.2.2).
        head.headers.replaceOrAdd(name: "host", value: authority)
        head.uri = target
    }

    /// Splits an absolute URI. Clients send one when they take this server for a proxy.
    private static func absolute(_ uri: String) throws(Problem) -> (authority: String, target: String) {
        let parts = uri.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, schemes.contains(parts[0].lowercased()) else {
            throw Problem(.badRequest, "The request's target is neither a path nor an address")
        }
        let authority = parts[1].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard HostField.isValid(authority) else {
            throw Problem(.badRequest, "The address in the request names no host")
        }
        let target = parts[1].dropFirst(authority.count)
        return (String(authority), target.first == "/" ? String(target) : "/" + target)
    }

    // MARK: Body

    private static func body(of head: HTTPRequestHead) throws(Problem) -> Body {
        let codings = head.headers.list("transfer-encoding")
        let sizes = head.headers["content-length"]
        guard !codings.isEmpty else { return try size(sizes) }
        guard head.version != .http1_0, sizes.isEmpty else {
            throw Problem(.badRequest, "Transfer-Encoding stands beside what it excludes")
        }
        // `chunked` must come last and only once. Otherwise recipients may disagree on where the body ends (RFC 9112
        // sections 6.1 and 6.3).
        guard !codings.contains(""), !codings.dropLast().contains("chunked") else {
            throw Problem(.badRequest, "Transfer-Encoding is no list that ends with 'chunked'")
        }
        guard codings == ["chunked"] else {
            throw Problem(.notImplemented, "Of transfer codings only 'chunked' is known here")
        }
        return .chunked
    }

    private static func size(_ values: [String]) throws(Problem) -> Body {
        guard let text = values.first?.trimmingBlanks else { return .none }
        guard values.count == 1, Digits.areAll(text), let size = Int(text) else {
            throw Problem(.badRequest, "Content-Length is not one number")
        }
        return size == 0 ? .none : .size(size)
    }

    private static func expectsContinue(_ head: HTTPRequestHead) throws(Problem) -> Bool {
        let expectations = head.headers.list("expect").filter { !$0.isEmpty }
        // An HTTP/1.0 client does not wait, whatever its Expect field says.
        guard !expectations.isEmpty, head.version != .http1_0 else { return false }
        guard expectations.allSatisfy({ $0 == "100-continue" }) else {
            throw Problem(.expectationFailed, "Of expectations only '100-continue' is known here")
        }
        return true
    }
}

extension HTTPHeaders {
    /// The elements of a list field, in lower case. Several fields of one name count as one list.
    fileprivate func list(_ name: String) -> [String] {
        self[name].flatMap { value in
            value.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingBlanks.lowercased() }
        }
    }
}

extension StringProtocol {
    /// The text without surrounding spaces and tabs.
    var trimmingBlanks: SubSequence {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        guard let last = lastIndex(where: { $0 != " " && $0 != "\t" }) else { return self[start..<start] }
        return self[start...last]
    }
}
