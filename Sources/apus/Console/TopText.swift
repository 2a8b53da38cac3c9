import Foundation

/// Formats figures for `apus top`.
enum TopText {
    /// Three digits, with the unit beside them: `1.23k`. A dash for what is not known.
    static func short(_ value: Double?) -> String {
        value.map { Figures.short($0).replacingOccurrences(of: " ", with: "") } ?? "-"
    }

    static func count(_ value: Double?) -> String {
        value.map(Figures.grouped) ?? "-"
    }

    static func bytes(_ value: Double?) -> String {
        value.map(Figures.bytes) ?? "-"
    }

    static func percent(_ fraction: Double?) -> String {
        fraction.map { String(format: "%.0f %%", $0 * 100) } ?? "-"
    }

    /// A series as a row of blocks, scaled to its largest value.
    static func sparkline(_ values: [Double?]) -> String {
        let blocks = Array("▁▂▃▄▅▆▇█")
        let largest = values.compactMap { $0 }.max() ?? 0
        return String(
            values.map { value -> Character in
                guard let value, largest > 0 else { return value == nil ? " " : blocks[0] }
                return blocks[min(blocks.count - 1, Int(value / largest * Double(blocks.count)))]
            }
        )
    }

    /// A fraction as a bar.
    static func bar(_ fraction: Double, cells: Int) -> String {
        let filled = Int((min(max(fraction, 0), 1) * Double(cells)).rounded())
        return String(repeating: "|", count: filled) + String(repeating: ".", count: cells - filled)
    }

    /// `3d 4h`, `2h 5m` or `17s`.
    static func age(milliseconds: Double) -> String {
        guard let whole = Int(exactly: milliseconds.rounded()) else { return "-" }
        let seconds = whole / 1000
        switch seconds {
        case 86_400...: return "\(seconds / 86_400)d \(seconds % 86_400 / 3600)h"
        case 3600...: return "\(seconds / 3600)h \(seconds % 3600 / 60)m"
        case 60...: return "\(seconds / 60)m \(seconds % 60)s"
        default: return seconds == 0 ? "\(whole)ms" : "\(seconds)s"
        }
    }

    /// The text cut or filled to a width.
    static func cell(_ text: String, _ width: Int, right: Bool = false) -> String {
        guard text.count <= width else { return width > 1 ? text.prefix(width - 1) + "…" : String(text.prefix(width)) }
        let gap = String(repeating: " ", count: width - text.count)
        return right ? gap + text : text + gap
    }

    // MARK: Plain lines

    /// The head of the plain lines, which is repeated now and then.
    static let plainHeader = plain([
        "TIME", "PUBL/S", "DELIV/S", "IN/S", "OUT/S", "CONNS", "SUBS", "TOPICS", "DROPS/S", "MEMORY", "CPU",
    ])

    static func plainLine(_ sample: ConsoleSample) -> String {
        plain([
            sample.at.map { String(EventPrinter.clock($0).prefix(8)) } ?? "-", short(sample.publishes),
            short(sample.deliveries), bytes(sample.bytesIn), bytes(sample.bytesOut), count(sample.connections),
            count(sample.subscriptions), count(sample.topics), short(sample.drops), bytes(sample.memory),
            percent(sample.cpu),
        ])
    }

    private static func plain(_ cells: [String]) -> String {
        let widths = [8, 7, 7, 9, 9, 7, 7, 7, 7, 9, 6]
        return zip(cells, widths).map { cell, width in
            cell.count < width ? String(repeating: " ", count: width - cell.count) + cell : cell
        }.joined(separator: " ")
    }
}
