/// Counts the results of the messages so far.
struct PublishProgress: Sendable {
    private static let linesNamed = 20

    private(set) var published = 0
    private(set) var refused = 0
    /// The lines of the first refused messages only, so that an input full of errors does not fill the memory.
    private var lines: [Int] = []
    /// Why the first message was refused.
    private var reason: String?

    mutating func acked() {
        published += 1
    }

    /// Counts a message that was refused, by the server or before it was sent.
    mutating func refuse(line: Int, reason: String) {
        refused += 1
        if lines.count < Self.linesNamed { lines.append(line) }
        if self.reason == nil { self.reason = reason }
    }

    /// The refused lines as text: `lines 3, 7`.
    var refusedLines: String {
        let named = lines.map(String.init).joined(separator: ", ")
        let more = refused - lines.count
        return (refused == 1 ? "line " : "lines ") + named + (more > 0 ? " and \(more) more" : "")
    }

    /// Why the first message was refused, with its line number if there are several.
    var firstReason: String? {
        reason.map { refused == 1 ? $0 : "line \(lines.first ?? 0): \($0)" }
    }
}
