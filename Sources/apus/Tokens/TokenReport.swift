import ApusAccess
import ApusProtocol

/// What is in a token, and why it would be refused.
struct TokenReport {
    /// The header and the claims as they are written, on one line.
    let header: String
    let claims: String
    /// Why the server would refuse it, as far as that can be told here; `nil` if nothing is wrong.
    let problem: String?
    /// Whether the signature is right; `nil` if no key was given.
    let isVerified: Bool?
    /// When it ends, in milliseconds since 1970.
    let expires: Int64?
    let rules: RuleList
    let rights: Rights

    /// - Throws: if the text is no token.
    init(_ text: String, claim: String, key: TokenKey?, at now: Int64) async throws {
        let token: CompactToken
        do {
            token = try CompactToken(text)
        } catch {
            throw CommandFailure(error.reason)
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(Self.line)
        header = parts[0]
        claims = parts[1]
        let read = try? TokenClaims(token.claims, rightsIn: claim)
        expires = read?.expires
        rules = read?.rules ?? .none
        rights = Rights(rules, subject: read?.subject)
        let policy = TokenPolicy(claim: claim)
        do throws(AccessError) {
            if let key {
                _ = try await TokenVerifier(keys: [key], policy: policy).verify(text, at: now)
            } else {
                try token.checkHeader()
                try policy.check(TokenClaims(token.claims, rightsIn: claim), at: now)
            }
            problem = nil
            isVerified = key == nil ? nil : true
        } catch {
            problem = error.reason
            // The claims are looked at only when the signature is right.
            let isAboutClaims = [.claims, .expired, .notYetValid].contains(error.code)
            isVerified = key == nil ? nil : isAboutClaims
        }
    }

    /// A part of a token as text. Line feeds in JSON are white space, because texts cannot have any.
    private static func line(_ part: Substring) -> String {
        let bytes = Base64URL.decode(part) ?? []
        return String(decoding: bytes.map { $0 == 10 || $0 == 13 ? 32 : $0 }, as: UTF8.self)
    }

    func text(json: Bool) -> String {
        json ? object + "\n" : lines.map { $0 + "\n" }.joined()
    }

    private var lines: [String] {
        let signature =
            isVerified.map { $0 ? "right" : "wrong, or of another key" } ?? "not checked: give --key-file and --alg"
        var lines = [
            "header     \(Terminal.printable(header))",
            "claims     \(Terminal.printable(claims))",
            "expires    \(expires.map { "\(Timestamp(milliseconds: $0))" } ?? "unknown")",
            "signature  \(signature)",
            "refused    \(problem.map { "yes: \($0)" } ?? "no")",
        ]
        lines += rules.rules.map { rule in
            let topics = rule.topics.map(Terminal.printable).joined(separator: " ")
            return
                "rule \(rule.number)     \(rule.isDeny ? "deny " : "")\(rule.actions.names.joined(separator: ",")):\(topics)"
        }
        return lines + rules.warnings.map { "warning    \($0)" }
    }

    private var object: String {
        var object = JSONObjectText()
        object.member("header", json: header)
        object.member("claims", json: claims)
        if let expires { object.member("expires", "\(Timestamp(milliseconds: expires))") }
        if let isVerified { object.member("verified", json: isVerified ? "true" : "false") }
        object.member("refused", json: problem == nil ? "false" : "true")
        if let problem { object.member("reason", problem) }
        object.member("rights", json: rules.json)
        object.member("warnings", rules.warnings)
        return object.object
    }
}

/// Whether a token allows something, and which rule says so.
struct TokenAnswer {
    let isAllowed: Bool
    /// One sentence.
    let reason: String

    init(action: Actions, pattern: TopicPattern, report: TokenReport) {
        if let problem = report.problem {
            isAllowed = false
            reason = problem
            return
        }
        let verdict = report.rights.verdict(on: action, of: pattern)
        isAllowed = verdict.isAllowed
        let exceptions = report.rights.exclusions(within: pattern).rules(for: action)
        switch verdict {
        case .granted(let rule) where !exceptions.isEmpty:
            let numbers = Set(exceptions).sorted().map(String.init).joined(separator: ", ")
            reason = "rule \(rule) allows it, apart from what rule \(numbers) denies"
        case .granted(let rule): reason = "rule \(rule) allows it"
        case .denied(let rule): reason = "rule \(rule) denies it"
        case .notGranted where pattern.isName: reason = "no rule allows it"
        case .notGranted: reason = "no single rule allows all that the pattern matches"
        }
    }

    func text(json: Bool) -> String {
        guard json else { return "\(isAllowed ? "yes" : "no"): \(reason)\n" }
        var object = JSONObjectText()
        object.member("allowed", json: isAllowed ? "true" : "false")
        object.member("reason", reason)
        return object.object + "\n"
    }
}
