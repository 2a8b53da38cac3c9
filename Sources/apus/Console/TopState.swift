/// What the one at the keyboard has chosen. Keys change it; the screen shows it.
struct TopState: Equatable {
    enum Action: Equatable {
        /// Show the same figures in another way.
        case redraw
        /// Ask for other topics.
        case refresh
        case quit
    }

    private static let longestSearch = 100

    var query = TopQuery()
    private(set) var isPaused = false
    private(set) var showsHelp = false
    /// The text of the filter while it is typed.
    private(set) var typed: String?
    /// How many topics match, as far as that is known.
    var matching = 0

    mutating func press(_ key: TopKeys.Key) -> Action? {
        if typed != nil { return type(key) }
        if showsHelp {
            showsHelp = false
            return key == .text("q") ? .quit : .redraw
        }
        switch key {
        case .text("q"): return .quit
        case .text("?"), .text("h"):
            showsHelp = true
            return .redraw
        case .text("p"), .text(" "):
            isPaused.toggle()
            return isPaused ? .redraw : .refresh
        case .text("/"):
            typed = query.search
            return .redraw
        case .text("s"), .right: return sort(by: 1)
        case .text("S"), .left: return sort(by: -1)
        case .escape:
            guard !query.search.isEmpty else { return nil }
            (query.search, query.offset) = ("", 0)
            return .refresh
        case .down, .text("j"): return scroll(by: 1)
        case .up, .text("k"): return scroll(by: -1)
        case .pageDown: return scroll(by: query.limit)
        case .pageUp: return scroll(by: -query.limit)
        case .home: return scroll(by: -query.offset)
        case .end: return scroll(by: matching)
        case .text, .enter, .backspace: return nil
        }
    }

    private mutating func type(_ key: TopKeys.Key) -> Action? {
        var text = typed ?? ""
        switch key {
        case .text(let character):
            guard text.count < Self.longestSearch else { return nil }
            text.append(character)
        case .backspace:
            if text.isEmpty {
                typed = nil
                return .redraw
            }
            text.removeLast()
        case .enter:
            typed = nil
            (query.search, query.offset) = (text, 0)
            return .refresh
        case .escape:
            typed = nil
            return .redraw
        default:
            return nil
        }
        typed = text
        return .redraw
    }

    private mutating func sort(by step: Int) -> Action {
        let all = TopQuery.Sort.allCases
        let index = all.firstIndex(of: query.sort) ?? 0
        query.sort = all[(index + step + all.count) % all.count]
        query.offset = 0
        return .refresh
    }

    private mutating func scroll(by rows: Int) -> Action? {
        let last = max(0, matching - query.limit)
        let offset = min(max(0, query.offset + rows), last)
        guard offset != query.offset else { return nil }
        query.offset = offset
        return .refresh
    }
}
