import ApusAccess
import ApusProtocol
import ArgumentParser
import Foundation

/// `apus token`: makes tokens, shows what is in them, and answers what they allow.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make tokens (JWT), and see what they allow.",
        discussion: """
            Examples:
              apus token mint --key-file secret.txt --alg HS256 --sub ann --allow 'subscribe:user.{sub}.>' > token
              apus token inspect --token-file token
              apus token can subscribe user.ann.inbox --token-file token
            """,
        subcommands: [Mint.self, Inspect.self, Can.self]
    )

    struct Mint: OfflineCommand {
        static let title = "apus token mint"
        static let configuration = CommandConfiguration(
            commandName: "mint",
            abstract: "Make a token and print it.",
            discussion: """
                Examples:
                  apus token mint --key-file private.pem --alg ES256 --sub ann --allow 'subscribe,history:orders.>'
                  apus token mint --key-file secret.txt --alg HS256 --expires 5m --allow 'publish:orders.eu'
                """
        )

        @OptionGroup(title: "Key") var key: TokenKeyOptions
        @OptionGroup(title: "Rights") var rights: RightsOptions

        @Option(help: ArgumentHelp("Whose token it is: {sub} in the rights.", valueName: "name"))
        var sub: String?

        @Option(help: ArgumentHelp("The token's id, for revoking it. (default: a random one)", valueName: "id"))
        var jti: String?

        @Option(help: ArgumentHelp("When it ends: 5m, 12h, or 2027-01-31T00:00:00Z.", valueName: "time"))
        var expires = ExpiryArgument.after(3_600_000)

        @Option(help: ArgumentHelp("Who made it (iss).", valueName: "name"))
        var issuer: String?

        @Option(help: ArgumentHelp("Whom it is for (aud; may be repeated).", valueName: "name"))
        var audience: [String] = []

        @Option(help: ArgumentHelp("The claim with the rights.", valueName: "name"))
        var claim = TokenPolicy().claim

        @Flag(help: "Print JSON: an object with `token`, `jti` and `expires`.")
        var json = false

        func output(at now: Int64) async throws -> String {
            guard let key = try await key.key() else {
                throw CommandFailure("give the key with --key-file and --alg", exitCode: .usage)
            }
            let registered = ["sub", "jti", "iss", "aud", "iat", "exp", "nbf"]
            guard !registered.contains(claim) else {
                throw CommandFailure("--claim is one that means something else: \(claim)", exitCode: .usage)
            }
            let end = expires.moment(from: now)
            let id = jti ?? UUID().uuidString.lowercased()
            var claims = JSONObjectText()
            if let sub { claims.member("sub", sub) }
            claims.member("jti", id)
            if let issuer { claims.member("iss", issuer) }
            switch audience.count {
            case 0: break
            case 1: claims.member("aud", audience[0])
            default: claims.member("aud", audience)
            }
            claims.member("iat", json: "\(now / 1000)")
            claims.member("exp", json: "\(end / 1000)")
            claims.member(claim, json: try rights.rules().json)
            do {
                let token = try key.sign(claims: claims.object)
                // What the server would refuse is not handed out.
                try TokenPolicy(claim: claim, leeway: 0).check(
                    TokenClaims(CompactToken(token).claims, rightsIn: claim),
                    at: now
                )
                guard json else { return token + "\n" }
                var object = JSONObjectText()
                object.member("token", token)
                object.member("jti", id)
                object.member("expires", "\(Timestamp(milliseconds: end / 1000 * 1000))")
                return object.object + "\n"
            } catch {
                throw CommandFailure(error.reason, exitCode: .usage)
            }
        }
    }

    struct Inspect: OfflineCommand {
        static let title = "apus token inspect"
        static let configuration = CommandConfiguration(
            commandName: "inspect",
            abstract: "Show what is in a token; exit code 1 when it would be refused.",
            discussion: "With --key-file and --alg it also checks the signature."
        )

        @OptionGroup var source: TokenSource
        @OptionGroup(title: "Key") var key: TokenKeyOptions

        @Flag(help: "Print JSON.")
        var json = false

        func output(at now: Int64) async throws -> String {
            try await report(at: now).text(json: json)
        }

        func report(at now: Int64) async throws -> TokenReport {
            try await TokenReport(source.text(), claim: source.claim, key: key.key(), at: now)
        }

        func execute() async throws {
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            let report = try await report(at: now)
            try await StandardOutput.write(report.text(json: json))
            if report.problem != nil { throw CommandFailure("") }
        }
    }

    struct Can: OfflineCommand {
        static let title = "apus token can"
        static let configuration = CommandConfiguration(
            commandName: "can",
            abstract: "Tell whether a token allows an action on a topic or pattern; exit code 0 for yes, 1 for no.",
            discussion: """
                Says which rule decides. Without --key-file and --alg the signature is not checked.

                Examples:
                  apus token can publish orders.eu --token-file token
                  apus token can subscribe 'orders.>' < token
                """
        )

        @Argument(help: "The action: \(Actions.named.map(\.name).joined(separator: ", ")).")
        var action: String

        @Argument(help: "The topic or pattern.")
        var topic: String

        @OptionGroup var source: TokenSource
        @OptionGroup(title: "Key") var key: TokenKeyOptions

        @Flag(help: "Print JSON.")
        var json = false

        func output(at now: Int64) async throws -> String {
            try await answer(at: now).text(json: json)
        }

        func answer(at now: Int64) async throws -> TokenAnswer {
            guard let action = Actions.named.first(where: { $0.name == action })?.action else {
                throw CommandFailure("there is no action '\(Terminal.printable(action))'", exitCode: .usage)
            }
            guard let pattern = TopicPattern(topic) else {
                throw CommandFailure("'\(Terminal.printable(topic))' is no topic or pattern", exitCode: .usage)
            }
            let report = try await TokenReport(source.text(), claim: source.claim, key: key.key(), at: now)
            return TokenAnswer(action: action, pattern: pattern, report: report)
        }

        func execute() async throws {
            let answer = try await answer(at: Int64(Date().timeIntervalSince1970 * 1000))
            try await StandardOutput.write(answer.text(json: json))
            if !answer.isAllowed { throw CommandFailure("") }
        }
    }
}
