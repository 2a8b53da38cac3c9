/// An entry of `allowed_origins`: which web pages may use the server.
public struct AllowedOrigin: Sendable, Hashable, CustomStringConvertible {
    private enum Pattern: Hashable {
        case any
        case exactly(WebOrigin)
        case below(WebOrigin)
    }

    private let pattern: Pattern

    /// Every origin, `null` included.
    public static let any = AllowedOrigin(pattern: .any)

    private init(pattern: Pattern) {
        self.pattern = pattern
    }

    /// Parses `https://app.example.com`, `https://*.example.com` for all names below one, or `*` for every origin.
    public init?(_ text: String) {
        if text == "*" {
            self = .any
        } else if let star = text.firstIndex(of: "*") {
            let rest = text[star...].dropFirst()
            guard text[..<star].hasSuffix("://"), rest.first == ".", !rest.contains("*"),
                let parent = WebOrigin(text[..<star] + rest.dropFirst())
            else { return nil }
            pattern = .below(parent)
        } else {
            guard let origin = WebOrigin(text) else { return nil }
            pattern = .exactly(origin)
        }
    }

    func allows(_ origin: WebOrigin) -> Bool {
        switch pattern {
        case .any: true
        case .exactly(let allowed): origin == allowed
        case .below(let parent):
            origin.scheme == parent.scheme && origin.port == parent.port && origin.host.hasSuffix("." + parent.host)
        }
    }

    public var description: String {
        switch pattern {
        case .any: "*"
        case .exactly(let origin): "\(origin)"
        case .below(let parent): "\(parent.scheme)://*.\(parent.host)" + (parent.port.map { ":\($0)" } ?? "")
        }
    }
}
