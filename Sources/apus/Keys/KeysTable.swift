import ApusAccess
import ApusClient
import ApusProtocol

/// Formats keys for standard output, without anything that could help to guess their secrets.
enum KeysTable {
    /// The lines of a table with a header.
    static func lines(_ keys: [APIKey], at now: Int64) -> [String] {
        let rows =
            [["ID", "EXPIRES", "RIGHTS", "LABEL"]]
            + keys.map { key in
                [
                    key.id,
                    key.expires.map { "\(Timestamp(milliseconds: $0))" + (key.isExpired(at: now) ? " (expired)" : "") }
                        ?? "never",
                    key.rules.rules.map(summary).joined(separator: "; "),
                    Terminal.printable(key.label ?? ""),
                ]
            }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column < widths.count ? cell + String(repeating: " ", count: widths[column] - cell.count) : cell
            }
            return cells.joined(separator: "  ").trimmedEnd
        }
    }

    /// A rule as `--allow` and `--deny` take it.
    private static func summary(_ rule: Rule) -> String {
        (rule.isDeny ? "deny " : "") + rule.actions.names.joined(separator: ",") + ":"
            + rule.topics.map(Terminal.printable).joined(separator: " ")
    }

    static func json(_ keys: [APIKey], at now: Int64) -> String {
        let entries = keys.map { key in
            var entry = JSONObjectText()
            entry.member("id", key.id)
            if let label = key.label { entry.member("label", label) }
            if let expires = key.expires { entry.member("expires", "\(Timestamp(milliseconds: expires))") }
            entry.member("expired", json: key.isExpired(at: now) ? "true" : "false")
            entry.member("rights", json: key.rules.json)
            return entry.object
        }
        return "{\"keys\":[" + entries.joined(separator: ",") + "]}"
    }
}
