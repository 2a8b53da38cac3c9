/// What all paths of the server begin with, where it shares its address with others: `/apus`, or nothing.
struct BasePath: Sendable {
    /// Without a slash at its end; empty where there is nothing.
    let text: String

    /// What the machine's own probes ask, past the proxy that knows of the prefix: it is found without that as well.
    static let probes = ["/livez", "/readyz"]

    init(_ text: String) {
        self.text = text
    }

    /// What is below it; nil for a path that is not.
    func rest<Path: StringProtocol>(of path: Path) -> Path.SubSequence? where Path.SubSequence == Substring {
        if text.isEmpty { return path[...] }
        let rest = path.dropFirst(text.count)
        return path.hasPrefix(text) && rest.first == "/" ? rest : nil
    }

    /// The path as the routes are named, whatever the prefix; nil for one that is nothing of ours.
    func route(_ path: String) -> String? {
        rest(of: path).map(String.init) ?? (Self.probes.contains(path) ? path : nil)
    }

    /// Which methods a path takes; nil when there is no such path.
    func methods(ofPath path: String) -> String? {
        route(path).flatMap(Routes.methods)
    }
}
