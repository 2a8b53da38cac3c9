/// What became of the messages so far.
struct PublishProgress: Sendable {
    private static let linesNamed = 20

    private(set) var published = 0
    private(set) var refused = 0
    /// Of the first refused messages only, so that a wholly wrong input does not fill the memory.
    private var lines: [Int] = []
    /// Why the first was refused.
    private var reason: String?

    mutating func acked() {
        published += 1
    }

    /// A message was refused, by the server or before it was sent.
    mutating func refuse(line: Int, reason: String) {
        refused += 1
        if lines.count < Self.linesNamed { lines.append(line) }
        if self.reason == nil { self.reason = reason }
    }

    /// The refused lines as people read them: `lines 3, 7`.
    var refusedLines: String {
        let named = lines.map(String.init).joined(separator: ", ")
        let more = refused - lines.count
        return (refused == 1 ? "line " : "lines ") + named + (more > 0 ? " and \(more) more" : "")
    }

    /// Why the first was refused, with its line where there are others.
    var firstReason: String? {
        reason.map { refused == 1 ? $0 : "line \(lines.first ?? 0): \($0)" }
    }
}
