import ApusAccess
import ApusProtocol
import Hummingbird
import NIOCore

// Revocations: credentials that are no longer accepted although they are valid.

extension Routes {
    func listRevocations(_ request: Request, _ context: ApusRequestContext) throws -> Response {
        try requireAdmin(context)
        let query = try QueryParameters(request.uri)
        let limit = try query.integer(.listLimit, settings.limits) ?? Self.defaultPage
        let after = query["after"].map { UInt64($0) } ?? 0
        guard let after else { throw Problem(.badRequest, "'after' must be the id of a revocation") }
        let page = access.revocations(after: after, limit: limit)
        let body = JSONWriter.object { writer in
            writer.array("revocations", of: page.entries) { writer, entry in entry.write(to: &writer) }
            if let next = page.next { writer.member("next", "\(next)") }
        }
        return .json(.ok, ByteBuffer(string: body))
    }

    /// Ends the connections of the credential before it answers.
    func revoke(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        try requireAdmin(context)
        let body = try await collect(request, context, upTo: Self.maxBody)
        let (target, issuedBefore) = try Self.revocation(String(buffer: body))
        let entry: Revocation
        if let revocations {
            entry = try await revocations.revoke(target, issuedBefore: issuedBefore)
        } else {
            do throws(AccessError) {
                entry = try access.revoke(target, issuedBefore: issuedBefore)
            } catch {
                throw Problem.tooManyRevocations
            }
        }
        await contexts.forEach { $0.checkAccess() }
        return .json(.created, ByteBuffer(string: JSONWriter.object { entry.write(to: &$0) }))
    }

    func deleteRevocation(_ request: Request, _ context: ApusRequestContext) async throws -> Response {
        try refuseWhileDraining()
        try requireAdmin(context)
        _ = try await collectAsSent(request, context, upTo: Self.maxBody)
        let id = context.match?.name.flatMap { UInt64($0) }
        let entry: Revocation?
        if let id, let revocations {
            entry = try await revocations.remove(id: id)
        } else {
            entry = id.flatMap { access.removeRevocation(id: $0) }
        }
        guard let entry else { throw Problem(.notFound, "There is no revocation with this id") }
        return .json(.ok, ByteBuffer(string: JSONWriter.object { entry.write(to: &$0) }))
    }

    private func requireAdmin(_ context: ApusRequestContext) throws(Problem) {
        guard !access.isOpen else {
            throw Problem(.forbidden, "This server asks for no credentials, so there are none to revoke")
        }
        do throws(Forbidden) { try context.access.requireEverywhere(.admin) } catch { throw error.problem }
    }

    private static func revocation(_ text: String) throws(Problem) -> (Revocation.Target, issuedBefore: Int64?) {
        let expected = "one of 'jti', 'sub' and 'key', and optionally 'issued_before'"
        guard case .object(let members)? = JSONValue(text, maxDepth: 4) else {
            throw Problem(.badRequest, "The body must be a JSON object with \(expected)")
        }
        var targets: [Revocation.Target] = []
        var issuedBefore: Int64?
        for (name, value) in members {
            guard case .string(let value) = value, (1...1024).contains(value.utf8.count) else {
                throw Problem(.badRequest, "'\(name.prefix(64))' must be a string of 1 to 1024 bytes")
            }
            switch name {
            case "jti": targets.append(.tokenID(value))
            case "sub": targets.append(.subject(value))
            case "key": targets.append(.key(id: value))
            case "issued_before":
                guard let time = Timestamp.milliseconds(rfc3339: value) else {
                    throw Problem(.badRequest, "'issued_before' must be a time such as 2026-01-02T15:04:05Z")
                }
                issuedBefore = time
            default: throw Problem(.badRequest, "The body must have only \(expected)")
            }
        }
        guard targets.count == 1 else { throw Problem(.badRequest, "The body must have just \(expected)") }
        return (targets[0], issuedBefore)
    }
}

extension Problem {
    static let tooManyRevocations = unavailable("The limit of \(Revocations.maximum) revocations is reached")
}

extension Revocation {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("id", "\(id)")
        switch target {
        case .tokenID(let id): writer.member("jti", id)
        case .subject(let subject): writer.member("sub", subject)
        case .key(let id): writer.member("key", id)
        }
        writer.member("issued_before", "\(Timestamp(milliseconds: issuedBefore))")
    }
}
