/// What is known about the NATS servers of a cluster, in types of its own: a program without a client of NATS can judge
/// it, too.
struct NATSFacts: Equatable {
    /// A server of `--nats`, by itself.
    struct Address: Equatable {
        let url: String
        /// Why it takes no connection, as a sentence that says what to do.
        var failure: String?
    }

    struct Server: Equatable {
        let name: String
        var version: String
        var hasJetStream = true
        /// Whether it writes to its disk before it acknowledges; `nil` if it does not say.
        var syncsAlways: Bool?
        var maxPayload: Int?
        /// How far its clock is ahead of this machine's, in seconds.
        var clockAhead: Double?
    }

    struct Account: Equatable {
        var streams = 0
        var mostStreams: Int64 = -1
        var storage: UInt64 = 0
        var mostStorage: Int64 = -1
        var consumers = 0
        var mostConsumers: Int64 = -1
        var needsMaxBytes = false
        /// What the server that leads JetStream knows; 2.11 began with 1.
        var level = 1
    }

    struct Copy: Equatable {
        let server: String
        var isOffline = false
        var isCurrent = true
        var lag: UInt64 = 0
    }

    struct Stream: Equatable {
        let name: String
        var isThere = true
        /// Why it could not be asked for.
        var failure: String?
        var difference: String?
        /// `nil` if nobody leads it, or the server is alone.
        var leader: String?
        var isClustered = true
        var copies: [Copy] = []
    }

    struct Permissions: Equatable {
        var user = ""
        /// `nil`: all subjects.
        var publish: SubjectRights?
        var subscribe: SubjectRights?
    }

    var addresses: [Address] = []
    /// Those that were heard of; a cluster's other servers, too.
    var servers: [Server] = []
    /// The most bytes of a message at the server of the connection.
    var maxPayload: Int?
    /// Why JetStream cannot be used.
    var jetStreamFailure: String?
    var account: Account?
    var streams: [Stream] = []
    var permissions: Permissions?
    var roundTrips: [Duration] = []
}

/// What a user of NATS may do with subjects.
struct SubjectRights: Equatable {
    var allow: [String] = []
    var deny: [String] = []

    /// Whether all subjects of a pattern are allowed.
    func cover(_ wanted: String) -> Bool {
        let isAllowed = allow.isEmpty || allow.contains { Self.covers($0, wanted) }
        return isAllowed && !deny.contains { Self.meets($0, wanted) }
    }

    /// Whether a pattern has all the subjects of another one.
    static func covers(_ pattern: String, _ wanted: String) -> Bool {
        let (pattern, wanted) = (pattern.split(separator: "."), wanted.split(separator: "."))
        for (index, part) in pattern.enumerated() {
            if part == ">" { return wanted.count > index }
            guard index < wanted.count, wanted[index] != ">" else { return false }
            guard part == "*" || part == wanted[index] else { return false }
        }
        return pattern.count == wanted.count
    }

    /// Whether two patterns have a subject in common.
    static func meets(_ one: String, _ other: String) -> Bool {
        let (one, other) = (one.split(separator: "."), other.split(separator: "."))
        for (left, right) in zip(one, other) {
            if left == ">" || right == ">" { return true }
            guard left == "*" || right == "*" || left == right else { return false }
        }
        return one.count == other.count
    }
}
