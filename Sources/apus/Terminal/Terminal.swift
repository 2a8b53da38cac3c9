import Foundation

/// The properties of the standard streams.
enum Terminal {
    static let inputIsTerminal = isatty(STDIN_FILENO) == 1
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1

    /// Whether standard output supports colours: it is a terminal that is not dumb, and NO_COLOR is not set
    /// (no-color.org).
    static let usesColor: Bool = {
        let environment = ProcessInfo.processInfo.environment
        return outputIsTerminal && environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    }()

    /// The width of the terminal, in columns.
    static var columns: Int { columns(of: STDOUT_FILENO) }

    static func columns(of descriptor: Int32) -> Int { size(of: descriptor).columns }

    /// The size of a terminal; 80 × 24 for what is none.
    static func size(of descriptor: Int32 = STDOUT_FILENO) -> (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    enum Style: String {
        case dim = "2"
        case bold = "1"
        case cyan = "36"
        case yellow = "33"
    }

    /// The text in a style, if colours are supported.
    static func styled(_ text: String, _ style: Style) -> String {
        usesColor ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// The text with control characters made visible, so that a payload cannot control the terminal.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n", "\r", "\t": shown += " "
            case _ where isControl(scalar): shown += "\\u{\(String(scalar.value, radix: 16))}"
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }
}
