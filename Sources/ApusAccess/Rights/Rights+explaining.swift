import ApusProtocol

// Rights for people: as rules, and why something is allowed or not.

extension Rights {
    /// What a rule comes to for the subject of these rights.
    package struct Line: Hashable, Sendable {
        /// The number of the rule, counted from 1.
        package let rule: Int
        package let isDeny: Bool
        package let actions: Actions
        package var topics: [String]
    }

    /// The rules in their order, without what grants nothing. Placeholders are filled in.
    package var lines: [Line] {
        var lines: [Line] = []
        let all = grants.map { (entry: $0, isDeny: false) } + denies.map { (entry: $0, isDeny: true) }
        for (entry, isDeny) in all {
            // `admin` counts on `>` only, so topics of one rule may differ in their actions.
            let same = lines.lastIndex { $0.rule == entry.rule && $0.isDeny == isDeny && $0.actions == entry.actions }
            if let same {
                lines[same].topics.append(entry.pattern.text)
            } else {
                let topics = [entry.pattern.text]
                lines.append(Line(rule: entry.rule, isDeny: isDeny, actions: entry.actions, topics: topics))
            }
        }
        // Stable: lines of one rule stay in their order.
        return lines.enumerated().sorted { ($0.element.rule, $0.offset) < ($1.element.rule, $1.offset) }.map(\.element)
    }

    /// Whether one action is allowed on a topic or a pattern, and why: a clause without a full stop.
    ///
    /// - Parameter name: of the action.
    package func explain(_ action: Actions, called name: String, on pattern: TopicPattern) -> (
        isAllowed: Bool, because: String
    ) {
        func text(of rule: Int, in entries: [Entry], _ verb: String) -> String {
            let decisive = entries.first {
                $0.rule == rule && $0.actions.contains(action) && $0.pattern.covers(pattern)
            }
            return "rule \(rule) \(verb) \(name) on \(decisive?.pattern.text ?? pattern.text)"
        }
        switch verdict(on: action, of: pattern) {
        case .denied(let rule): return (false, text(of: rule, in: denies, "denies"))
        case .granted(let rule):
            let left = exclusions(within: pattern).rules(for: action)
            let rest = Set(left).sorted().map { "rule \($0)" }.joined(separator: " and ")
            let exception = left.isEmpty ? "" : ", without what \(rest) denies"
            return (true, text(of: rule, in: grants, "allows") + exception)
        case .notGranted where action == .admin && pattern != .everything:
            return (false, "admin is about the server, so it counts only on >")
        case .notGranted where pattern.isName:
            return (false, "no rule allows \(name) on \(pattern.text)")
        case .notGranted:
            return (false, "no single rule allows \(name) on all of \(pattern.text)")
        }
    }
}
