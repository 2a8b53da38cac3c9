import ApusClient
import ArgumentParser
import Foundation

/// `apus shell`: an interactive client.
struct ShellCommand: ServerCommand {
    static let title = "apus shell"
    static let configuration = CommandConfiguration(
        commandName: "shell",
        abstract: "Talk to a server interactively.",
        discussion: """
            Enter commands or the numbers of the menu; events are printed as they come. Without a terminal the commands are \
            read line by line and there is no prompt.

            Examples:
              apus shell
              echo "publish orders hello" | apus shell
            """
    )

    @Option(help: ArgumentHelp("The subscriber's name at the server; made up when not given.", valueName: "id"))
    var clientId: String?

    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions

    private enum Outcome: Sendable {
        case left
        case disconnected(WebSocketClose)
    }

    func execute() async throws {
        let isInteractive = Terminal.inputIsTerminal && Terminal.outputIsTerminal
        let interrupts = await Interrupts.requests(ofTerminal: isInteractive)
        let credential = try connection.credential()
        let socket = try await WebSocketConnection.connect(
            to: connection.address(),
            configuration: credential.configuration()
        )
        let screen = ShellScreen(isInteractive: isInteractive)
        let renewal = TokenRenewal(of: socket, credential: credential) { error in
            Task { try await screen.show("the token is not renewed: \(CommandFailure(error, hints: false).message)") }
        }
        defer { renewal.end() }
        let session = ShellSession(
            connection: socket,
            renewal: renewal,
            rest: try connection.restClient(),
            screen: screen,
            clientID: clientId ?? "shell-\(randomID().prefix(8))"
        )
        let returns = isInteractive ? RawMode.enter() : nil
        defer { RawMode.leave() }
        if isInteractive { try await screen.show("connected to \(try connection.address())\n\(ShellVerb.menu)") }
        let redrawing = Task {
            guard let returns else { return }
            for await _ in returns { try await screen.redraw() }
        }
        defer { redrawing.cancel() }
        do {
            try await Self.talk(session, screen, interrupts)
        } catch {
            // What is said of it is not to stand behind the prompt.
            RawMode.leave(abruptly: await screen.leaveLine())
            throw error
        }
        RawMode.leave(abruptly: await screen.leaveLine())
    }

    /// Until the user leaves, or the connection ends.
    private static func talk(
        _ session: ShellSession,
        _ screen: ShellScreen,
        _ interrupts: AsyncStream<Void>
    ) async throws {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            group.addTask { .disconnected(try await session.receive()) }
            group.addTask {
                try await readCommands(screen, session)
                return .left
            }
            group.addTask {
                for await _ in interrupts { break }
                return .left
            }
            defer { group.cancelAll() }
            switch try await group.next() {
            case .disconnected(let close): throw CommandFailure(close)
            case .left, nil:
                if let close = await session.end { throw CommandFailure(close) }
                await session.close()
            }
        }
    }

    private static func readCommands(_ screen: ShellScreen, _ session: ShellSession) async throws {
        while let line = try await screen.readLine(prompt: "apus> ") {
            switch ShellInput(line) {
            case .empty:
                break
            case .unknown(let word):
                try await screen.show("unknown command '\(Terminal.printable(word))'; try: help")
            case .verb(let verb, let given):
                guard let fields = try await complete(verb, given, screen) else { break }
                if try await !session.perform(verb, fields) { return }
            }
        }
    }

    /// Asks for missing fields. Returns `nil` if the answer for a required field is empty.
    private static func complete(_ verb: ShellVerb, _ given: [String], _ screen: ShellScreen) async throws -> [String]?
    {
        var fields = given
        for field in verb.fields.dropFirst(given.count) {
            // A user who typed the command with fields left an optional field out on purpose.
            if let fallback = field.fallback, !given.isEmpty {
                fields.append(fallback)
                continue
            }
            let hint = field.fallback.map { " [\($0)]" } ?? ""
            guard let answer = try await screen.readLine(prompt: "\(field.name)\(hint)> ") else { return nil }
            let word = String(answer.drop(while: \.isWhitespace)).trimmedEnd
            guard let value = word.isEmpty ? field.fallback : word else {
                try await screen.show("cancelled; usage: \(verb.usage)")
                return nil
            }
            fields.append(value)
        }
        return fields
    }
}

/// A new UUID in lower case.
func randomID() -> String {
    UUID().uuidString.lowercased()
}
