import ApusClient

/// A table of text with a header, for standard output. Columns are as wide as their widest cell.
struct TextTable {
    private let header: [String]
    private let numbers: Set<Int>
    private var rows: [[String]] = []

    /// - Parameter numbers: the columns whose cells are at the right.
    init(_ header: [String], numbers: Set<Int> = []) {
        self.header = header
        self.numbers = numbers
    }

    mutating func add(_ cells: [String]) {
        rows.append(cells)
    }

    /// The lines, without white space at their ends.
    var lines: [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, cell in
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                return numbers.contains(column) ? gap + cell : cell + gap
            }.joined(separator: "  ").trimmedEnd
        }
    }

    var text: String { lines.map { $0 + "\n" }.joined() }
}
