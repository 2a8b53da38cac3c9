import ApusProtocol
import HTTPTypes

/// What the server has at a path: a row of the table ``all``.
///
/// The table is the only place that knows the paths. Routes are added from it. It says which requests are handshakes or
/// event streams, which need a credential, and which methods a path allows. Tests compare the OpenAPI document with it.
struct Endpoint: Sendable {
    /// What a request becomes.
    enum Kind: Sendable {
        /// An answer.
        case rest
        /// A document that never changes while the server runs.
        case document
        /// A WebSocket in the dialect of the path.
        case webSocket
        /// An event stream in the dialect of the path.
        case eventStream
        /// An event stream of the server's figures, which the router answers.
        case figures
    }

    enum Place: Sendable {
        /// Once for each dialect.
        case dialects
        /// Once.
        case server
        /// Once, and also without the base path: the machine's own probes bypass the proxy that adds it.
        case machine
    }

    /// What a client must have for an operation.
    enum Need: Sendable {
        case nothing
        /// No credential, but the answer depends on who asks.
        case identity
        /// A credential, where the server asks for one. The operation says which rights it needs.
        case credential
    }

    struct Method: Sendable {
        let name: HTTPRequest.Method
        let operation: Operation
        let needs: Need
    }

    /// The path below the base path and the dialect's prefix. A segment in braces stands for a topic, or for an
    /// id.
    let path: String
    let kind: Kind
    let place: Place
    let methods: [Method]
    /// Whether monitoring asks here all the time, so that the log is quiet about it.
    let isProbe: Bool
    /// The value of `Allow`.
    let allow: String
    private let segments: [Substring]

    init(_ path: String, _ kind: Kind = .rest, in place: Place, isProbe: Bool = false, _ methods: Method...) {
        self.path = path
        self.kind = kind
        self.place = place
        self.methods = methods
        self.isProbe = isProbe
        let names = methods.map(\.name.rawValue)
        allow = (names + (names.contains("GET") ? ["HEAD"] : [])).sorted().joined(separator: ", ")
        segments = Self.segments(of: path[...])
    }

    /// Whether a response goes on until one side ends it.
    var isStream: Bool { kind == .eventStream || kind == .figures }

    /// Whether a foreign page may not even ask, though it could not read the answer: it would have the server work.
    var isCostly: Bool { isStream || methods.contains { $0.operation == .traceMessage } }

    /// The endpoint's paths, one for each dialect it is in.
    var paths: [(path: String, dialect: Dialect)] {
        place == .dialects ? Dialect.allCases.map { ($0.pathPrefix + path, $0) } : [(path, .base)]
    }

    /// What a method needs. A method that is not allowed here needs what the others do: without a key, nobody learns
    /// more than that the path exists.
    func needs(_ method: HTTPRequest.Method) -> Need {
        let name = method == .head ? .get : method
        if let method = methods.first(where: { $0.name == name }) { return method.needs }
        return methods.allSatisfy { $0.needs == .nothing } ? .nothing : .credential
    }

    // MARK: Finding one

    /// The endpoint that a path leads to.
    struct Match: Sendable {
        let endpoint: Endpoint
        let dialect: Dialect
        /// The topic's name or the id as it appears in the path, percent-encoded; `nil` if the path has none.
        let name: Substring?
    }

    /// - Parameter path: a path below the base path.
    static func at(_ path: Substring) -> Match? {
        let dialect = path.hasPrefix(Dialect.v1.pathPrefix + "/") ? Dialect.v1 : .base
        let segments = segments(of: path.dropFirst(dialect.pathPrefix.count))
        for endpoint in all where dialect == .base || endpoint.place == .dialects {
            if let match = endpoint.match(segments, dialect) { return match }
        }
        return nil
    }

    private func match(_ given: [Substring], _ dialect: Dialect) -> Match? {
        guard given.count == segments.count else { return nil }
        var name: Substring?
        for (segment, given) in zip(segments, given) {
            if segment.hasPrefix("{"), !given.isEmpty {
                name = given
            } else if segment != given {
                return nil
            }
        }
        return Match(endpoint: self, dialect: dialect, name: name)
    }

    private static func segments(of path: Substring) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }
}

extension Endpoint.Method {
    static func get(_ operation: Operation, needs: Endpoint.Need = .credential) -> Self {
        Self(name: .get, operation: operation, needs: needs)
    }

    static func post(_ operation: Operation, needs: Endpoint.Need = .credential) -> Self {
        Self(name: .post, operation: operation, needs: needs)
    }

    static func put(_ operation: Operation, needs: Endpoint.Need = .credential) -> Self {
        Self(name: .put, operation: operation, needs: needs)
    }

    static func delete(_ operation: Operation, needs: Endpoint.Need = .credential) -> Self {
        Self(name: .delete, operation: operation, needs: needs)
    }
}

extension Dialect {
    /// What the paths of the dialect begin with.
    var pathPrefix: String { self == .v1 ? "/v1" : "" }
}
