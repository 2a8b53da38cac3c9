import ApusAccess
import ApusBroker
import ApusProtocol

/// Who a client is, and what it may do.
struct ClientAccess: Equatable, Sendable {
    /// How long before the end of its credential a client is told to renew it, in milliseconds.
    static let warningTime: Int64 = 30_000

    let rights: Rights
    /// The accepted credential; `nil` for a client that came without one.
    let principal: Principal?

    /// Everybody's access to a server without keys, tokens and anonymous rights.
    static let unlimited = ClientAccess(rights: .all, principal: nil)

    init(rights: Rights, principal: Principal?) {
        self.rights = rights
        self.principal = principal
    }

    init(_ principal: Principal) {
        self.init(rights: principal.rights, principal: principal)
    }

    /// When the credential ends, in milliseconds since 1970; `nil` when it does not.
    var expires: Int64? { principal?.expires }

    /// Refuses what is not allowed on a topic, whether or not the topic exists.
    ///
    /// - Throws: ``Forbidden``.
    func require(_ actions: Actions, on topic: String) throws(Forbidden) {
        if rights.isUnlimited { return }
        let allowed = rights.actions(onTopic: topic)
        guard allowed.isSuperset(of: actions) else { throw Forbidden(actions.subtracting(allowed)) }
    }

    /// Refuses what is not allowed for the server as a whole.
    ///
    /// - Throws: ``Forbidden``.
    func requireEverywhere(_ actions: Actions) throws(Forbidden) {
        guard allowsEverywhere(actions) else { throw Forbidden(actions) }
    }

    /// Whether something is allowed for the server as a whole.
    func allowsEverywhere(_ actions: Actions) -> Bool { rights.isUnlimited || rights.allowsEverywhere(actions) }

    /// Refuses actions that the rights do not cover on a topic or on all topics of a pattern. Each action on a pattern
    /// needs one rule that covers all of it.
    ///
    /// - Throws: ``Forbidden``.
    private func require(_ actions: Actions, onTopicOrPattern topic: String) throws(Forbidden) {
        guard !rights.isUnlimited, TopicFilter.isPattern(topic) else { return try require(actions, on: topic) }
        guard let pattern = TopicPattern(topic), rights.allows(actions, pattern: pattern) else {
            throw Forbidden(actions)
        }
    }

    // MARK: Subscriptions

    /// Refuses a subscription that the rights do not cover, and leaves out of a pattern what is denied.
    ///
    /// - Throws: ``Forbidden``.
    func permit(_ request: inout SubscribeRequest) throws(Forbidden) {
        if rights.isUnlimited { return }
        var actions: Actions = .subscribe
        if request.start != .lastN(0) || request.waits { actions.formUnion(.history) }
        if request.presence { actions.formUnion(.presence) }
        try require(actions, onTopicOrPattern: request.topic)
        request.permission = permission(for: request.topic)
    }

    /// Whether the rights still cover a subscription that has begun.
    func covers(_ request: SubscribeRequest) -> Bool {
        do throws(Forbidden) {
            try require(request.presence ? [.subscribe, .presence] : .subscribe, onTopicOrPattern: request.topic)
            return true
        } catch {
            return false
        }
    }

    /// What is left of the topics of a pattern; `nil` when nothing is left out.
    func permission(for topic: String) -> SubscribeRequest.Permission? {
        guard !rights.isUnlimited, TopicFilter.isPattern(topic), let pattern = TopicPattern(topic) else { return nil }
        let exclusions = rights.exclusions(within: pattern)
        guard !exclusions.isEmpty else { return nil }
        return { name in
            let denied = exclusions.actions(deniedOn: name)
            var permission: TopicPermission = []
            if !denied.contains(.subscribe) { permission.insert(.subscribe) }
            if !denied.contains(.history) { permission.insert(.replay) }
            if !denied.contains(.presence) { permission.insert(.presence) }
            return permission
        }
    }
}

/// The client may not do something. The error does not say whether the topic exists.
struct Forbidden: Error, Equatable {
    private let names: String

    /// - Parameter missing: what the client would have to be allowed; of all actions any one.
    init(_ missing: Actions) {
        names = missing == .all ? "anything" : missing.names.map { "'\($0)'" }.joined(separator: " and ")
    }

    /// For the client.
    var message: String { "The credential does not allow \(names) here" }

    var problem: Problem { Problem(.forbidden, message) }
}
