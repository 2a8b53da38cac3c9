import ApusAccess
import ApusBroker
import ApusProtocol
import NIOCore

/// Pages of topics for one console.
struct ConsoleTopicPages {
    /// How many tokens a page has at most.
    static let maxTokens = 1000

    /// A token below which names go on, with what the topics there come to.
    struct Token: Equatable {
        var token: String
        var topics = 0
        var messageRate = 0.0
        var subscribers = 0
        var messages: UInt64 = 0
        var keptBytes = 0
    }

    struct Page {
        var total: Int
        var matching: Int
        /// Rows of the table.
        var rows: [Int]
        /// Only of a tree.
        var tree: (tokens: [Token], more: Int, leaves: Int)?
    }

    let query: TopicQuery
    private var known: (selection: TopicSelection, rights: Rights)?

    init(_ query: TopicQuery) {
        self.query = query
    }

    mutating func page(of table: TopicTable, _ rights: Rights) -> Page {
        let selection: TopicSelection
        if let known, known.selection.directory === table.directory, known.rights == rights {
            selection = known.selection
        } else {
            selection = TopicSelection(table.directory, query, rights)
            known = (selection, rights)
        }
        let range = query.offset..<(query.offset + query.limit)
        let rows = query.isTree ? selection.leaves : selection.matching
        var page = Page(total: selection.total, matching: selection.matching.count, rows: [])
        page.rows = places(range, of: rows.count) { number(of: table.rows[rows[$0]]) }.map { rows[$0] }
        guard query.isTree else { return page }
        let tokens = selection.groups.map { Self.token($0, of: table, selection) }
        let shown = places(0..<Self.maxTokens, of: tokens.count) { number(of: tokens[$0]) }.map { tokens[$0] }
        page.tree = (shown, tokens.count - shown.count, selection.leaves.count)
        return page
    }

    private static func token(
        _ group: TopicSelection.Group,
        of table: TopicTable,
        _ selection: TopicSelection
    ) -> Token {
        var token = Token(token: group.token, topics: group.places.count)
        for index in selection.matching[group.places] {
            let row = table.rows[index]
            token.messageRate += row.messageRate
            token.subscribers += row.subscribers
            token.messages += row.messages
            token.keptBytes += row.keptBytes
        }
        return token
    }

    // MARK: Order

    /// The places in a range, of `count` places in the order of names.
    private func places(_ range: Range<Int>, of count: Int, number: (Int) -> Double) -> [Int] {
        guard query.sort == .name else {
            let sign = query.isAscending ? -1.0 : 1.0
            return TopNumbers.places(range, of: (0..<count).map { sign * number($0) })
        }
        let range = range.clamped(to: 0..<count)
        return query.isAscending ? Array(range) : range.map { count - 1 - $0 }
    }

    private func number(of row: TopicTable.Row) -> Double {
        switch query.sort {
        case .name: 0
        case .rate: row.messageRate
        case .bytes: Double(row.keptBytes)
        case .subscribers: Double(row.subscribers)
        case .messages: Double(row.messages)
        }
    }

    private func number(of token: Token) -> Double {
        switch query.sort {
        case .name: 0
        case .rate: token.messageRate
        case .bytes: Double(token.keptBytes)
        case .subscribers: Double(token.subscribers)
        case .messages: Double(token.messages)
        }
    }
}

extension ConsoleTopicPages.Page {
    /// - Parameter now: in milliseconds on the steady clock.
    func write(to body: inout ByteBuffer, _ table: TopicTable, now: Int64) {
        body.writeString(#"{"total":\#(total),"matching":\#(matching),"rows":["#)
        for (place, index) in rows.enumerated() {
            let (topic, row) = (table.directory.topics[index], table.rows[index])
            let history = topic.history(now: now)
            body.writeString(place > 0 ? #",{"name":"# : #"{"name":"#)
            body.writeBytes(topic.template.topicJSON)
            body.writeString(#","messages_per_s":"#)
            body.writeNumber(row.messageRate, decimals: 1)
            body.writeString(#","bytes_per_s":"#)
            body.writeNumber(row.byteRate, decimals: 0)
            body.writeString(#","subscribers":\#(row.subscribers),"messages":\#(row.messages)"#)
            body.writeString(#","history":\#(history.messages),"bytes":\#(row.keptBytes)"#)
            body.writeString(#","durability":"\#(history.durability.rawValue)"}"#)
        }
        body.writeStaticString("]")
        if let tree {
            body.writeStaticString(#","tokens":["#)
            for (place, token) in tree.tokens.enumerated() {
                body.writeString(#"\#(place > 0 ? "," : ""){"token":\#(jsonString(token.token))"#)
                body.writeString(#","topics":\#(token.topics),"messages_per_s":"#)
                body.writeNumber(token.messageRate, decimals: 1)
                body.writeString(#","subscribers":\#(token.subscribers)}"#)
            }
            body.writeString(#"],"more_tokens":\#(tree.more),"leaves":\#(tree.leaves)"#)
        }
        body.writeStaticString("}")
    }
}
