import Yams

/// The lines of a YAML file of keys, to add and remove entries of the list without touching anything else.
///
/// Knows only the usual way to write such a list, one entry after the other with `- ` in front:
///
/// ```
/// keys:
///   # for the shop
///   - {"id":"shop","key_sha256":"…"}
///   - id: orders
///     key_sha256: …
/// ```
struct KeysFileLines {
    private let lines: [Substring]
    /// The index of the first line of each entry; `nil` if the list is not written that way.
    private let starts: [Int]?

    init(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // A text that ends in a line feed has no line behind it.
        self.lines = lines.last == "" ? lines.dropLast() : lines
        starts = Self.starts(in: text, lines: self.lines)
    }

    /// The text with one more entry at the end; `nil` if that cannot be done.
    func adding(_ entry: String) -> String? {
        guard let starts else { return nil }
        let indentation = starts.last.map { lines[$0].prefix { $0 == " " } } ?? "  "
        return text(lines + ["\(indentation)- \(entry)"])
    }

    /// The text without one of `count` entries; `nil` if that cannot be done.
    ///
    /// Comments above an entry stay: nobody knows whether they belong to it.
    func removing(_ index: Int, of count: Int) -> String? {
        guard let starts, starts.count == count else { return nil }
        let start = starts[index]
        let end = index + 1 < count ? starts[index + 1] : lines.count
        // The last line with more indentation than the entry is the last that is certainly its own.
        let indentation = lines[start].prefix { $0 == " " }.count
        let body = lines[(start + 1)..<end].lastIndex { line in
            let content = line.drop { $0 == " " }
            return !content.isEmpty && !content.hasPrefix("#") && line.count - content.count > indentation
        }
        var rest = Array(lines[..<start])
        rest += lines[((body ?? start) + 1)...]
        return text(rest)
    }

    private func text(_ lines: [Substring]) -> String {
        lines.joined(separator: "\n") + "\n"
    }

    /// The places of the entries, by the marks of the parser.
    private static func starts(in text: String, lines: [Substring]) -> [Int]? {
        guard let root = (try? Yams.Parser(yaml: text).singleRoot()) ?? nil, case .mapping(let mapping) = root else {
            return nil
        }
        guard let list = mapping.first(where: { $0.key.string == "keys" })?.value else { return nil }
        guard case .sequence(let entries) = list else { return list.string == "" ? [] : nil }
        // The style that the parser reports is not that of the list, so the dashes show how it is written.
        let starts = entries.compactMap { $0.mark.map { $0.line - 1 } }
        // The mark is where the contents start, on the line of the dash.
        let areEntries = starts.allSatisfy { lines.indices.contains($0) && lines[$0].drop { $0 == " " }.hasPrefix("-") }
        return areEntries && starts == starts.sorted() && starts.count == entries.count ? starts : nil
    }
}
