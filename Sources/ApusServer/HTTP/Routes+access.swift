import ApusAccess
import ApusProtocol
import Hummingbird
import NIOCore

// What credentials may do, for people who wonder why something is refused. No secret is logged or sent back.

extension Routes {
    /// What the client itself may do.
    func getAccess(_ context: ApusRequestContext) -> Response {
        let client = context.access
        let body = JSONWriter.object { writer in
            writer.write(client)
            writer.writeRights(client.rights)
            let warnings = client.principal?.warnings ?? []
            if !warnings.isEmpty { writer.member("warnings", json: jsonList(warnings)) }
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    /// Whether a credential is accepted, and whether it allows something. About the client's own one anybody may ask.
    func checkAccess(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        let body = try await collect(request, context, upTo: Self.maxBody)
        let question = try AccessQuestion(String(buffer: body))
        guard let credentials = question.credentials else {
            return Self.answer(question, .admitted(context.access), isOpen: access.isOpen)
        }
        try requireEverywhere(.admin, context)
        return Self.answer(question, await access.admit(credentials), isOpen: access.isOpen)
    }

    private static func answer(
        _ question: AccessQuestion,
        _ admission: AccessControl.Admission,
        isOpen: Bool
    ) -> Response {
        let body = JSONWriter.object { writer in
            guard let client = admission.access else {
                writer.member("valid", false)
                writer.member("because", admission.clause(at: ServerClock.now.wall))
                return
            }
            writer.member("valid", true)
            writer.write(client)
            guard let (action, name, pattern) = question.wanted else { return writer.writeRights(client.rights) }
            var (isAllowed, because) = client.rights.explain(action, called: name, on: pattern)
            if isOpen { because = "the server asks for no credentials, so everybody may do everything" }
            writer.member("allowed", isAllowed)
            writer.member("because", because)
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    /// The keys that the server accepts, without anything of the keys themselves.
    func listKeys(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        try requireEverywhere(.admin, context)
        let query = try QueryParameters(request.uri)
        let limit = try query.integer(.listLimit, settings.limits) ?? Self.defaultPage
        let keys = access.policy.keys.keys
        var rest = keys[...]
        if let after = query["after"] {
            guard let index = keys.firstIndex(where: { $0.id == after }) else {
                throw Problem(.notFound, "There is no key with the id that 'after' names")
            }
            rest = keys[(index + 1)...]
        }
        let page = Array(rest.prefix(limit))
        let now = ServerClock.now.wall
        let body = JSONWriter.object { writer in
            writer.array("keys", of: page) { writer, key in
                writer.member("id", key.id)
                if let label = key.label { writer.member("label", label) }
                if let expires = key.expires { writer.member("expires", "\(Timestamp(milliseconds: expires))") }
                writer.member("expired", key.isExpired(at: now))
                writer.member("revoked", access.isRevoked(Principal(key)))
                writer.array("rules", of: key.rules.rules) { writer, rule in
                    writer.writeRule(rule.number, isDeny: rule.isDeny, rule.actions, rule.topics)
                }
                if !key.rules.warnings.isEmpty { writer.member("warnings", json: jsonList(key.rules.warnings)) }
            }
            if rest.count > page.count, let last = page.last { writer.member("next", last.id) }
        }
        return .json(.ok, ByteBuffer(string: body))
    }
}

/// What a client asks about a credential: the body of `POST /access/check`.
struct AccessQuestion {
    /// `nil` for the client's own.
    let credentials: Credentials?
    /// An action with its name, and what it is about; `nil` for everything that the credential allows.
    let wanted: (action: Actions, name: String, pattern: TopicPattern)?

    /// The names of single actions.
    static let actions = Actions.named.map(\.name)

    init(_ text: String) throws(Problem) {
        guard case .object(let members)? = JSONValue(text.isEmpty ? "{}" : text, maxDepth: 4) else {
            throw Problem(.badRequest, "The body must be a JSON object")
        }
        var texts: [String: String] = [:]
        for (name, value) in members {
            guard ["token", "api_key", "action", "topic"].contains(name) else {
                throw Problem(.badRequest, "The body may have only 'token' or 'api_key', 'action' and 'topic'")
            }
            guard case .string(let text) = value, texts.updateValue(text, forKey: name) == nil else {
                throw Problem(.badRequest, "'\(name)' must be a string, and given once")
            }
        }
        guard texts["token"] == nil || texts["api_key"] == nil else {
            throw Problem(.badRequest, "'token' and 'api_key' exclude each other")
        }
        let isOwn = texts["token"] == nil && texts["api_key"] == nil
        credentials = isOwn ? nil : Credentials(key: texts["api_key"], token: texts["token"])
        guard let name = texts["action"] else {
            guard texts["topic"] == nil else { throw Problem(.badRequest, "'topic' needs 'action'") }
            wanted = nil
            return
        }
        guard Self.actions.contains(name), let action = Actions(name: name) else {
            throw Problem(.badRequest, "'action' must be one of \(Self.actions.joined(separator: ", "))")
        }
        guard let pattern = TopicPattern(texts["topic"] ?? TopicPattern.everything.text) else {
            throw Problem(.badRequest, "'topic' is neither an allowed name nor a pattern")
        }
        wanted = (action, name, pattern)
    }
}

extension AccessControl.Admission {
    /// Why a client is not admitted: a clause without a full stop.
    ///
    /// - Parameter now: in milliseconds since 1970.
    func clause(at now: Int64) -> String {
        guard case .refused(let error) = self else { return "a valid API key or token is required" }
        guard let expired = error.expired else { return error.reason }
        let age = ElapsedTime.text(now - expired)
        return error.reason.replacing("has expired", with: "expired \(age) ago")
    }
}

/// Elapsed times for people: roughly.
enum ElapsedTime {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000),
    ]

    /// - Parameter milliseconds: less than 0 counts as 0.
    static func text(_ milliseconds: Int64) -> String {
        let unit = units.first { milliseconds >= $0.milliseconds } ?? ("s", 1000)
        return "\(max(milliseconds, 0) / unit.milliseconds) \(unit.name)"
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ client: ClientAccess) {
        switch client.principal?.source {
        case nil: member("kind", "anonymous")
        case .key?: member("kind", "key")
        case .token?: member("kind", "token")
        }
        if let id = client.principal?.id { member("id", id) }
        if let id = client.principal?.tokenID { member("token_id", id) }
        if let expires = client.expires { member("expires", "\(Timestamp(milliseconds: expires))") }
    }

    fileprivate mutating func writeRights(_ rights: Rights) {
        array("rules", of: rights.lines) { writer, line in
            writer.writeRule(line.rule, isDeny: line.isDeny, line.actions, line.topics)
        }
        object("server") { writer in
            writer.member("stats", rights.allowsEverywhere(.stats))
            writer.member("admin", rights.allowsEverywhere(.admin))
        }
    }

    fileprivate mutating func writeRule(_ number: Int, isDeny: Bool, _ actions: Actions, _ topics: [String]) {
        member("rule", number)
        if isDeny { member("deny", true) }
        member("actions", json: jsonList(actions.names))
        member("topics", json: jsonList(topics))
    }
}
