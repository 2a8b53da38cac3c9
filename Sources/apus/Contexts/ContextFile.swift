import ApusClient
import ArgumentParser
import Foundation

/// The contexts of a user: `$XDG_CONFIG_HOME/apus/contexts.json`, or the same below `~/.config`.
///
/// The file is replaced as a whole, so that a reader finds the old one or the new one. Only its owner can read it.
struct ContextFile {
    private struct Contents: Codable {
        var current: String?
        var contexts: [String: StoredContext]
    }

    let path: String
    private var contents: Contents

    /// The name of the context in use, which may be gone.
    var current: String? {
        get { contents.current }
        set { contents.current = newValue }
    }

    var contexts: [String: StoredContext] {
        get { contents.contexts }
        set { contents.contexts = newValue }
    }

    /// The file for this environment; `nil` if it has no home.
    static func path(in environment: [String: String]) -> String? {
        func given(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let folder = given("XDG_CONFIG_HOME") ?? given("HOME").map { $0 + "/.config" }
        return folder.map { $0 + "/apus/contexts.json" }
    }

    /// The user's file. One that is missing has no contexts.
    static func ofUser() throws -> ContextFile {
        guard let path = path(in: ProcessInfo.processInfo.environment) else {
            throw CommandFailure(
                "no place for contexts: set XDG_CONFIG_HOME or HOME to a folder",
                exitCode: .badConfiguration
            )
        }
        return try ContextFile(path: path)
    }

    /// The user's file as far as a command needs it that may do without: nothing if the user has no home.
    static func ofUserIfAny() throws -> ContextFile? {
        try path(in: ProcessInfo.processInfo.environment).map(ContextFile.init(path:))
    }

    init(path: String) throws {
        self.path = path
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            contents = try JSONDecoder().decode(Contents.self, from: data)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            contents = Contents(current: nil, contexts: [:])
        } catch is DecodingError {
            throw CommandFailure(
                "'\(path)' is no file of contexts; mend it, or remove it to start anew",
                exitCode: .badConfiguration
            )
        } catch {
            throw CommandFailure("cannot read '\(path)': \(PrivateFile.reason(of: error))", exitCode: .badConfiguration)
        }
    }

    /// The context of that name.
    ///
    /// - Parameter origin: what named it; `nil` for an argument of the command.
    func context(_ name: String, from origin: String? = nil, exitCode: ExitCode) throws -> StoredContext {
        if let context = contexts[name] { return context }
        let names = contexts.keys.sorted().joined(separator: ", ")
        let advice =
            names.isEmpty ? "there is none yet; add it with: apus context add NAME --url URL" : "there are: \(names)"
        throw CommandFailure(
            "\(origin.map { $0 + ": " } ?? "")no context '\(Terminal.printable(name))'; \(advice)",
            exitCode: exitCode
        )
    }

    func save() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(contents), as: UTF8.self)
        try PrivateFile.replace(path, with: text + "\n")
    }
}
