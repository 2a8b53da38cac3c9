import NIOCore

/// The shell's terminal: reads lines, and prints other lines above the one being typed.
///
/// Without a terminal there is no prompt and no editing, only lines of input and output.
actor ShellScreen {
    private static let eraseLine = "\r\u{1B}[K"

    let isInteractive: Bool
    private var editor = LineEditor()
    /// The prompt on the last line, if there is one.
    private var prompt: String?
    /// Keys that arrived together with others, but after the end of a line.
    private var typed = ByteBuffer()
    private var lines = LineReader(limit: 16 << 20)

    init(isInteractive: Bool) {
        self.isInteractive = isInteractive
    }

    /// Prints a line. The line being typed moves down unchanged.
    func show(_ text: String) async throws {
        let before = prompt == nil ? "" : Self.eraseLine
        try await StandardOutput.write(before + text + "\n" + lastLine)
    }

    /// The next entered line; `nil` at the end of input.
    func readLine(prompt: String) async throws -> String? {
        guard isInteractive else {
            // Other calls to the actor continue while this waits; there is no other reader.
            var reader = lines
            defer { lines = reader }
            while let line = try await reader.next() {
                if let text = line.text { return text }
            }
            return nil
        }
        self.prompt = prompt
        try await StandardOutput.write(lastLine)
        while true {
            if typed.readableBytes == 0 {
                guard let chunk = try await StandardInput.read() else { return try await endLine(nil) }
                typed = chunk
            }
            var isChanged = false
            while let byte = typed.readInteger(as: UInt8.self) {
                switch editor.feed(byte) {
                case .redraw: isChanged = true
                case .submit(let line): return try await endLine(line)
                case .endOfInput: return try await endLine(nil)
                case nil: break
                }
            }
            if isChanged { try await StandardOutput.write(Self.eraseLine + lastLine) }
        }
    }

    /// Draws the line being typed again, below what somebody else has written.
    func redraw() async throws {
        if prompt != nil { try await StandardOutput.write(Self.eraseLine + lastLine) }
    }

    /// Gives the line being typed up. Returns whether there is one.
    func leaveLine() -> Bool {
        defer { prompt = nil }
        return prompt != nil
    }

    private func endLine(_ line: String?) async throws -> String? {
        // Pasted lines have not been drawn yet.
        let drawn = line.map { Self.eraseLine + Terminal.styled(prompt ?? "", .bold) + $0 } ?? ""
        prompt = nil
        try await StandardOutput.write(drawn + "\n")
        return line
    }

    /// The prompt, and as much of the end of the typed text as fits next to it.
    private var lastLine: String {
        guard let prompt else { return "" }
        let room = max(8, Terminal.columns - prompt.count - 1)
        return Terminal.styled(prompt, .bold) + editor.line.suffix(room)
    }
}
