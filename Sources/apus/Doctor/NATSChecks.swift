import ApusProtocol

/// Judges whether a node of a cluster can work with NATS servers, and how well.
struct NATSChecks {
    /// The oldest version that has what a node needs.
    static let oldestVersion = (major: 2, minor: 11)
    /// What a node's messages have beside their payload, in one pack.
    static let packRoom = 8192
    /// The largest pack that every server has to take.
    static let leastPayload = 520 << 10
    private static let streams = 9
    /// What a node may need at once: a reader for each stream, and another one while it starts again.
    private static let consumers = 2 * streams

    /// What there is to say for a program without a client of NATS.
    static let withoutClient = Finding.fail(
        .nats,
        "client",
        "this program has no client of NATS",
        why: "nothing about the NATS servers was checked, and it cannot be a node of a cluster",
        advice: "build it with --traits NATS, or use dev/serve --nats"
    )

    let facts: NATSFacts
    /// The settings of the node: those with `nats`, and `max_message`.
    let prefix: String
    let replicas: Int
    var isSynced = false
    var acceptsUnsynced = false
    let maxMessage: Int

    func findings() -> [Finding] {
        var findings = facts.addresses.map(address)
        guard facts.addresses.contains(where: { $0.failure == nil }) else { return findings }
        findings += [versions(), jetStream()].compactMap { $0 }
        findings += [permissions(), roundTrip()].compactMap { $0 }
        findings += clocks()
        findings.append(payload())
        guard facts.jetStreamFailure == nil else { return findings }
        findings += [syncing(), copies()]
        findings += account()
        return findings + streamFindings()
    }

    // MARK: The servers

    private func address(_ address: NATSFacts.Address) -> Finding {
        guard let failure = address.failure else { return .ok(.nats, "connection", address.url) }
        let (found, advice) = Self.parts(failure)
        let others = facts.addresses.contains { $0.failure == nil }
        return others
            ? .warn(
                .nats,
                "connection",
                found,
                why: "a node takes another one, but not if that goes, too",
                advice: advice
            )
            : .fail(.nats, "connection", found, why: "a node does not start without a server of NATS", advice: advice)
    }

    /// A sentence of the form `what is wrong; what to do.`
    static func parts(_ sentence: String) -> (found: String, advice: String) {
        let text = sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
        guard let middle = text.firstRange(of: "; ") else { return (text, "see what the NATS server logs") }
        return (String(text[..<middle.lowerBound]), String(text[middle.upperBound...]))
    }

    private func versions() -> Finding {
        let (major, minor) = Self.oldestVersion
        let known = facts.servers.map { "\($0.name) \($0.version)" }.joined(separator: ", ")
        let old = facts.servers.filter { !Self.isRecent($0.version) }
        guard old.isEmpty, facts.account?.level ?? 1 >= 1 else {
            let whose = old.isEmpty ? "all" : old.map(\.name).joined(separator: ", ")
            let found = old.isEmpty ? "the server that leads JetStream is too old" : known
            return .fail(
                .nats,
                "version",
                found,
                why: "older servers ignore settings that a node needs, so it does not start",
                advice: "update \(whose) to \(major).\(minor) or later"
            )
        }
        return .ok(.nats, "version", known.isEmpty ? "they do not say" : known)
    }

    static func isRecent(_ version: String) -> Bool {
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return false }
        return (numbers[0], numbers[1]) >= oldestVersion
    }

    private func jetStream() -> Finding {
        guard let failure = facts.jetStreamFailure else { return .ok(.nats, "JetStream", "answers") }
        let (found, advice) = Self.parts(failure)
        return .fail(.nats, "JetStream", found, why: "it keeps and orders all messages", advice: advice)
    }

    private func syncing() -> Finding {
        let lazy = facts.servers.filter { $0.syncsAlways == false }
        let why = "an ack says that a majority has the message on the disk; a loss of power may take it otherwise"
        if !lazy.isEmpty {
            let found = "\(lazy.map(\.name).joined(separator: ", ")): acknowledged before it is on the disk"
            let advice = "set sync_interval: always in the jetstream block of each, and start it again"
            return acceptsUnsynced
                ? .warn(.nats, "sync", found, why: why, advice: advice)
                : .fail(.nats, "sync", found, why: why, advice: advice)
        }
        let known = facts.servers.count { $0.syncsAlways == true }
        if known > 0 { return .ok(.nats, "sync", "always, at \(counted(known, "server"))") }
        if isSynced { return .ok(.nats, "sync", "always, as nats_sync_always says; this account cannot see it") }
        let found = "this account cannot see whether the servers write to the disk before they acknowledge"
        let advice = """
            export the service $SYS.REQ.SERVER.PING.VARZ from the system account to it; or look at sync_interval in the \
            servers' files, and set nats_sync_always if it is always in all
            """
        // A node does not start then, either.
        return acceptsUnsynced
            ? .warn(.nats, "sync", found, why: why, advice: advice)
            : .fail(.nats, "sync", found, why: why, advice: advice)
    }

    private func payload() -> Finding {
        let named = facts.servers.compactMap { server in server.maxPayload.map { (server.name, $0) } }
        let own = facts.maxPayload.map { [("the server of this connection", $0)] } ?? []
        guard let (name, least) = (own + named).min(by: { $0.1 < $1.1 }) else {
            return .ok(.nats, "max_payload", "the servers do not say")
        }
        let message = Figures.bytes(Double(maxMessage))
        let found = "\(Figures.bytes(Double(least))) at \(name), and max_message is \(message)"
        let wanted = max(maxMessage + Self.packRoom, Self.leastPayload)
        let advice = "set max_payload to \(wanted) or more in all NATS servers, or max_message lower in all nodes"
        if least < Self.leastPayload {
            return .fail(.nats, "max_payload", found, why: "a node does not start", advice: advice)
        }
        guard least >= wanted else {
            let why = "a message near max_message does not fit, with what goes with it, and is refused"
            return .warn(.nats, "max_payload", found, why: why, advice: advice)
        }
        return .ok(.nats, "max_payload", "\(Figures.bytes(Double(least))) at least")
    }

    private func copies() -> Finding {
        let able = facts.servers.count(where: \.hasJetStream)
        let found = "\(replicas) wanted, \(counted(able, "server")) with JetStream heard of"
        if able > 0, able < replicas {
            let why = "a stream's copies are on different servers, so the streams cannot be made"
            let advice = "run at least \(replicas) NATS servers with JetStream as one cluster, or set nats_replicas 1"
            // An ordinary account hears only of servers that it is connected to.
            let seesAll = facts.servers.contains { $0.maxPayload != nil }
            return seesAll
                ? .fail(.nats, "copies", found, why: why, advice: advice)
                : .warn(.nats, "copies", found, why: "if these are all, \(why)", advice: "name all of them; \(advice)")
        }
        guard replicas > 1 else {
            return .warn(
                .nats,
                "copies",
                found,
                why: "without that one server nothing is taken, and what is lost with its disk is lost",
                advice: "run three NATS servers as a cluster, and set nats_replicas 3"
            )
        }
        return .ok(.nats, "copies", found)
    }

    // MARK: The account

    private func account() -> [Finding] {
        guard let account = facts.account else { return [] }
        let missing = facts.streams.count { !$0.isThere }
        var findings: [Finding] = []
        func limit(_ what: String, _ used: Int, _ most: Int64, needs: Int) {
            guard most >= 0, Int64(used + needs) > most else { return }
            let found = "\(used) of \(most) \(what), and a node needs \(needs)"
            findings.append(
                .fail(
                    .nats,
                    "account",
                    found,
                    why: "a node does not start, or does not get all messages",
                    advice: "give the account of this user more \(what)"
                )
            )
        }
        limit("streams", account.streams, account.mostStreams, needs: missing)
        limit("consumers", account.consumers, account.mostConsumers, needs: Self.consumers)
        if account.needsMaxBytes, missing > 0 {
            findings.append(
                .fail(
                    .nats,
                    "account",
                    "each stream has to have max_bytes",
                    why: "a node's streams have none, since history is let go by topics, so they cannot be made",
                    advice: "allow streams without max_bytes in this account"
                )
            )
        }
        if account.mostStorage >= 0, Double(account.storage) > 0.8 * Double(account.mostStorage) {
            findings.append(
                .warn(
                    .nats,
                    "account",
                    "\(Figures.bytes(Double(account.storage))) of \(Figures.bytes(Double(account.mostStorage))) storage",
                    why: "when it is used up, publishes are refused",
                    advice: "give the account more storage, or topics less history"
                )
            )
        }
        guard findings.isEmpty else { return findings }
        let storage = account.mostStorage < 0 ? "no limit" : "of \(Figures.bytes(Double(account.mostStorage)))"
        let used = "\(counted(account.streams, "stream")), \(Figures.bytes(Double(account.storage))) (\(storage))"
        return [.ok(.nats, "account", used)]
    }

    private func permissions() -> Finding? {
        guard let permissions = facts.permissions else { return nil }
        var lacking: [String] = []
        func need(_ verb: String, _ subjects: [String], _ rights: SubjectRights?) {
            guard let rights else { return }
            lacking += subjects.filter { !rights.cover($0) }.map { "\(verb) \($0)" }
        }
        need("publish", Self.published(prefix), permissions.publish)
        need("subscribe", ["_INBOX.*.*", "_INBOX.*.reader.*", "\(prefix).peers"], permissions.subscribe)
        let who = permissions.user.isEmpty ? "this user" : permissions.user
        guard !lacking.isEmpty else { return .ok(.nats, "permissions", "\(who) may do what a node does") }
        let few = lacking.prefix(3).joined(separator: ", ")
        return .fail(
            .nats,
            "permissions",
            "\(who) may not \(few)" + (lacking.count > 3 ? " and \(lacking.count - 3) more" : ""),
            why: "a node does not start, or waits for answers that do not come",
            advice: """
                let it publish to $JS.API.>, $JS.FC.>, $SYS.REQ.> and \(prefix).>, and subscribe to _INBOX.> and \
                \(prefix).peers
                """
        )
    }

    /// What a node sends to.
    private static func published(_ prefix: String) -> [String] {
        let names = (0..<8).map { "\($0)" } + ["registry"]
        return ["$JS.API.INFO", "\(prefix).peers"]
            + names.flatMap { name in
                let stream = "\(prefix)_\(name)"
                return [
                    "\(prefix).\(name).*", "$JS.API.STREAM.INFO.\(stream)", "$JS.API.STREAM.CREATE.\(stream)",
                    "$JS.API.STREAM.PURGE.\(stream)", "$JS.API.CONSUMER.CREATE.\(stream).*", "$JS.FC.\(stream).*.*",
                    "$JS.API.DIRECT.GET.\(stream)",
                    "$JS.API.DIRECT.GET.\(stream).>",
                ]
            }
    }
}
