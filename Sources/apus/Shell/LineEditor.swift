/// Edits a line on a terminal in raw mode. It takes bytes and returns the finished line.
///
/// Supports typing, backspace, Ctrl-U (clear), Ctrl-W (delete the last word), Ctrl-L (redraw), Ctrl-D (end of input, on
/// an empty line), and the up and down arrows for earlier lines. Other control and escape sequences are ignored. Holds
/// at most 64 KiB of line and 100 earlier lines.
struct LineEditor {
    enum Action: Equatable {
        /// The line must be redrawn.
        case redraw
        case submit(String)
        case endOfInput
    }

    private enum Mode {
        case text
        case escape
        case sequence
    }

    private static let maxLineBytes = 64 << 10
    private static let maxHistory = 100

    private(set) var line = ""
    private var mode = Mode.text
    /// The first bytes of an incomplete character.
    private var partial: [UInt8] = []
    private var history: [String] = []
    /// The index of the earlier line that is shown; the number of earlier lines if the new line is shown.
    private var shown = 0
    /// The new line's text while an earlier line is shown.
    private var draft = ""

    mutating func feed(_ byte: UInt8) -> Action? {
        switch mode {
        case .escape:
            mode = byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") ? .sequence : .text
            return nil
        case .sequence:
            // Parameters come before the final byte (ECMA-48, 5.4).
            guard (0x40...0x7E).contains(byte) else { return nil }
            mode = .text
            switch byte {
            case UInt8(ascii: "A"): return show(shown - 1)
            case UInt8(ascii: "B"): return show(shown + 1)
            default: return nil
            }
        case .text:
            return byte < 0x20 || byte == 0x7F ? control(byte) : type(byte)
        }
    }

    private mutating func control(_ byte: UInt8) -> Action? {
        partial = []
        switch byte {
        case 0x0A, 0x0D:
            return submit()
        case 0x08, 0x7F:
            if line.isEmpty { return nil }
            line.removeLast()
            return .redraw
        case 0x04:
            return line.isEmpty ? .endOfInput : nil
        case 0x0C:
            return .redraw
        case 0x15:
            line = ""
            return .redraw
        case 0x17:
            while line.last == " " { line.removeLast() }
            while let last = line.last, last != " " { line.removeLast() }
            return .redraw
        case 0x1B:
            mode = .escape
            return nil
        default:
            return nil
        }
    }

    private mutating func type(_ byte: UInt8) -> Action? {
        guard line.utf8.count < Self.maxLineBytes else { return nil }
        partial.append(byte)
        if let text = String(validating: partial, as: UTF8.self) {
            line += text
            partial = []
            return .redraw
        }
        // No character has more than four bytes.
        if partial.count == 4 { partial = [] }
        return nil
    }

    private mutating func submit() -> Action {
        let submitted = line
        line = ""
        draft = ""
        if !submitted.isEmpty, history.last != submitted { history.append(submitted) }
        if history.count > Self.maxHistory { history.removeFirst() }
        shown = history.count
        return .submit(submitted)
    }

    private mutating func show(_ index: Int) -> Action? {
        guard (0...history.count).contains(index), index != shown else { return nil }
        if shown == history.count { draft = line }
        shown = index
        line = index == history.count ? draft : history[index]
        return .redraw
    }
}
