package import enum ApusProtocol.Dialect

/// One thing that a server must do.
package struct ConformanceCheck: Sendable {
    /// Where the specification has it.
    package struct Place: Sendable {
        /// The part that the check belongs to, as a heading.
        package let group: String
        /// The section, as in `contract 4` or `extension 1`.
        package let section: String
        /// The extension that must be there for the check; `nil` for the contract itself.
        package let needs: Feature?

        /// Where the part comes in the specification.
        let rank: Int

        /// A section of the contract, 1 to 6.
        package static func contract(_ number: Int) -> Place {
            let titles = [
                "Endpoints", "Client to server", "Server to client", "Subscriptions", "History, queues, overflow",
                "Connections",
            ]
            let title = titles.indices.contains(number - 1) ? titles[number - 1] : ""
            return Place(group: "Contract \(number): \(title)", section: "contract \(number)", needs: nil, rank: number)
        }

        package static func `extension`(_ feature: Feature) -> Place {
            Place(
                group: "Extension \(feature.rawValue): \(feature.title)",
                section: "extension \(feature.rawValue)",
                needs: feature,
                rank: 100 + feature.rawValue
            )
        }
    }

    /// Without the dialect, as in `subscribe.ack-first`.
    package let name: String
    package let place: Place
    /// What the check expects, in one sentence.
    package let expects: String
    /// The dialects in which it is made.
    package let dialects: [Dialect]
    package let run: @Sendable (Bench) async throws -> Void

    package init(
        _ name: String,
        _ place: Place,
        _ expects: String,
        in dialects: [Dialect] = Dialect.allCases,
        run: @escaping @Sendable (Bench) async throws -> Void
    ) {
        self.name = name
        self.place = place
        self.expects = expects
        self.dialects = dialects
        self.run = run
    }

    /// All checks.
    package static let all =
        rest + handshakes + frames + commands + publishing + subscriptions + delivery + positions + policies
        + outcomes + patterns + topics + http + disconnects + access + durability + waiting
}

/// A check in one dialect.
package struct ConformanceCase: Sendable {
    package let check: ConformanceCheck
    package let dialect: Dialect

    /// As in `v1/ping.pong`.
    package var name: String { "\(dialect)/\(check.name)" }

    /// Every check in every dialect that it has, in the order of the specification.
    package static let all = Dialect.allCases.flatMap { dialect in
        ConformanceCheck.all.filter { $0.dialects.contains(dialect) }.enumerated()
            .sorted { ($0.element.place.rank, $0.offset) < ($1.element.place.rank, $1.offset) }
            .map { ConformanceCase(check: $0.element, dialect: dialect) }
    }

    /// Whether `pattern` is part of the name, group or section; `*` stands for anything.
    package func matches(_ pattern: String) -> Bool {
        let parts = pattern.lowercased().split(separator: "*", omittingEmptySubsequences: true)
        return [name, check.place.group, check.place.section].contains { text in
            var rest = text.lowercased()[...]
            for part in parts {
                guard let found = rest.firstRange(of: part) else { return false }
                rest = rest[found.upperBound...]
            }
            return true
        }
    }
}

/// The extensions, by their numbers in the specification.
package enum Feature: Int, Sendable, CaseIterable {
    case positions = 1
    case policies, publishing, filters, topics, http, disconnects, access, durability, clusters, waiting

    package var title: String {
        switch self {
        case .positions: "Positions and recovery"
        case .policies: "Policy per subscription"
        case .publishing: "Publishing"
        case .filters: "Filters and presence"
        case .topics: "Topics"
        case .http: "HTTP"
        case .disconnects: "Disconnects"
        case .access: "Access"
        case .durability: "Durability"
        case .clusters: "Clusters"
        case .waiting: "Topics that are not there yet"
        }
    }
}
