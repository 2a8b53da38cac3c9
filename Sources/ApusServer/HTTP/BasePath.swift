/// The prefix of all paths of the server when it shares its address with other services: `/apus`, or empty.
struct BasePath: Sendable {
    /// The prefix without a slash at its end; may be empty.
    let text: String

    /// Paths that also work without the prefix: the machine's own probes bypass the proxy that adds it.
    static let probes = ["/livez", "/readyz"]

    init(_ text: String) {
        self.text = text
    }

    /// The part of a path below the prefix; `nil` for a path that is not below it.
    func rest<Path: StringProtocol>(of path: Path) -> Path.SubSequence? where Path.SubSequence == Substring {
        if text.isEmpty { return path[...] }
        let rest = path.dropFirst(text.count)
        return path.hasPrefix(text) && rest.first == "/" ? rest : nil
    }

    /// The path as the routes name it, without the prefix; `nil` for a path that is not the server's.
    func route(_ path: String) -> String? {
        rest(of: path).map(String.init) ?? (Self.probes.contains(path) ? path : nil)
    }

    /// Which methods a path allows; `nil` when the path does not exist.
    func methods(ofPath path: String) -> String? {
        route(path).flatMap(Routes.methods)
    }
}
