import ApusClient
import ApusProtocol

/// Writes a command's help as a manual page, in the macros of man(7). The same help makes the same bytes.
struct ManualPage {
    /// `apus-topics-create.1`
    let fileName: String
    private(set) var text = ""

    /// - Parameter parents: the commands above it, from `apus` on.
    init(_ command: HelpTree.Command, parents: [String]) {
        let words = parents + [command.commandName]
        let page = words.joined(separator: "-")
        fileName = page + ".1"
        line(".TH \(Self.quoted(page.uppercased())) 1 \"\" \(Self.quoted("apus \(apusVersion)")) \"Apus Manual\"")
        // No hyphens that a reader would copy, and a straight left margin alone.
        line(".nh")
        line(".ad l")
        line(".SH NAME")
        line(Self.escaped(page) + " \\- " + Self.escaped(Self.clause(command.abstract ?? "")))
        line(".SH SYNOPSIS")
        synopsis(command, words)
        if let discussion = command.discussion {
            line(".SH DESCRIPTION")
            describe(discussion)
        }
        let arguments = (command.arguments ?? []).filter(\.shouldDisplay)
        let values = arguments.filter { $0.kind == "positional" }
        if !values.isEmpty {
            line(".SH ARGUMENTS")
            values.forEach { entry(Self.italic("<\($0.valueName ?? "value")>"), $0) }
        }
        options(arguments.filter { $0.kind != "positional" })
        if !command.shown.isEmpty {
            line(".SH COMMANDS")
            for sub in command.shown {
                line(".TP")
                line(Self.bold(Self.escaped((words + [sub.commandName]).joined(separator: "-"))) + "(1)")
                line(Self.escaped(sub.abstract ?? ""))
            }
        }
        seeAlso(parents)
    }

    private mutating func line(_ line: String) { text += line + "\n" }

    // MARK: Parts

    private mutating func synopsis(_ command: HelpTree.Command, _ words: [String]) {
        var parts = [Self.bold(Self.escaped(words.joined(separator: " ")))]
        let arguments = (command.arguments ?? []).filter(\.shouldDisplay)
        if arguments.contains(where: { $0.kind != "positional" && $0.isOptional }) { parts.append("[\\fIoptions\\fR]") }
        for argument in arguments where argument.kind != "positional" && !argument.isOptional {
            parts.append("\(Self.names(argument))")
        }
        for argument in arguments where argument.kind == "positional" {
            let name = Self.italic("<\(argument.valueName ?? "value")>") + (argument.isRepeating ? "..." : "")
            parts.append(argument.isOptional ? "[\(name)]" : name)
        }
        if !command.shown.isEmpty {
            parts.append(command.defaultSubcommand == nil ? "\\fI<command>\\fR" : "[\\fI<command>\\fR]")
        }
        line(parts.joined(separator: " "))
    }

    private mutating func options(_ options: [HelpTree.Argument]) {
        guard !options.isEmpty else { return }
        line(".SH OPTIONS")
        var titles: [String] = []
        for option in options where !titles.contains(option.sectionTitle ?? "") {
            titles.append(option.sectionTitle ?? "")
        }
        for title in titles.filter(\.isEmpty) + titles.filter({ !$0.isEmpty }) {
            if !title.isEmpty { line(".SS \(Self.quoted(title))") }
            for option in options where option.sectionTitle ?? "" == title { entry(Self.names(option), option) }
        }
    }

    private mutating func entry(_ title: String, _ argument: HelpTree.Argument) {
        line(".TP")
        line(title)
        var text = argument.abstract ?? ""
        if let discussion = argument.discussion { text += (text.isEmpty ? "" : " ") + discussion }
        let value = argument.defaultValue.map { " (default: \($0))" } ?? ""
        let isSaid = text.contains("default: ") || argument.kind == "flag"
        line(Self.escaped(text.isEmpty ? "No more is known." : text) + (isSaid ? "" : Self.escaped(value)))
    }

    private mutating func seeAlso(_ parents: [String]) {
        guard !parents.isEmpty else { return }
        line(".SH SEE ALSO")
        let pages = parents.indices.map { parents[...$0].joined(separator: "-") }
        line(pages.map { Self.bold(Self.escaped($0)) + "(1)" }.joined(separator: ", "))
    }

    /// Paragraphs are filled; lines that are indented stay as they are.
    private mutating func describe(_ discussion: String) {
        var isVerbatim = false
        var isFirst = true
        for text in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
            let isIndented = text.hasPrefix("  ")
            if isIndented != isVerbatim, !text.isEmpty || isVerbatim {
                line(isIndented ? ".PP\n.RS 4\n.nf" : ".fi\n.RE")
                isVerbatim = isIndented
                if !isIndented, !text.isEmpty { line(".PP") }
            }
            if text.isEmpty {
                isFirst = true
                continue
            }
            if !isVerbatim, isFirst { line(".PP") }
            isFirst = false
            line(Self.escaped(String(isVerbatim ? text.dropFirst(2) : text)))
        }
        if isVerbatim { line(".fi\n.RE") }
    }

    // MARK: Words

    private static func names(_ argument: HelpTree.Argument) -> String {
        let names = (argument.names ?? []).map { bold(escaped($0.text)) }.joined(separator: ", ")
        guard argument.kind == "option" else { return names }
        return names + " " + italic("<\(argument.valueName ?? "value")>")
    }

    /// An abstract as the clause that indexes of manual pages take.
    private static func clause(_ abstract: String) -> String {
        abstract.hasSuffix(".") ? String(abstract.dropLast()) : abstract
    }

    private static func bold(_ text: String) -> String { "\\fB\(text)\\fR" }

    private static func italic(_ text: String) -> String { "\\fI\(escaped(text))\\fR" }

    private static func quoted(_ text: String) -> String {
        "\"\(escaped(text).split(separator: "\"").joined(separator: "\\(dq"))\""
    }

    /// The text with what roff would take as its own made harmless.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += "\\e"
            case "-": escaped += "\\-"
            // As typed, and no typographic quotes.
            case "'": escaped += "\\(aq"
            case "`": escaped += "\\(ga"
            case "^": escaped += "\\(ha"
            case "~": escaped += "\\(ti"
            default: escaped.append(character)
            }
        }
        return escaped.hasPrefix(".") ? "\\&" + escaped : escaped
    }
}
