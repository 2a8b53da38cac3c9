import ApusAccess
import ApusProtocol
import ArgumentParser

/// `apus keys`: makes, lists and revokes the API keys in a file.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make, list and revoke API keys in a file.",
        discussion: """
            The file has a digest of each key, never the key itself.

            Examples:
              apus keys create shop --file keys.yaml --allow 'publish:orders.>'
              apus keys list --file keys.yaml
              apus keys revoke shop --file keys.yaml
            """,
        subcommands: [Create.self, List.self, Revoke.self]
    )

    struct FileOption: ParsableArguments {
        @Option(name: .customLong("file"), help: ArgumentHelp("The file of keys, YAML or JSON.", valueName: "path"))
        var path: String
    }

    struct Create: OfflineCommand {
        static let title = "apus keys create"
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Make a key, add it to the file, and print it: only this once.",
            discussion: """
                The file is made if it does not exist. Only its owner can then read it.

                Examples:
                  apus keys create shop --file keys.yaml --allow 'publish:orders.>' --label 'the web shop'
                  apus keys create office --file keys.yaml --allow 'subscribe,history:orders.>' \\
                    --deny '*:orders.internal.>' --expires 90d
                """
        )

        @Argument(help: "The key's id, which is no secret: a-z, 0-9 and -, at most 40.")
        var id: String

        @OptionGroup var file: FileOption
        @OptionGroup(title: "Rights") var rights: RightsOptions

        @Option(help: "A text for people, such as who has the key.")
        var label: String?

        @Option(help: ArgumentHelp("When it ends: 90d, 12h, or 2027-01-31T00:00:00Z.", valueName: "time"))
        var expires: ExpiryArgument?

        @Flag(help: "Print JSON.")
        var json = false

        func output(at now: Int64) async throws -> String {
            guard KeyForm.isID(id) else {
                throw CommandFailure("an id has 1 to 40 of a-z, 0-9 and -, and starts with no -", exitCode: .usage)
            }
            guard (label ?? "").utf8.count <= APIKey.maximumLabelSize else {
                throw CommandFailure("a label has at most \(APIKey.maximumLabelSize) bytes", exitCode: .usage)
            }
            let rules = try rights.rules()
            guard !rules.rules.isEmpty else {
                throw CommandFailure("the key may do nothing; give --allow '*:>' for everything", exitCode: .usage)
            }
            let end = expires?.moment(from: now)
            guard end.map({ $0 > now }) ?? true else {
                throw CommandFailure("the key has expired already", exitCode: .usage)
            }
            var generator = SystemRandomNumberGenerator()
            let text = KeyForm.make(id: id, using: &generator)
            let key = APIKey(id: id, digest: KeyDigest(of: text), rules: rules, label: label, expires: end)
            try await naming(file.path) {
                try KeysFileStore(path: file.path).update(mayCreate: true) { keys throws(AccessError) in
                    try keys.add(key)
                }
            }
            guard json else { return text + "\n" }
            var object = JSONObjectText()
            object.member("id", id)
            object.member("key", text)
            object.member("key_sha256", key.digest.hex)
            if let end { object.member("expires", "\(Timestamp(milliseconds: end))") }
            return object.object + "\n"
        }
    }

    struct List: OfflineCommand {
        static let title = "apus keys list"
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the keys in the file, without their secrets."
        )

        @OptionGroup var file: FileOption

        @Flag(help: "Print JSON.")
        var json = false

        func output(at now: Int64) async throws -> String {
            let keys = try await naming(file.path) { try KeyRing(KeysFile(path: file.path).keys) }
            for warning in keys.warnings { Self.say("warning: \(warning)") }
            if json { return KeysTable.json(keys.keys, at: now) + "\n" }
            guard !keys.keys.isEmpty else {
                Self.say("no keys")
                return ""
            }
            return KeysTable.lines(keys.keys, at: now).map { $0 + "\n" }.joined()
        }
    }

    struct Revoke: OfflineCommand {
        static let title = "apus keys revoke"
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Take keys out of the file."
        )

        @Argument(help: "The ids of the keys.")
        var ids: [String]

        @OptionGroup var file: FileOption

        @Flag(help: "Print a JSON object for each key.")
        var json = false

        func output(at now: Int64) async throws -> String {
            try await naming(file.path) {
                try KeysFileStore(path: file.path).update(mayCreate: false) { keys throws(AccessError) in
                    // All or none: an id that is mistyped must not go unnoticed.
                    for id in ids where try !keys.remove(id: id) {
                        throw AccessError(
                            .unknownKey,
                            "there is no key '\(Terminal.printable(id))'; nothing was revoked"
                        )
                    }
                }
            }
            return ids.map { id in
                guard json else { return "revoked \(id)\n" }
                var object = JSONObjectText()
                object.member("status", "revoked")
                object.member("id", id)
                return object.object + "\n"
            }.joined()
        }
    }
}
