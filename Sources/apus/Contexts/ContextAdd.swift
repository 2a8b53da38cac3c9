import ApusClient
import ApusProtocol
import ArgumentParser
import Foundation
import NIOCore

extension ContextCommand {
    struct Add: ServerCommand {
        static let title = "apus context add"
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Keep a server under a name.",
            discussion: """
                Examples:
                  apus context add prod --url https://apus.example.org --api-key-file ~/.apus-key
                  apus context add here --url unix:/run/apus.sock --use
                  pass show apus | apus context add prod --url https://apus.example.org --api-key-stdin
                """
        )

        @Argument(help: "The context's name.")
        var name: String

        @Option(help: ArgumentHelp("The server.", valueName: "url"))
        var url: String

        @Option(help: ArgumentHelp("A file with the API key. It is read for each command.", valueName: "path"))
        var apiKeyFile: String?

        @Option(help: ArgumentHelp("A file with a token (JWT), which may be replaced at any time.", valueName: "path"))
        var tokenFile: String?

        @Flag(help: "Read an API key from standard input, and keep the key itself in the file of contexts.")
        var apiKeyStdin = false

        @Option(help: ArgumentHelp("A PEM file with the authorities that may vouch for the server.", valueName: "path"))
        var ca: String?

        @Option(help: ArgumentHelp("A PEM file with a certificate of this client.", valueName: "path"))
        var cert: String?

        @Option(help: ArgumentHelp("A PEM file with its private key.", valueName: "path"))
        var certKey: String?

        @Flag(help: "Use it from now on, where a command names no server.")
        var use = false

        @Flag(help: "Replace a context of that name.")
        var replace = false

        @Flag(help: "Print JSON.")
        var json = false

        func validate() throws {
            if let fault = StoredContext.fault(ofName: name) { throw ValidationError(fault) }
            if [apiKeyFile != nil, tokenFile != nil, apiKeyStdin].count(where: \.self) > 1 {
                throw ValidationError("--api-key-file, --token-file and --api-key-stdin exclude each other")
            }
            if (cert == nil) != (certKey == nil) { throw ValidationError("--cert and --cert-key go together") }
        }

        func execute() async throws {
            _ = try ConnectionOptions.parse(url, origin: "--url", exitCode: .usage)
            var file = try ContextFile.ofUser()
            if file.contexts[name] != nil, !replace {
                throw CommandFailure("there is a context '\(name)' already; say --replace to change it")
            }
            var context = StoredContext(url: url)
            context.apiKey = apiKeyStdin ? try await Self.readKey() : nil
            context.apiKeyFile = try Self.existing(apiKeyFile, "--api-key-file")
            context.tokenFile = try Self.existing(tokenFile, "--token-file")
            context.ca = try Self.existing(ca, "--ca")
            context.cert = try Self.existing(cert, "--cert")
            context.certKey = try Self.existing(certKey, "--cert-key")
            file.contexts[name] = context
            if use { file.current = name }
            try file.save()
            let text = "added \(name)\(use ? ", and in use" : "")\n"
            try await StandardOutput.write(json ? ContextTable.json(name, context) + "\n" : text)
        }

        /// The file's absolute path: commands run in other folders. A file that is missing yet is only warned of.
        private static func existing(_ path: String?, _ option: String) throws -> String? {
            guard let path else { return nil }
            guard !path.isEmpty else { throw CommandFailure("\(option) is empty; give a path", exitCode: .usage) }
            let absolute = URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
            if access(absolute, R_OK) != 0 {
                say("warning: \(option): '\(absolute)': \(String(cString: strerror(errno)).lowercased())")
            }
            return absolute
        }

        private static func readKey() async throws -> String {
            var lines = LineReader(limit: 64 << 10)
            guard let key = try await lines.next()?.text, !key.isEmpty else {
                throw CommandFailure("standard input has no key on its first line", exitCode: .usage)
            }
            return key
        }
    }
}

/// Formats contexts for standard output.
enum ContextTable {
    static func text(_ file: ContextFile) -> String {
        let contexts = file.contexts.sorted { $0.key < $1.key }
        guard !contexts.isEmpty else { return "" }
        var table = TextTable(["", "NAME", "URL", "CREDENTIAL"])
        for (name, context) in contexts {
            table.add([
                name == file.current ? "*" : "", name, Terminal.printable(context.url),
                Terminal.printable(context.credential),
            ])
        }
        return table.text
    }

    static func text(_ name: String, _ context: StoredContext) -> String {
        let lines = [("name", name)] + context.shown.map { ("\($0.name)", $0.value) }
        return lines.map { label, value in
            label.padding(toLength: 14, withPad: " ", startingAt: 0) + Terminal.printable(value) + "\n"
        }.joined()
    }

    static func json(_ name: String, _ context: StoredContext) -> String {
        JSONWriter.object { writer in
            writer.member("name", name)
            for (name, value) in context.shown { writer.member(name, value) }
        }
    }

    static func json(_ file: ContextFile) -> String {
        let contexts = file.contexts.sorted { $0.key < $1.key }.map { json($0.key, $0.value) }
        return
            "{\"current\":\(file.current.map(jsonString) ?? "null"),\"contexts\":[\(contexts.joined(separator: ","))]}\n"
    }
}
