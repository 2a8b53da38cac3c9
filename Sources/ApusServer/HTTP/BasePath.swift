/// The prefix of all paths of the server when it shares its address with other services: `/apus`, or empty.
struct BasePath: Sendable {
    /// The prefix without a slash at its end; may be empty.
    let text: String

    init(_ text: String) {
        self.text = text
    }

    /// The part of a path below the prefix; `nil` for a path that is not below it.
    func rest<Path: StringProtocol>(of path: Path) -> Path.SubSequence? where Path.SubSequence == Substring {
        if text.isEmpty { return path[...] }
        let rest = path.dropFirst(text.count)
        return path.hasPrefix(text) && rest.first == "/" ? rest : nil
    }

    /// Whether a path is the prefix itself, so that everything is one slash below it.
    func isWithoutSlash(_ path: String) -> Bool { !text.isEmpty && path == text }

    /// The endpoint that a path leads to; `nil` when the path does not exist.
    func endpoint<Path: StringProtocol>(at path: Path) -> Endpoint.Match? where Path.SubSequence == Substring {
        if let rest = rest(of: path) { return Endpoint.at(rest) }
        guard let match = Endpoint.at(path[...]), match.endpoint.place == .machine else { return nil }
        return match
    }
}
